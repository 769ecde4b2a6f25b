package memory

import (
	"strings"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// state is queue.State as a small number, for counting.
type state uint8

const (
	scheduled state = iota
	ready
	running
	retrying
	undoing
	dead
	cancelled
	done
	stateCount
)

var stateNames = [stateCount]queue.State{
	queue.StateScheduled, queue.StateReady, queue.StateRunning, queue.StateRetrying, queue.StateUndoing,
	queue.StateDead, queue.StateCancelled, queue.StateDone,
}

// living says whether a task in this state counts against the capacity, and keeps its unique key.
func (s state) living() bool { return s < dead }

// spot is where a task stands in the engine.
type spot uint8

const (
	nowhere   spot = iota // on its way from one to another
	later                 // waits for its time
	claimable             // can be claimed
	behind                // is due, but waits for its group
	leased
	ended
)

// entry is one task.
type entry struct {
	link    link[entry] // among those that have ended
	at      int         // in the row of the line that it is in
	index   int         // in the heap that it is in, -1 for none
	hash    uint64      // of its ID
	chained *entry      // the next one in its chain of the index
	progress

	info        task.Info
	payload     queue.Payload
	key         *key
	group       *group
	cause       string    // why it is undoing
	endedAt     time.Time // progress.ended for people
	failures    []queue.Failure
	checkpoints map[string][]byte
}

// set makes the entry that of a record. Most of what a task may have is empty, or the same as with the task that was here before: what is not written does not
// trouble the garbage collector.
func (t *entry) set(r *queue.Record) {
	to, from := &t.info, &r.Info
	to.ID, to.MaxAttempts, to.Priority = from.ID, from.MaxAttempts, from.Priority
	to.Attempt, to.Undo = 0, false
	change(&to.Queue, from.Queue)
	change(&to.Kind, from.Kind)
	change(&to.Cause, "")
	change(&to.Unique, from.Unique)
	change(&to.Group, from.Group)
	if from.Metadata != nil {
		to.Metadata = from.Metadata
	}
	t.payload.Value = r.Payload.Value
	if r.Payload.Bytes != nil {
		t.payload.Bytes = r.Payload.Bytes
	}
}

func change(to *string, from string) {
	if *to != from {
		*to = from
	}
}

// progress is how far a task has come.
type progress struct {
	state      state
	spot       spot
	cancelling bool          // an operator wants it to end
	endsAs     state         // of an undoing one
	place      place         // among the ready ones; its instant is when the task became due
	lease      int64         // the fence: the number of the last claim
	expiry     place         // among the leases; its instant is when the last one ends
	failed     int           // attempts used up
	ended      time.Duration // when, since the engine was opened
}

func (t *entry) moved(index int) { t.index = index }

// lastAttempt says whether no attempt is left.
func (t *entry) lastAttempt() bool {
	most := t.info.MaxAttempts
	return most > 0 && t.failed >= most
}

// undoable says whether the task has effects that can be undone.
func (t *entry) undoable() bool {
	for path := range t.checkpoints {
		if strings.HasPrefix(path, task.UndoPrefix) {
			return true
		}
	}
	return false
}

// note adds to the task's history.
func (t *entry) note(f queue.Failure) {
	if len(t.failures) >= queue.MaxFailures {
		t.failures = append(t.failures[:0:0], t.failures[1:]...)
	}
	t.failures = append(t.failures, f)
}

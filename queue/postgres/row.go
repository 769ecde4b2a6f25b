package postgres

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// state is queue.State as it is kept; see migrations.
type state int16

const (
	scheduled state = iota + 1
	ready
	running
	retrying
	undoing
	done
	dead
	cancelled
	stateEnd
)

var stateNames = [stateEnd]queue.State{
	"", queue.StateScheduled, queue.StateReady, queue.StateRunning, queue.StateRetrying, queue.StateUndoing,
	queue.StateDone, queue.StateDead, queue.StateCancelled,
}

// living says whether a task in this state counts against the capacity, and keeps its unique key.
func (s state) living() bool { return s >= scheduled && s <= undoing }

// statesNamed are the states of these names; names of none are left out.
func statesNamed(names []queue.State) []int16 {
	states := make([]int16, 0, len(names))
	for _, name := range names {
		for s := scheduled; s < stateEnd; s++ {
			if stateNames[s] == name {
				states = append(states, int16(s))
			}
		}
	}
	return states
}

// stand is where a task can be found; see migrations.
type stand int16

const (
	nowhere stand = iota // leased, or ended
	waiting
	open
	parked
)

// row is a task without its payload.
type row struct {
	id       string
	kind     string
	unique   *string
	group    *string
	enqueued time.Time
	most     int
	priority int

	state      state
	stand      stand
	due        time.Time // its place: when it became or becomes due, and
	seq        int64     // the order of those that do so at once; of an ended one, the order of ending
	lease      int64     // the fence: how often it was claimed
	until      *time.Time
	attempt    int     // at hand, or the last one
	failed     int     // attempts used up
	undo       bool    // the last claim was for undoing
	begun      bool    // claimed, and not ended since
	cancelling bool    // an operator wants it to end
	endsAs     state   // of an undoing one, and
	cause      *string // why it is that
	ended      *time.Time
	kept       bool // it may have checkpoints
	failures   json.RawMessage
	metadata   *string
}

// rowColumns are the columns of a row, in the order of scan.
const rowColumns = `t.id, t.kind, t.uniq, t.grp, t.enqueued, t.most, t.priority, t.state, t.stand, t.due, t.seq, t.lease, t.leased_until, t.attempt, t.failed, t.undo,
	t.begun, t.cancelling, t.ends_as, t.cause, t.ended, t.kept, t.metadata`

// scan reads a row whose columns are rowColumns, and behind them more.
func (t *row) scan(from pgx.Rows, more ...any) error {
	fields := append(make([]any, 0, 23+len(more)),
		&t.id, &t.kind, &t.unique, &t.group, &t.enqueued, &t.most, &t.priority, &t.state, &t.stand, &t.due, &t.seq, &t.lease, &t.until, &t.attempt, &t.failed, &t.undo,
		&t.begun, &t.cancelling, &t.endsAs, &t.cause, &t.ended, &t.kept, &t.metadata)
	return from.Scan(append(fields, more...)...)
}

// leaseColumns are what a lease tells of a task t, in the order of scanLease.
const leaseColumns = `t.id, t.kind, t.uniq, t.grp, t.enqueued, t.most, t.priority, t.due, t.seq, t.lease, t.attempt, t.undo, t.cause, t.metadata, t.payload`

// scanLease reads a row whose columns are leaseColumns.
func (t *row) scanLease(from pgx.Rows, payload *[]byte) error {
	return from.Scan(&t.id, &t.kind, &t.unique, &t.group, &t.enqueued, &t.most, &t.priority, &t.due, &t.seq, &t.lease, &t.attempt, &t.undo, &t.cause, &t.metadata, payload)
}

// leased says whether it is under a lease.
func (t *row) leased() bool { return t.stand == nowhere && t.state.living() }

// lastAttempt says whether no attempt is left.
func (t *row) lastAttempt() bool { return t.most > 0 && t.failed >= t.most }

// info is what handlers and people see of it.
func (t *row) info(queueName string) (task.Info, error) {
	i := task.Info{
		ID: t.id, Queue: queueName, Kind: t.kind, Attempt: t.attempt, MaxAttempts: t.most, Undo: t.undo,
		Unique: text(t.unique), Group: text(t.group), Priority: t.priority, EnqueuedAt: t.enqueued, RunAt: t.due,
	}
	if t.undo {
		i.Cause = text(t.cause)
	}
	if t.metadata == nil {
		return i, nil
	}
	return i, json.Unmarshal([]byte(*t.metadata), &i.Metadata)
}

// text is "" for NULL.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// null is NULL for "".
func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// longest bounds times, so that none leaves what the database can count.
const longest = 100 * 365 * 24 * time.Hour

// microseconds is a duration as statements take it.
func microseconds(d time.Duration) int64 { return min(max(d, 0), longest).Microseconds() }

// in is the instant that far ahead.
func in(now time.Time, d time.Duration) time.Time { return now.Add(min(max(d, 0), longest)) }

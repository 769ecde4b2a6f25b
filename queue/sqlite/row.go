package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// state is queue.State as it is kept; see migrations.
type state int64

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

// named is the state of that name, 0 for none.
func named(name queue.State) state {
	for s := scheduled; s < stateEnd; s++ {
		if stateNames[s] == name {
			return s
		}
	}
	return 0
}

// stand is where a task can be found; see migrations.
type stand int64

const (
	nowhere stand = iota // leased, or ended
	waiting
	open
	parked
)

// row is a task without its body.
type row struct {
	n        int64 // names it in the file
	queue    int64
	id       string
	kind     string
	unique   string
	group    string
	enqueued int64
	most     int64 // attempts
	priority int64

	state      state
	stand      stand
	due        int64  // its place: when it became or becomes due, and
	seq        int64  // the order of those that do so at once; of an ended one, the order of ending
	lease      int64  // the fence: how often it was claimed
	attempt    int64  // at hand, or the last one
	failed     int64  // attempts used up
	undo       bool   // the last claim was for undoing
	begun      bool   // claimed, and not ended since
	cancelling bool   // an operator wants it to end
	endsAs     state  // of an undoing one, and
	cause      string // why it is that
	ended      int64
	failures   int64 // ever noted in its history
	kept       bool  // it may have checkpoints
}

// leased says whether it is under a lease.
func (t *row) leased() bool {
	return t.stand == nowhere && t.state.living()
}

// lastAttempt says whether no attempt is left.
func (t *row) lastAttempt() bool { return t.most > 0 && t.failed >= t.most }

// The columns of a task, in the order of the table; those up to priority never change.
const (
	fixedColumns   = "n, queue, id, kind, uniq, grp, enqueued, most, priority"
	changedColumns = "state, stand, due, seq, lease, attempt, failed, undo, begun, cancelling, ends_as, cause, ended, failures, kept"
	rowColumns     = fixedColumns + ", " + changedColumns + ", sum"

	insertRow = "INSERT INTO tasks (" + rowColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (queue, id) DO NOTHING"
	updateRow = "UPDATE tasks SET (" + changedColumns + ", sum) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE n = ?"
)

const fixedCount, rowCount = 9, 24 // without the checksum

// values are those of the columns, the checksum last.
func (t *row) values() []driver.Value {
	v := append(make([]driver.Value, 0, rowCount+1),
		t.n, t.queue, t.id, t.kind, orNull(t.unique), orNull(t.group), t.enqueued, t.most, t.priority,
		int64(t.state), int64(t.stand), t.due, t.seq, t.lease, t.attempt, t.failed, number(t.undo), number(t.begun), number(t.cancelling),
		int64(t.endsAs), orNull(t.cause), t.ended, t.failures, number(t.kept))
	return append(v, sumOf(v...))
}

// readRow reads what values wrote, and checks it.
func readRow(c columns) (row, error) {
	t := row{
		n: c.int(0), queue: c.int(1), id: c.text(2), kind: c.text(3), unique: c.text(4), group: c.text(5), enqueued: c.int(6), most: c.int(7),
		priority: c.int(8), state: state(c.int(9)), stand: stand(c.int(10)), due: c.int(11), seq: c.int(12), lease: c.int(13), attempt: c.int(14),
		failed: c.int(15), undo: c.bool(16), begun: c.bool(17), cancelling: c.bool(18), endsAs: state(c.int(19)), cause: c.text(20),
		ended: c.int(21), failures: c.int(22), kept: c.bool(23),
	}
	return t, checkSum(c, rowCount, func() string { return fmt.Sprintf("task %q", t.id) })
}

// checkSum compares the checksum in column n with that of the columns before it.
func checkSum(c columns, n int, what func() string) error {
	if sum, ok := c[n].(int64); !ok || sum != sumOf(c[:n]...) {
		return fmt.Errorf("%w: the checksum of %s does not fit", ErrDamaged, what())
	}
	return nil
}

func orNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// info is what handlers and people see of it.
func (t *row) info(queueName string, c *clock) task.Info {
	i := task.Info{
		ID: t.id, Queue: queueName, Kind: t.kind, Attempt: int(t.attempt), MaxAttempts: int(t.most), Undo: t.undo,
		Unique: t.unique, Group: t.group, Priority: int(t.priority), EnqueuedAt: c.show(t.enqueued), RunAt: c.show(t.due),
	}
	if t.undo {
		i.Cause = t.cause
	}
	return i
}

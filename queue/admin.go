package queue

import (
	"context"
	"time"

	"github.com/plba/plba/task"
)

// Admin is what operators do with a queue: look, end, revive, clear away, hold. A [Queue] has it, and every [Engine]. All methods are safe for
// concurrent use.
//
// Those that take a [Selection] change what is in a fitting state and leave the rest, so they can be repeated; n is how many they changed. They may work
// in portions: when there is an error, n tasks were changed before it.
type Admin interface {
	// Stats counts. It does not wait for other operations.
	Stats(ctx context.Context) (Stats, error)

	// Tasks lists tasks, those published last first, a page at a time and without their payloads.
	Tasks(ctx context.Context, q Query) (Page, error)

	// Task is everything about one task; [ErrNotFound] when the queue does not have it (any more).
	Task(ctx context.Context, id string) (Task, error)

	// Cancel ends a task. One that waits ends at once: cancelled, or undoing if it keeps a checkpoint under task.UndoPrefix. A running one is marked: its
	// worker learns of it with the next renewal and ends the handler; whatever the answer is then, other than done, dropped and dead, ends the task,
	// and so does an expired lease. The cause is kept in the task's history. Cancelling a marked task again changes nothing.
	//
	// [ErrNotFound] when there is no such task, a [StateError] when it is undoing or has ended.
	Cancel(ctx context.Context, id, cause string) error

	// Requeue lets dead and cancelled tasks begin anew: ready at once, all attempts before them, history, unique key and checkpoints kept. A full queue
	// stops it with [ErrFull]; a task whose unique key another one has by now stays as it is, and the error is [ErrKeyTaken] after all
	// others were requeued.
	Requeue(ctx context.Context, sel Selection) (n int, err error)

	// RunNow makes scheduled and retrying tasks ready, and lets undoing ones that wait be claimed at once.
	RunNow(ctx context.Context, sel Selection) (n int, err error)

	// Purge forgets tasks, without a trace and without undoing anything: ended ones, and waiting ones (scheduled, ready, retrying) unless they keep a
	// checkpoint under task.UndoPrefix; those are to be cancelled. Running and undoing ones stay. A unique key counts on for its time (Spec.UniqueFor).
	Purge(ctx context.Context, sel Selection) (n int, err error)

	// Pause stops handing out tasks, until Resume; publishing goes on, and so do leases that are out. A durable engine keeps it over restarts. Pausing
	// a paused queue changes nothing.
	Pause(ctx context.Context) error

	// Resume ends a pause. Without one it changes nothing.
	Resume(ctx context.Context) error
}

// Selection says which tasks: those with one of the IDs, if any are given, that are in one of the states, if any are given. The zero value selects
// nothing.
type Selection struct {
	IDs    []string
	States []State
}

// ByID selects tasks.
func ByID(ids ...string) Selection { return Selection{IDs: ids} }

// InState selects all tasks in these states.
func InState(states ...State) Selection { return Selection{States: states} }

// MaxPage is how many tasks a page has at most.
const MaxPage = 500

// Query says which tasks a page shows.
type Query struct {
	// States are the states to show; none: all.
	States []State
	// After continues behind a page: its Next.
	After string
	// Limit is how many tasks the page has at most; 0 or less, and more than [MaxPage], mean MaxPage.
	Limit int
}

// Size is Limit with its default and bound.
func (q Query) Size() int {
	if q.Limit < 1 {
		return MaxPage
	}
	return min(q.Limit, MaxPage)
}

// Page is a part of a list of tasks. Tasks that come, end or change their state between two pages may be missed; none is shown twice.
type Page struct {
	Tasks []Task // by ID, the highest first, which is the one published last; without Payload, and of the failures just the last one
	Next  string // for Query.After; "" when there are no more
}

// Task is a task as operators see it.
type Task struct {
	Info        task.Info // Attempt is the one at hand, the last one, or before the first claim 0
	State       State
	LeasedUntil time.Time // when the lease ends; zero without one
	Cancelling  bool      // running, but an operator wants it to end
	EndsAs      State     // of an undoing task: dead or cancelled
	EndedAt     time.Time // when it was done, dead or cancelled; zero while it lives
	Failures    []Failure // what went wrong, in order; the first ones are left out beyond [MaxFailures]
	Payload     Payload
}

// MaxFailures is how many failures a task's history holds; beyond it the oldest are forgotten.
const MaxFailures = 100

// Failure is an entry in a task's history: a failed attempt, or what an operator who cancelled it said.
type Failure struct {
	Attempt int       `json:"attempt"` // begins at 1 again when the task is requeued or undone; 0 if cancelled before the first
	At      time.Time `json:"at"`
	Error   string    `json:"error"`
	Undo    bool      `json:"undo,omitempty"` // an attempt to undo
}

// Stats counts the tasks of a queue by state, and what went through it since it was opened.
type Stats struct {
	Ready       int64         `json:"ready"`
	Scheduled   int64         `json:"scheduled"`
	Running     int64         `json:"running"`
	Retrying    int64         `json:"retrying"`
	Undoing     int64         `json:"undoing"`
	Dead        int64         `json:"dead"`
	Cancelled   int64         `json:"cancelled"`
	Done        int64         `json:"done"`            // kept after they were done or dropped
	Published   int64         `json:"published"`       // accepted, without those that existed
	Completed   int64         `json:"completed"`       // done or dropped, kept or not
	Capacity    int64         `json:"capacity"`        // how many living tasks fit, 0: no bound
	OldestReady time.Duration `json:"oldest_ready_ns"` // for how long the first ready task has been due, 0 without one
	Paused      bool          `json:"paused"`          // no task is handed out
}

// Unfinished is how many tasks live, and so count against the capacity.
func (s Stats) Unfinished() int64 { return s.Ready + s.Scheduled + s.Running + s.Retrying + s.Undoing }

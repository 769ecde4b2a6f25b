package task

import "context"

// UndoPrefix begins the paths of checkpoints that are records of effects which can be undone. A task that is given up while it
// keeps one does not end: its queue hands it out once more, with Info.Undo, so that its handler compensates.
const UndoPrefix = "undo/"

// Checkpoints is what a queue lends the handler of one lease to keep values with the task over attempts. Every call is
// fenced by that lease: once it is lost, all return ErrLeaseLost. Safe for concurrent use.
type Checkpoints interface {
	// Load decodes the value kept under path into the pointer; found is false when there is none.
	Load(ctx context.Context, path string, into any) (found bool, err error)
	// Save keeps v under path until the task is done. It returns when the value is as safe as the task itself.
	Save(ctx context.Context, path string, v any) error
	// Forget removes every value whose path begins with prefix.
	Forget(ctx context.Context, prefix string) error
	// List gives the paths under which values are kept and that begin with prefix, sorted by their bytes; all of them for "".
	List(ctx context.Context, prefix string) ([]string, error)
}

// Slots is what a worker tells a handler about itself, so that work that gathers items of several tasks knows when
// waiting for more is pointless. Safe for concurrent use.
//
// A slot handles one task at a time. Its handler finds it in the context (SlotsFrom) and parks it while it waits for other tasks to come, and only
// so long: not while what was gathered is worked on. The worker is saturated when every slot that holds a task is parked and no other slot may take
// one: because all are taken, or the worker is paused or stops softly. A slot that waits for work is not parked, since a task may come to it; how
// long to wait for that is for whoever gathers to say, with a timer of its own. When a stop is forced contexts end, and nothing is saturated any more.
type Slots interface {
	// Size is how many tasks the worker handles at once, at present: it may be changed while the worker runs.
	Size() int
	// Park says that the calling task waits for others; unpark ends that, and does nothing the second time. A task that parks in several places at once
	// (its fan-out) counts as parked while at least one of them is. Tasks that wait behind this one in the same slot go back to the queue, so Park may
	// take as long as the queue's answer does.
	Park() (unpark func())
	// OnSaturated calls flush once, from another goroutine, as soon as the worker is saturated, which may be at once; cancel withdraws it, and may cross a
	// flush that has just begun. A stop waits for flush to return.
	OnSaturated(flush func()) (cancel func())
}

// Attacher is optional on a handler: its worker attaches it at every start and detaches it at every stop. One handler may be attached several times at once, by
// several workers or for several kinds of tasks.
type Attacher interface {
	// Attach prepares the handler for a worker's life, before the first task; its error fails the start. detach, which may be nil, ends what Attach began, after
	// the last task; its context ends when the stop is forced. (The slots are the worker's. Those of the task at hand are in its context: SlotsFrom.)
	Attach(Slots) (detach func(context.Context) error, err error)
	// Compensates says that the handler undoes what it did when a task is given up: it gets leases with Info.Undo. Like NeedsCheckpoints it is asked at
	// registration, and at any time after that.
	Compensates() bool
	// NeedsCheckpoints says that the queue must be able to keep checkpoints. One that compensates always needs them.
	NeedsCheckpoints() bool
}

// SlotsChecker is optional on an Attacher.
type SlotsChecker interface {
	// CheckSlots says why the handler cannot do its work with so many slots, or nil. It is asked at registration, with the concurrency that the code and the
	// configuration say, and its error is a fault of registration. A change at run time is not asked about.
	CheckSlots(size int) error
}

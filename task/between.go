package task

import "context"

// Checkpoints is what a queue lends the handler of one lease to keep values with the task over attempts. Every call is
// fenced by that lease: once it is lost, Save and Forget return ErrLeaseLost. Safe for concurrent use.
type Checkpoints interface {
	// Load decodes the value kept under path into the pointer; found is false when there is none.
	Load(ctx context.Context, path string, into any) (found bool, err error)
	// Save keeps v under path until the task ends. It returns when the value is as safe as the task itself.
	Save(ctx context.Context, path string, v any) error
	// Forget removes every value whose path begins with prefix.
	Forget(ctx context.Context, prefix string) error
}

// Slots is what a worker tells a handler about itself, so that work that gathers items of several tasks knows when
// waiting for more is pointless. Safe for concurrent use.
type Slots interface {
	// Size is how many tasks the worker handles at once.
	Size() int
	// Park says that the calling task waits for others; unpark ends that.
	Park() (unpark func())
	// OnSaturated calls flush once, from another goroutine, when every slot is parked; cancel withdraws it.
	OnSaturated(flush func()) (cancel func())
}

// Attacher is optional on a handler: its worker attaches it at every start and detaches it at every stop.
type Attacher interface {
	// Attach prepares the handler for a worker's life; detach ends what Attach began.
	Attach(Slots) (detach func(context.Context) error, err error)
	// Compensates says that the handler undoes what it did when a task is given up.
	Compensates() bool
	// NeedsCheckpoints says that the queue must be able to keep checkpoints.
	NeedsCheckpoints() bool
}

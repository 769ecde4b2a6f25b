package runtime_test

import (
	"context"
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// lacking is an engine that cannot do something.
type lacking struct {
	queue.Driver
	what queue.Capabilities
}

func (l lacking) Name() string                     { return "simple" }
func (l lacking) Capabilities() queue.Capabilities { return l.Driver.Capabilities() &^ l.what }

// careful is a handler that needs more than any queue can do.
type careful struct{ compensates, keeps bool }

func (careful) Handle(context.Context, int) error { return nil }
func (c careful) Compensates() bool               { return c.compensates }
func (c careful) NeedsCheckpoints() bool          { return c.keeps }
func (careful) CheckSlots(size int) error         { return nil }
func (careful) Attach(task.Slots) (func(context.Context) error, error) {
	return nil, nil
}

// A queue whose engine lacks what a worker needs is a fault that names all of them.
func TestEngineLacksWhatAWorkerNeeds(t *testing.T) {
	m := module{"shop", func(r *runtime.Registry) error {
		for name, h := range map[string]careful{"charge": {compensates: true}, "ship": {keeps: true}, "print": {}} {
			q := runtime.QueueOf[int](r, name+"s")
			r.Worker(workers.Consume("to-"+name, q, workers.Handler[int](h)))
		}
		both := runtime.QueueOf(r, "all", queue.Spec[int]{Requires: queue.Durable})
		audit := func(next workers.Handler[int]) workers.Handler[int] { return workers.Func(next.Handle) }
		r.Worker(workers.Consume("one", both, workers.Wrap[int](careful{keeps: true}, audit)))
		r.Worker(workers.Consume("two", both, workers.Wrap[int](careful{compensates: true}, audit)))
		return nil
	}}
	golden(t, "faults-engine.txt", newFaults(t, m, runtime.WithDrivers(lacking{memory.Driver(), queue.Checkpointed}), yaml(`platform:
  queues:
    all: {backend: simple}
    charges: {backend: simple}
    ships: {backend: simple}
    prints: {backend: simple}
`)))
}

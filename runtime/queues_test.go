package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// remorse is a handler that keeps a record of what it did, fails for good, and takes a while to undo it.
type remorse struct {
	careful
	undone atomic.Bool
}

func (h *remorse) Handle(ctx context.Context, _ int) error {
	if info, _ := task.From(ctx); info.Undo {
		time.Sleep(3 * time.Second)
		h.undone.Store(true)
		return nil
	}
	kept, _ := task.CheckpointsFrom(ctx)
	if err := kept.Save(ctx, task.UndoPrefix+"charge", 1); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	return task.Permanent(errBoom)
}

// A volatile queue is drained of what is to be undone too.
func TestDrainUndoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		h := &remorse{careful: careful{compensates: true}}
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("w", q, workers.Handler[int](h)))
		})
		publish(t, q, 1)
		pass(time.Second)
		rec := stop(t, a)
		if !h.undone.Load() || !rec.Clean || rec.TookSeconds > 4.1 {
			t.Errorf("undone %t, %+v", h.undone.Load(), rec)
		}
	})
}

// Nobody waits for what a paused queue holds; it is counted as lost.
func TestDrainOfAPausedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("w", q, handle(func(context.Context, int) error { return nil })))
		})
		if err := q.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		publish(t, q, 1, 2)
		pass(time.Second)
		rec, err := a.Stop(t.Context())
		if !errors.Is(err, runtime.ErrNotClean) || rec.TookSeconds > 0.1 || len(rec.Lost) != 1 || rec.Lost[0].Tasks != 2 {
			t.Errorf("%+v", rec)
		}
	})
}

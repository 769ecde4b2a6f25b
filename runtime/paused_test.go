package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// A paused consumer of a volatile queue does not hold up the stop: what it has in flight finishes, and what that publishes is handled; what waits
// behind the pause is lost, and counted.
func TestStopWhileAConsumerIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in, out *queue.Queue[int]
		var paused workers.Worker
		var handled atomic.Int64
		a := run(t, func(r *runtime.Registry) {
			in, out = runtime.QueueOf[int](r, "in"), runtime.QueueOf[int](r, "out")
			paused = workers.Consume("paused", in, handle(func(ctx context.Context, n int) error {
				time.Sleep(3 * time.Second)
				return out.Publish(ctx, n)
			}))
			r.Worker(paused)
			r.Worker(workers.Consume("next", out, handle(func(context.Context, int) error { handled.Add(1); return nil })))
		})
		publish(t, in, 1, 2, 3)
		pass(time.Second)
		paused.(workers.Pauser).Pause()
		if s := a.Status(); !s.Workers[0].Paused || s.Workers[1].Paused {
			t.Errorf("status %+v", s.Workers)
		}
		rec, err := a.Stop(t.Context())
		if !errors.Is(err, runtime.ErrNotClean) || handled.Load() != 1 || rec.TookSeconds > 3 {
			t.Errorf("handled %d, receipt %+v, %v", handled.Load(), rec, err)
		}
		if len(rec.Lost) != 1 || rec.Lost[0] != (runtime.QueueLoss{Queue: "in", Tasks: 2}) {
			t.Errorf("lost %+v", rec.Lost)
		}
		for _, w := range rec.Workers {
			if w.Outcome != runtime.Drained {
				t.Errorf("%+v", w)
			}
		}
	})
}

// While another consumer of the same queue works on, the queue is emptied.
func TestStopWhileOneOfTwoConsumersIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		var paused workers.Worker
		var handled atomic.Int64
		h := handle(func(context.Context, int) error { time.Sleep(time.Second); handled.Add(1); return nil })
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			paused = workers.Consume("paused", q, h)
			r.Worker(paused)
			r.Worker(workers.Consume("other", q, h))
		})
		paused.(workers.Pauser).Pause()
		publish(t, q, 1, 2, 3, 4, 5)
		if rec := stop(t, a); handled.Load() != 5 || len(rec.Lost) != 0 {
			t.Errorf("handled %d, receipt %+v", handled.Load(), rec)
		}
	})
}

package workers_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/workers"
)

// An observer may look at the worker while it is told of a move, and may panic: neither harms the worker.
func TestObserverLooksAndPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		var handled, told atomic.Int64
		w := workers.Consume("c", q, workers.Func(func(context.Context, int) error { handled.Add(1); return nil }))
		observe := func(string, workers.Transition) {
			w.Status()
			w.Health()
			w.Err()
			select {
			case <-w.Done():
			default:
			}
			told.Add(1)
			panic("seen enough")
		}
		if err := w.(workers.Equipped).Equip(workers.Env{Observe: observe}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			publish(t, q, 1)
			pass(time.Second)
			w.Stop(forever(), forever())
		}
		if s := w.Status(); s.State != workers.Stopped || handled.Load() != 3 || told.Load() != 18 {
			t.Errorf("handled %d, told %d, status %+v", handled.Load(), told.Load(), s)
		}
	})
}

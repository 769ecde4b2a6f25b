package workers_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/workers"
)

func TestConsumeStress(t *testing.T) {
	q := openQueue[int](t, "q", 64)
	var seen sync.Map
	var handled atomic.Int64
	h := func(_ context.Context, v int) error {
		switch {
		case v%97 == 0:
			if _, again := seen.LoadOrStore(-v, true); !again {
				goexit()
			}
		case v%89 == 0:
			if _, again := seen.LoadOrStore(-v, true); !again {
				panic("planted")
			}
		}
		if _, dup := seen.LoadOrStore(v, true); dup {
			t.Errorf("task %d handled twice", v)
		}
		handled.Add(1)
		return nil
	}
	w := consume(t, q, h, workers.Concurrency(8), workers.RetryPolicy(func(int, error) time.Duration { return 0 }))
	const publishers, each = 4, 5000
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if err := q.Publish(t.Context(), 1+p*each+i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() { // the worker's life changes underneath
		for range 20 {
			w.Stop(forever(), forever())
			if err := w.Start(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	deadline := time.After(30 * time.Second)
	for handled.Load() < publishers*each {
		select {
		case <-deadline:
			t.Fatalf("%d of %d handled; %+v", handled.Load(), publishers*each, stats(t, q))
		case <-time.After(time.Millisecond):
		}
	}
	if s := w.Status(); s.InFlight != 0 && s.State == workers.Stopped {
		t.Errorf("status %+v", s)
	}
}

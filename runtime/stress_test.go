package runtime_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// Ten goroutines start and stop one application with all kinds of workers, in real time. It ends stopped, each resource was stopped as often as it was
// started and never started twice, and every worker's history obeys its table.
func TestStartStopStress(t *testing.T) {
	var opens, closes, handled atomic.Int64
	var open atomic.Bool
	var mu sync.Mutex
	moves := map[string][]workers.Transition{}
	observe := func(worker string, tr workers.Transition) {
		mu.Lock()
		defer mu.Unlock()
		moves[worker] = append(moves[worker], tr)
	}
	a := assemble(t, func(r *runtime.Registry) {
		jobs, results := runtime.QueueOf[int](r, "jobs"), runtime.QueueOf[int](r, "results")
		r.Resource("store", func(context.Context) error {
			if opens.Add(1); open.Swap(true) {
				t.Error("started while it is open")
			}
			return nil
		}, func(context.Context) error {
			if closes.Add(1); !open.Swap(false) {
				t.Error("stopped while it is not open")
			}
			return nil
		})
		r.Health("check", nothing, runtime.Every(time.Millisecond))
		r.Worker(workers.Poll("poll", 2*time.Millisecond, func(ctx context.Context) (int, error) {
			return 0, jobs.Publish(ctx, 1)
		}), runtime.Critical())
		r.Worker(workers.Loop("loop", func(_ context.Context, s *workers.Session) error {
			s.Ready()
			for {
				select {
				case <-s.Stopping():
					return nil
				case <-time.After(time.Millisecond):
					s.Begin()(nil)
				}
			}
		}))
		r.Worker(workers.Consume("first", jobs, handle(func(ctx context.Context, n int) error { return results.Publish(ctx, n) }), workers.Concurrency(4)))
		r.Worker(workers.Consume("second", results, handle(func(context.Context, int) error { handled.Add(1); return nil })))
		r.Worker(workers.Loop("crashing", func(context.Context, *workers.Session) error { return errBoom }))
		r.Worker(&custom{name: "custom"})
	}, runtime.WithObserver(observe))
	var starts, stops atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 50 {
				err := a.Start(context.Background())
				var state *runtime.StateError
				if err == nil {
					starts.Add(1)
				} else if !errors.As(err, &state) && !interrupted(err) {
					t.Errorf("Start: %v", err)
				}
				if rand.IntN(2) == 0 { // give it time to work
					<-time.After(time.Duration(rand.IntN(3)) * time.Millisecond)
				}
				rec, err := a.Stop(context.Background())
				if err != nil && !(len(rec.Workers) < 6 && onlyLost(rec)) { // a start that is interrupted before the consumers run has none to drain
					t.Errorf("Stop: %v\n%s", err, rec)
				}
				stops.Add(1)
				a.Status()
				a.Health()
			}
		})
	}
	wg.Wait()
	_, _ = a.Stop(context.Background())
	if s := a.Status(); s.State != workers.Stopped || s.LastStop == nil {
		t.Errorf("status %+v", s)
	}
	if opens.Load() != closes.Load() || opens.Load() < 10 || stops.Load() != 500 || handled.Load() == 0 || starts.Load() == 0 {
		t.Errorf("%d opens, %d closes, %d starts, %d stops, %d handled", opens.Load(), closes.Load(), starts.Load(), stops.Load(), handled.Load())
	}
	for worker, trs := range moves {
		checkMoves(t, worker, trs)
	}
}

func interrupted(err error) bool {
	return err != nil && !errors.Is(err, errBoom) && errorText(err, "stop was asked for during the start")
}

// onlyLost says that nothing is wrong with a stop but that tasks were lost.
func onlyLost(rec runtime.Receipt) bool {
	for _, w := range rec.Workers {
		if w.Outcome != runtime.Drained || w.Error != "" {
			return false
		}
	}
	return len(rec.Faults) == 0
}

// checkMoves holds a worker's transitions to the table, from stopped to stopped.
func checkMoves(t *testing.T, worker string, trs []workers.Transition) {
	t.Helper()
	table, state := workers.Lifecycle(), workers.Stopped
	for i, tr := range trs {
		next, err := table.Next(state, tr.Event)
		if err != nil || tr.From != state || tr.To != next {
			t.Fatalf("%s: transition %d: %+v from %s: %v", worker, i, tr, state, err)
		}
		state = next
	}
	if state != workers.Stopped {
		t.Errorf("%s ended %s", worker, state)
	}
}

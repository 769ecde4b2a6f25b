package runtime_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// Operators act on workers of an application that runs, and on workers that there are.
func TestWorkerOperationsThatDoNotApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) { r.Worker(busy("w", takes(time.Minute))) }, yaml("platform: {shutdown: {timeout: 0s}}"))
		each := func(name string) map[string]error {
			_, stopped := a.StopWorker(t.Context(), name)
			_, restarted := a.RestartWorker(t.Context(), name)
			return map[string]error{"start": a.StartWorker(t.Context(), name), "stop": stopped, "restart": restarted}
		}
		refused := func(state runtime.State) {
			t.Helper()
			for op, err := range each("w") {
				var se *runtime.StateError
				if want := `runtime cannot ` + op + ` worker "w" while it is ` + string(state) + ` (only when it is running)`; !errors.As(err, &se) || err.Error() != want {
					t.Errorf("%v, want %s", err, want)
				}
			}
		}
		refused(runtime.Stopped)
		start(t, a)
		for op, err := range each("nobody") {
			if !errors.Is(err, runtime.ErrNoWorker) {
				t.Errorf("%s: %v", op, err)
			}
		}
		for _, err := range []error{a.PauseWorker("nobody"), a.ResumeWorker("nobody"), a.ScaleWorker("nobody", 1)} {
			if !errors.Is(err, runtime.ErrNoWorker) || err.Error() != `worker "nobody": there is no such worker` {
				t.Error(err)
			}
		}
		var stopping sync.WaitGroup
		stopping.Go(func() { stop(t, a) })
		pass(time.Second)
		refused(runtime.Stopping)
		stopping.Wait()
	})
}

// While a stop is under way a start is refused, and another stop waits for the same receipt, or forces it.
func TestOperationsDuringAStopOfTheWorker(t *testing.T) {
	for _, force := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := run(t, func(r *runtime.Registry) { r.Worker(busy("w", heeds)) })
			var recs [2]runtime.WorkerReceipt
			var wg sync.WaitGroup
			began := time.Now()
			wg.Go(func() { recs[0], _ = a.StopWorker(t.Context(), "w") })
			pass(time.Second)
			var se *workers.StateError
			if err := a.StartWorker(t.Context(), "w"); !errors.As(err, &se) || se.State != workers.Stopping {
				t.Errorf("start: %v", err)
			}
			if _, err := a.RestartWorker(t.Context(), "w"); !errors.As(err, &se) || se.State != workers.Stopping {
				t.Errorf("restart: %v", err)
			}
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := a.StopWorker(impatient, "w"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("stop of who does not wait: %v", err)
			}
			cancel()
			var opts []runtime.WorkerStopOption
			took := 25 * time.Second
			if force {
				opts, took = append(opts, runtime.Force()), 2*time.Second
			}
			wg.Go(func() { recs[1], _ = a.StopWorker(t.Context(), "w", opts...) })
			wg.Wait()
			if recs[0] != recs[1] || recs[0].Outcome != runtime.Forced || time.Since(began) != took {
				t.Errorf("after %s: %+v", time.Since(began), recs)
			}
			stop(t, a)
		})
	}
}

// gated is a worker whose start waits until it is let through, or its context ends.
func gated(name string, gate <-chan struct{}) *custom {
	return &custom{name: name, start: func(ctx context.Context) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
}

// A stop of the worker, or of the application, interrupts an operator's start.
func TestStopInterruptsAStartOfTheWorker(t *testing.T) {
	for name, interrupt := range map[string]func(*testing.T, *runtime.App){
		"of the worker": func(t *testing.T, a *runtime.App) {
			stopWorker(t, a, "w")
			expectWorker(t, a, "w", workers.Idle, health.StateDegraded, "stopped by an operator") // a custom worker's state is its own affair
		},
		"of the application": func(t *testing.T, a *runtime.App) { stop(t, a) },
	} {
		for op, begin := range map[string]func(*runtime.App) error{
			"start":   func(a *runtime.App) error { return a.StartWorker(context.Background(), "w") },
			"restart": func(a *runtime.App) error { _, err := a.RestartWorker(context.Background(), "w"); return err },
		} {
			t.Run(op+" interrupted by a stop "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					gate := make(chan struct{}, 1)
					gate <- struct{}{}
					w := gated("w", gate)
					a := run(t, func(r *runtime.Registry) { r.Worker(w) })
					stopWorker(t, a, "w")
					result := make(chan error, 2)
					for range map[string]int{"start": 2, "restart": 1}[op] { // a second start waits for the first
						go func() { result <- begin(a) }()
					}
					pass(time.Second)
					began := time.Now()
					interrupt(t, a)
					if err := <-result; err == nil || time.Since(began) != 0 {
						t.Errorf("%v after %s", err, time.Since(began))
					}
					pass(time.Hour)
					if w.startsSoFar != 1 {
						t.Errorf("%d starts", w.startsSoFar)
					}
					_, _ = a.Stop(t.Context())
				})
			})
		}
	}
}

// The application's stop does not wait longer for an operator's than its own budget allows, and its receipt tells what that came to.
func TestApplicationStopsDuringAStopOfTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) { r.Worker(busy("w", heeds)) }, yaml("platform: {shutdown: {timeout: 10h}}"))
		result := make(chan runtime.WorkerReceipt, 1)
		go func() {
			rec, _ := a.StopWorker(t.Context(), "w")
			result <- rec
		}()
		pass(time.Minute)
		rec, err := a.Stop(within(t, 10*time.Second))
		if !errors.Is(err, runtime.ErrNotClean) || rec.Workers[0].Outcome != runtime.Forced || rec.Workers[0].Finished != 1 || rec.TookSeconds != 8 {
			t.Errorf("%v\n%s", err, rec)
		}
		if rec := <-result; rec.Outcome != runtime.Forced {
			t.Errorf("%+v", rec)
		}
	})
}

// Operators and the application's own starts and stops at once, in real time: it ends stopped, with nothing left over, and every worker's history obeys its table.
func TestWorkerOperationsStress(t *testing.T) {
	var mu sync.Mutex
	moves := map[string][]workers.Transition{}
	a := assemble(t, func(r *runtime.Registry) {
		r.Worker(workers.Consume("c", runtime.QueueOf[int](r, "q"), handle(func(context.Context, int) error { return nil })))
		r.Worker(idle("l"), runtime.Critical())
		r.Worker(workers.Loop("crashing", func(context.Context, *workers.Session) error { return errBoom }))
	}, runtime.WithObserver(func(worker string, tr workers.Transition) {
		mu.Lock()
		defer mu.Unlock()
		moves[worker] = append(moves[worker], tr)
	}))
	start(t, a)
	var operated, refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 0))
			for range 50 {
				name := []string{"c", "l", "crashing"}[rng.IntN(3)]
				var err error
				switch rng.IntN(8) {
				case 0:
					_, err = a.Stop(context.Background())
				case 1:
					err = a.Start(context.Background())
				case 2:
					_, err = a.RestartWorker(context.Background(), name)
				case 3, 4:
					_, err = a.StopWorker(context.Background(), name)
				default:
					err = a.StartWorker(context.Background(), name)
				}
				if operated.Add(1); err != nil {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	_, _ = a.Stop(context.Background())
	if operated.Load() != 400 || refused.Load() == 0 || refused.Load() > 390 {
		t.Errorf("%d operations, %d refused", operated.Load(), refused.Load())
	}
	mu.Lock()
	defer mu.Unlock()
	for worker, trs := range moves {
		checkMoves(t, worker, trs)
	}
	if len(moves) != 3 {
		t.Errorf("%d workers moved", len(moves))
	}
}

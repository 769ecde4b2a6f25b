package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

func expectWorker(t *testing.T, a *runtime.App, name string, state workers.State, h health.State, reason string) {
	t.Helper()
	w, _ := a.Worker(name)
	if w.State != state || w.Health.State != h || !strings.Contains(w.Health.Reason, reason) {
		t.Errorf("worker %s is %s, %s: %q; want %s, %s: %q", name, w.State, w.Health.State, w.Health.Reason, state, h, reason)
	}
}

// stopWorker expects a clean stop.
func stopWorker(t *testing.T, a *runtime.App, name string, opts ...runtime.WorkerStopOption) runtime.WorkerReceipt {
	t.Helper()
	rec, err := a.StopWorker(t.Context(), name, opts...)
	if err != nil || rec.Name != name {
		t.Errorf("stop of %s: %v, %+v", name, err, rec)
	}
	return rec
}

func startWorker(t *testing.T, a *runtime.App, name string) {
	t.Helper()
	if err := a.StartWorker(t.Context(), name); err != nil {
		t.Errorf("start of %s: %v", name, err)
	}
}

// No restart policy undoes an operator's stop. Whatever starts the worker after it begins with a clean slate.
func TestAnOperatorsStopIsNotUndone(t *testing.T) {
	for name, again := range map[string]func(*testing.T, *runtime.App){
		"started by an operator": func(t *testing.T, a *runtime.App) { startWorker(t, a, "w") },
		"restarted by an operator": func(t *testing.T, a *runtime.App) {
			if rec, err := a.RestartWorker(t.Context(), "w"); err != nil || rec.Outcome != runtime.Drained {
				t.Errorf("restart: %v, %+v", err, rec)
			}
		},
		"started with the application": func(t *testing.T, a *runtime.App) { stop(t, a); start(t, a) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cr := &crasher{life: func(int) time.Duration { return time.Hour }}
				a := run(t, func(r *runtime.Registry) {
					r.Worker(cr.worker("w"), runtime.Critical(), runtime.Restart(runtime.Always))
					r.Worker(idle("other"))
				})
				pass(time.Minute)
				rec := stopWorker(t, a, "w", runtime.Reason("new prices"))
				if rec.Outcome != runtime.Drained {
					t.Errorf("%+v", rec)
				}
				pass(24 * time.Hour)
				expectWorker(t, a, "w", workers.Stopped, health.StateDegraded, "stopped by an operator: new prices")
				expectWorker(t, a, "other", workers.Idle, health.StateOK, "")
				if !a.Ready() || cr.lives() != 1 {
					t.Errorf("ready %t, %d lives", a.Ready(), cr.lives())
				}
				stopWorker(t, a, "w") // again: it is kept stopped
				again(t, a)
				expectWorker(t, a, "w", workers.Idle, health.StateOK, "")
				if w, _ := a.Worker("w"); w.Restarts != 0 || cr.lives() != 2 {
					t.Errorf("%d restarts, %d lives", w.Restarts, cr.lives())
				}
				pass(time.Hour + 2*second) // and from here on the policy holds again
				if w, _ := a.Worker("w"); w.Restarts != 1 || cr.lives() != 3 {
					t.Errorf("%d restarts, %d lives", w.Restarts, cr.lives())
				}
				stop(t, a)
			})
		})
	}
}

func TestStopWorkerReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var tasks *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			tasks = runtime.QueueOf[int](r, "tasks")
			r.Worker(workers.Consume("consumer", tasks, handle(func(context.Context, int) error { time.Sleep(3 * time.Second); return nil })))
			r.Worker(busy("slow", heeds))
			r.Worker(busy("slow-too", heeds), runtime.After("slow"))
			r.Worker(busy("deaf", func(context.Context) { <-release }))
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		publish(t, tasks, 1, 2, 3)
		pass(time.Second)
		for _, c := range []struct {
			worker  string
			within  time.Duration
			opts    []runtime.WorkerStopOption
			outcome runtime.Outcome
			took    float64
			tasks   workers.Receipt
		}{
			{"consumer", time.Minute, nil, runtime.Drained, 2, workers.Receipt{Finished: 1}},
			{"slow", 20 * time.Second, nil, runtime.Forced, 16, workers.Receipt{Finished: 1}},
			{"slow-too", time.Minute, []runtime.WorkerStopOption{runtime.Force()}, runtime.Forced, 0, workers.Receipt{Finished: 1}},
			{"deaf", 0, nil, runtime.Abandoned, 10, workers.Receipt{Abandoned: 1}},
			{"deaf", 0, nil, runtime.Abandoned, 0, workers.Receipt{Abandoned: 1}},
		} {
			ctx := t.Context()
			if c.within > 0 {
				ctx = within(t, c.within)
			}
			rec, err := a.StopWorker(ctx, c.worker, c.opts...)
			if rec.Outcome != c.outcome || rec.TookSeconds != c.took || rec.Receipt != c.tasks || errors.Is(err, runtime.ErrNotClean) != (c.outcome != runtime.Drained) {
				t.Errorf("%s: %+v, %v", c.worker, rec, err)
			}
		}
		if err := a.StartWorker(t.Context(), "deaf"); err == nil || !strings.Contains(err.Error(), "was abandoned and has not returned") {
			t.Errorf("start of what was abandoned: %v", err)
		}
		if st, err := tasks.Stats(t.Context()); err != nil || st.Ready != 2 {
			t.Errorf("the queue has lost something: %+v, %v", st, err)
		}
		startWorker(t, a, "consumer")
		pass(10 * time.Second)
		close(release)
		synctest.Wait()
		stopWorker(t, a, "deaf")
		stop(t, a)
	})
}

// What waits for its restart, or was given up, is started at once.
func TestStartWorkerIsAnotherChance(t *testing.T) {
	for _, policy := range []runtime.RestartPolicy{runtime.OnFailure, runtime.Never} {
		synctest.Test(t, func(t *testing.T) {
			cr := &crasher{life: func(n int) time.Duration { return map[bool]time.Duration{true: time.Hour, false: 0}[n > 1] }}
			a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), runtime.Restart(policy)) })
			synctest.Wait()
			expectWorker(t, a, "w", workers.Stopped, map[runtime.RestartPolicy]health.State{runtime.OnFailure: health.StateDegraded, runtime.Never: health.StateUnhealthy}[policy], "boom")
			startWorker(t, a, "w")
			expectWorker(t, a, "w", workers.Idle, health.StateOK, "")
			startWorker(t, a, "w") // it runs
			if cr.lives() != 2 {
				t.Errorf("%d lives", cr.lives())
			}
			pass(time.Minute)
			if cr.lives() != 2 {
				t.Errorf("%d lives after the time of the restart", cr.lives())
			}
			stop(t, a)
		})
	}
}

// A start that fails is told, and tried again as the policy says.
func TestStartWorkerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var says verdict
		w := &custom{name: "w", start: says.check}
		a := run(t, func(r *runtime.Registry) { r.Worker(w, runtime.Critical()) })
		stopWorker(t, a, "w")
		says.set(errBoom)
		if err := a.StartWorker(t.Context(), "w"); !errors.Is(err, errBoom) {
			t.Errorf("start: %v", err)
		}
		expectWorker(t, a, "w", workers.Idle, health.StateDegraded, "waits for its restart: boom")
		says.set(nil)
		pass(2 * second)
		expectWorker(t, a, "w", workers.Idle, health.StateOK, "")
		stop(t, a)
	})
}

func TestRestartWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := run(t, func(r *runtime.Registry) { r.Worker(j.loop("w")); r.Worker(busy("slow", heeds)) })
		for range 3 {
			if rec, err := a.RestartWorker(t.Context(), "w"); err != nil || rec.Outcome != runtime.Drained {
				t.Errorf("%v, %+v", err, rec)
			}
		}
		j.expect(t, "start w", "stop w", "start w", "stop w", "start w", "stop w", "start w")
		rec, err := a.RestartWorker(within(t, 10*time.Second), "slow")
		if !errors.Is(err, runtime.ErrNotClean) || rec.Outcome != runtime.Forced {
			t.Errorf("%v, %+v", err, rec)
		}
		expectWorker(t, a, "slow", workers.Busy, health.StateOK, "")
		_, _ = a.Stop(t.Context())
	})
}

func TestPauseResumeScaleWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker(workers.Consume("c", runtime.QueueOf[int](r, "q"), handle(func(context.Context, int) error { return nil })))
			r.Worker(idle("l"))
		})
		for what, err := range map[string]error{
			"pause": a.PauseWorker("c"), "scale": a.ScaleWorker("c", 7),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if w, _ := a.Worker("c"); !w.Paused || w.Concurrency != 7 {
			t.Errorf("%+v", w)
		}
		if err := a.ResumeWorker("c"); err != nil {
			t.Error(err)
		}
		if w, _ := a.Worker("c"); w.Paused {
			t.Errorf("%+v", w)
		}
		for want, err := range map[string]error{
			`worker "l" (loop) cannot be paused: unsupported operation`:  a.PauseWorker("l"),
			`worker "l" (loop) cannot be resumed: unsupported operation`: a.ResumeWorker("l"),
			`worker "l" (loop) cannot be scaled: unsupported operation`:  a.ScaleWorker("l", 3),
		} {
			if !errors.Is(err, errors.ErrUnsupported) || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if err := a.ScaleWorker("c", 0); err == nil || !strings.Contains(err.Error(), "at least 1") {
			t.Error(err)
		}
		stop(t, a)
	})
}

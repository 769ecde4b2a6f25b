package runtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

func TestStatusOverALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		a := assemble(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, handle(func(context.Context, int) error { time.Sleep(time.Second); return nil })))
		})
		expect := func(state workers.State, ready bool) runtime.Status {
			t.Helper()
			s := a.Status()
			if s.State != state || s.Ready != ready || s.Ready != a.Ready() || s.Name != "app" || len(s.Workers) != 1 {
				t.Errorf("status %+v, want %s, ready %t", s, state, ready)
			}
			return s
		}
		if s := expect(workers.Stopped, false); !s.StartedAt.IsZero() || a.Started() {
			t.Errorf("started at %s", s.StartedAt)
		}
		pass(time.Minute)
		start(t, a)
		began := time.Now()
		if s := expect(workers.Idle, true); !s.StartedAt.Equal(began) || !s.Since.Equal(began) {
			t.Errorf("status %+v", s)
		}
		publish(t, q, 1)
		synctest.Wait()
		if s := expect(workers.Busy, true); s.Workers[0].InFlight != 1 {
			t.Errorf("status %+v", s)
		}
		pass(2 * time.Second)
		if s := expect(workers.Idle, true); s.Workers[0].Done != 1 {
			t.Errorf("status %+v", s)
		}
		stop(t, a, runtime.Reason("enough"))
		s := expect(workers.Stopped, false)
		if s.LastStop == nil || s.LastStop.Reason != "enough" || !s.StartedAt.Equal(began) {
			t.Errorf("status %+v", s)
		}
		text, err := json.Marshal(s)
		if err != nil || !strings.Contains(string(text), `"state":"stopped"`) || !strings.Contains(string(text), `"last_stop":{"clean":true,"reason":"enough"`) {
			t.Errorf("%s, %v", text, err)
		}
	})
}

// A critical part unhealthy: unhealthy. A critical one degraded, or any other not ok: degraded. Else ok.
func TestHealthOfTheApplication(t *testing.T) {
	fails := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	crashes := func(name string) workers.Worker {
		return workers.Loop(name, func(_ context.Context, s *workers.Session) error { s.Ready(); return errBoom })
	}
	says := func(name string, err error) workers.Worker {
		return workers.Loop(name, func(_ context.Context, s *workers.Session) error {
			s.Ready()
			s.Report(err)
			<-s.Stopping()
			return nil
		})
	}
	for name, c := range map[string]struct {
		register func(*runtime.Registry)
		state    health.State
		reason   string
	}{
		"nothing at all":    {func(r *runtime.Registry) {}, health.StateOK, ""},
		"all well":          {func(r *runtime.Registry) { r.Worker(idle("w")); r.Health("c", nothing) }, health.StateOK, ""},
		"check fails":       {func(r *runtime.Registry) { r.Health("c", fails(errBoom)) }, health.StateDegraded, "c is unhealthy: boom"},
		"check degraded":    {func(r *runtime.Registry) { r.Health("c", fails(health.Degraded(errBoom))) }, health.StateDegraded, "c is degraded: boom"},
		"critical check":    {func(r *runtime.Registry) { r.Health("c", fails(errBoom), runtime.Critical()) }, health.StateUnhealthy, "c is unhealthy: boom"},
		"critical degraded": {func(r *runtime.Registry) { r.Health("c", fails(health.Degraded(errBoom)), runtime.Critical()) }, health.StateDegraded, "c is degraded: boom"},
		"check panics":      {func(r *runtime.Registry) { r.Health("c", explode, runtime.Critical()) }, health.StateUnhealthy, "c is unhealthy: panic: exploded"},
		"worker reports":    {func(r *runtime.Registry) { r.Worker(says("w", errBoom)) }, health.StateDegraded, "w is unhealthy: boom"},
		"critical worker":   {func(r *runtime.Registry) { r.Worker(says("w", health.Degraded(errBoom)), runtime.Critical()) }, health.StateDegraded, "w is degraded: boom"},
		"worker crashed":    {func(r *runtime.Registry) { r.Worker(crashes("w"), runtime.Critical()) }, health.StateDegraded, "w is degraded: waits for its restart: boom"},
		"worker gave up": {func(r *runtime.Registry) {
			r.Worker(crashes("w"), runtime.Critical(), runtime.Restart(runtime.Never))
		}, health.StateUnhealthy, "w is unhealthy: stopped for good: boom"},
		"hung check": {func(r *runtime.Registry) {
			r.Health("c", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, runtime.Critical())
		}, health.StateUnhealthy, "c is unhealthy: no answer in 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := assemble(t, c.register)
				if err := a.Start(t.Context()); err != nil && name != "worker crashed" {
					t.Fatal(err)
				}
				time.Sleep(5*time.Second + 100*time.Millisecond)
				if name == "worker crashed" { // between two restarts
					for a.Health().State == health.StateOK {
						time.Sleep(10 * time.Millisecond)
					}
				}
				synctest.Wait()
				h := a.Health()
				if h.State != c.state || h.Reason != c.reason {
					t.Errorf("%s: %q, want %s: %q", h.State, h.Reason, c.state, c.reason)
				}
				_, _ = a.Stop(t.Context())
			})
		})
	}
}

// Components come in the order of health checks, resources, workers; a check has the interval that was asked for.
func TestHealthComponents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		a := run(t, func(r *runtime.Registry) {
			r.Worker(idle("w"), runtime.Critical())
			r.Resource("r", nothing, nothing, runtime.Critical())
			r.Health("c", func(context.Context) error { checks.Add(1); return nil }, runtime.Every(time.Second), runtime.Critical())
		})
		pass(10*time.Second + time.Millisecond)
		var got []string
		for _, c := range a.Health().Components {
			got = append(got, fmt.Sprint(c.Name, " ", c.State, " ", c.Critical))
		}
		if text := strings.Join(got, ", "); text != "c ok true, r ok true, w ok true" {
			t.Error(text)
		}
		if n := checks.Load(); n != 11 {
			t.Errorf("%d checks in 10 s, want 11", n)
		}
		stop(t, a)
		pass(time.Minute)
		if n := checks.Load(); n != 11 {
			t.Errorf("%d checks after the stop", n-11)
		}
	})
}

// A resource that did not open or close shows in health until the next time.
func TestResourceHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail atomic.Bool
		fail.Store(true)
		a := assemble(t, func(r *runtime.Registry) {
			r.Resource("store", func(context.Context) error {
				if fail.Load() {
					return errBoom
				}
				return nil
			}, nil, runtime.Critical())
		})
		_ = a.Start(t.Context())
		if h := a.Health(); h.State != health.StateUnhealthy || h.Reason != "store is unhealthy: boom" {
			t.Errorf("health %+v", h)
		}
		fail.Store(false)
		start(t, a)
		if h := a.Health(); h.State != health.StateOK {
			t.Errorf("health %+v", h)
		}
		stop(t, a)
	})
}

// Changes of health are in the log, with their reason.
func TestHealthChangesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		a := run(t, func(r *runtime.Registry) { r.Health("bank", func(context.Context) error { return errBoom }) }, runtime.WithLogger(log.logger()))
		pass(time.Second)
		stop(t, a)
		if n := strings.Count(log.String(), `msg="health changed" component=bank`); n != 1 || !strings.Contains(log.String(), "reason=boom") {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}

// The application's own log handler may look at the application, at any time.
type looking struct {
	slog.Handler
	look func()
}

func (l *looking) Enabled(context.Context, slog.Level) bool { return true }
func (l *looking) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *looking) WithGroup(string) slog.Handler            { return l }

func (l *looking) Handle(context.Context, slog.Record) error {
	l.look()
	return nil
}

// Status and health answer at any time: also from inside of what they are told by, while the locks of a start or stop are held.
func TestStatusNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *runtime.App
		var looks, states atomic.Int64
		look := func() {
			if a == nil {
				return
			}
			looks.Add(1)
			if a.Status().State != workers.Stopped {
				states.Add(1)
			}
			a.Health()
			a.Worker("c")
			a.Worker("l")
		}
		release := make(chan struct{})
		var q *queue.Queue[int]
		a = assemble(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Resource("store", func(context.Context) error { look(); return nil }, func(context.Context) error { look(); return nil })
			r.Health("c0", func(context.Context) error { look(); return nil })
			r.Worker(workers.Consume("c", q, handle(func(_ context.Context, n int) error {
				look()
				if n == 2 {
					<-release
				}
				return errBoom
			})))
			r.Worker(busy("l", func(context.Context) { look() }))
			r.Worker(broken("broken"))
		}, runtime.WithLogger(slog.New(&looking{look: look})), runtime.WithObserver(func(string, workers.Transition) { look() }))
		start(t, a)
		publish(t, q, 1, 2)
		pass(time.Minute)
		rec, _ := a.Stop(within(t, 5*time.Second))
		if rec.Workers[0].Outcome != runtime.Abandoned {
			t.Errorf("receipt %+v", rec)
		}
		close(release)
		if looks.Load() < 30 || states.Load() < 20 {
			t.Errorf("only %d looks, %d at a live application", looks.Load(), states.Load())
		}
	})
}

// An observer, or a log handler, that panics breaks nothing.
func TestObserverPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		var armed atomic.Bool
		var handled, panics atomic.Int64
		scream := func() {
			if armed.Load() {
				panics.Add(1)
				panic("no more")
			}
		}
		a := assemble(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, handle(func(context.Context, int) error { handled.Add(1); return nil })))
			r.Worker(idle("l"))
		}, runtime.WithObserver(func(string, workers.Transition) { scream() }))
		armed.Store(true)
		for range 3 {
			start(t, a)
			publish(t, q, 1)
			pass(time.Second)
			stop(t, a)
		}
		if s := a.Status(); s.State != workers.Stopped || s.Workers[0].State != workers.Stopped || handled.Load() != 3 || panics.Load() < 20 {
			t.Errorf("handled %d, %d panics, status %+v", handled.Load(), panics.Load(), s)
		}
	})
}

func TestNames(t *testing.T) {
	a := assemble(t, func(r *runtime.Registry) {
		r.Extend(runtime.PipelineKey, "p1")
		r.Extend(runtime.PipelineKey, "p2")
		runtime.QueueOf[int](r, "q2")
		runtime.QueueOf[string](r, "q1")
		r.Worker(idle("w2"))
		r.Worker(idle("w1"))
		if got := r.Extensions(runtime.PipelineKey); len(got) != 2 || r.Logger() == nil || r.Tracer() == nil || r.Meter() == nil {
			t.Errorf("extensions %v", got)
		}
	})
	if got := fmt.Sprint(a.QueueNames(), a.WorkerNames(), a.Extensions(runtime.PipelineKey), a.Extensions("other")); got != "[q2 q1] [w2 w1] [p1 p2] []" {
		t.Error(got)
	}
	if _, ok := a.Queue("q3"); ok {
		t.Error("there is a queue q3")
	}
	if h, ok := a.QueueHandle("q1"); !ok || h.Type().String() != "string" {
		t.Errorf("handle %v", h)
	}
	if _, ok := a.QueueHandle("q3"); ok {
		t.Error("there is a queue q3")
	}
	if _, err := a.QueueStats(t.Context(), "q3"); err == nil || err.Error() != `no queue "q3"` {
		t.Error(err)
	}
}

package runtime_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// crasher is a worker whose lives last as long as life says and then end with end's answer; it notes when each began.
type crasher struct {
	mu    sync.Mutex
	began []time.Time
	life  func(n int) time.Duration // n counts lives from 1; nil: no time
	end   func(n int) error         // nil: errBoom
}

func (c *crasher) worker(name string) workers.Worker {
	return workers.Loop(name, func(_ context.Context, s *workers.Session) error {
		c.mu.Lock()
		c.began = append(c.began, time.Now())
		n := len(c.began)
		c.mu.Unlock()
		s.Ready()
		if c.life != nil {
			select {
			case <-time.After(c.life(n)):
			case <-s.Stopping():
				return nil
			}
		}
		if c.end != nil {
			return c.end(n)
		}
		return errBoom
	})
}

// lives is how many there were.
func (c *crasher) lives() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.began)
}

// pauses are the times between lives, without the lives themselves.
func (c *crasher) pauses() (out []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i < len(c.began); i++ {
		pause := c.began[i].Sub(c.began[i-1])
		if c.life != nil {
			pause -= c.life(i)
		}
		out = append(out, pause)
	}
	return out
}

// about says whether d is base ± 20 %.
func about(d, base time.Duration) bool {
	return d >= base*8/10 && d <= base*12/10
}

func expectPauses(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("pauses %v, want about %v", got, want)
	}
	for i := range want {
		if !about(got[i], want[i]) {
			t.Errorf("pause %d was %s, want %s ± 20 %%", i+1, got[i], want[i])
		}
	}
}

const second = time.Second

// A crash loop: backoff, five restarts within a minute, then the worker stays stopped.
func TestCrashLoopIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		options []runtime.WorkerOption
		end     func(int) error
		state   health.State
		reason  string
	}{
		"critical":     {[]runtime.WorkerOption{runtime.Critical()}, nil, health.StateUnhealthy, "stopped for good: boom"},
		"other":        {nil, nil, health.StateDegraded, "stopped for good: boom"},
		"panic":        {nil, func(int) error { panic("at the disco") }, health.StateDegraded, "stopped for good: panic: at the disco"},
		"ends cleanly": {[]runtime.WorkerOption{runtime.Restart(runtime.Always)}, func(int) error { return nil }, health.StateDegraded, "stopped for good: it ended, too often"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cr := &crasher{end: c.end, life: func(int) time.Duration { return 100 * time.Millisecond }}
				a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), c.options...); r.Worker(idle("other")) })
				pass(time.Hour)
				expectPauses(t, cr.pauses(), 1*second, 2*second, 4*second, 8*second, 16*second)
				h := a.Health()
				if h.State != c.state || !strings.Contains(h.Reason, c.reason) {
					t.Errorf("health %s: %s", h.State, h.Reason)
				}
				w, _ := a.Worker("w")
				if w.State != workers.Stopped || w.Restarts != 5 || !w.NextRestart.IsZero() || w.Health.State != health.StateUnhealthy {
					t.Errorf("worker %+v", w)
				}
				if s := a.Status(); s.State != workers.Idle || s.Ready != (c.state == health.StateDegraded) {
					t.Errorf("the application is %s, ready %t (%s): a worker's end is a matter of health", s.State, s.Ready, s.NotReady)
				}
				rec := stop(t, a)
				if rec.Workers[0].Outcome != runtime.Drained {
					t.Errorf("receipt %+v", rec)
				}
				start(t, a) // an operator's start gives it another chance
				if w, _ := a.Worker("w"); w.State == workers.Stopped || a.Health().State != health.StateOK {
					t.Errorf("after stop and start: %+v, health %+v", w, a.Health())
				}
				stop(t, a)
			})
		})
	}
}

// A life of a quiet minute starts the backoff anew.
func TestBackoffStartsAnewAfterAQuietMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(n int) time.Duration {
			if n == 4 {
				return time.Minute
			}
			return second
		}}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) })
		for cr.lives() < 6 {
			pass(second)
		}
		expectPauses(t, cr.pauses(), 1*second, 2*second, 4*second, 1*second, 2*second)
		stop(t, a)
	})
}

// Restarts that are not too many in any minute go on for ever, at most a minute apart.
func TestBackoffIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(int) time.Duration { return 20 * second }}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) })
		pass(time.Hour)
		ps := cr.pauses()
		if len(ps) < 40 {
			t.Fatalf("%d restarts in an hour", len(ps))
		}
		expectPauses(t, ps[:8], 1*second, 2*second, 4*second, 8*second, 16*second, 32*second, 60*second, 60*second)
		spread := map[time.Duration]bool{}
		for _, p := range ps[7:] {
			if !about(p, time.Minute) {
				t.Errorf("a pause of %s", p)
			}
			spread[p] = true
		}
		if len(spread) < 10 {
			t.Errorf("only %d different pauses: where is the jitter?", len(spread))
		}
		stop(t, a)
	})
}

func TestRestartPolicies(t *testing.T) {
	clean := func(int) error { return nil }
	for name, c := range map[string]struct {
		policy runtime.RestartPolicy
		end    func(int) error
		lives  int
		state  health.State
	}{
		"on failure, fails":  {runtime.OnFailure, nil, 6, health.StateUnhealthy},
		"on failure, ends":   {runtime.OnFailure, clean, 1, health.StateOK},
		"always, fails":      {runtime.Always, nil, 6, health.StateUnhealthy},
		"always, ends":       {runtime.Always, clean, 6, health.StateUnhealthy},
		"never, fails":       {runtime.Never, nil, 1, health.StateUnhealthy},
		"never, ends":        {runtime.Never, clean, 1, health.StateOK},
		"on failure, Goexit": {runtime.OnFailure, func(int) error { goexit(); return nil }, 6, health.StateUnhealthy},
		"on failure, then steady": {runtime.OnFailure, func(n int) error {
			if n < 3 {
				return errBoom
			}
			return nil
		}, 3, health.StateOK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cr := &crasher{end: c.end, life: func(int) time.Duration { return time.Millisecond }}
				a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), runtime.Critical(), runtime.Restart(c.policy)) })
				pass(time.Hour)
				if cr.lives() != c.lives {
					t.Errorf("%d lives, want %d", cr.lives(), c.lives)
				}
				if h := a.Health(); h.State != c.state {
					t.Errorf("health %+v", h)
				}
				stop(t, a)
			})
		})
	}
}

// Never also means that a start that fails is not tried again.
func TestNeverDoesNotRetryAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &custom{name: "w", start: func(context.Context) error { return errBoom }}
		a := run(t, func(r *runtime.Registry) { r.Worker(w, runtime.Restart(runtime.Never)) })
		pass(time.Hour)
		if h := a.Health(); h.State != health.StateDegraded || !strings.Contains(h.Reason, "stopped for good: boom") {
			t.Errorf("health %+v", h)
		}
		if s := a.Status(); s.Workers[0].Restarts != 0 {
			t.Errorf("status %+v", s)
		}
		stop(t, a)
	})
}

// While a restart is waited for, status and health say so; the application stays as it is.
func TestStatusWhileWaitingForARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(n int) time.Duration { return time.Duration(n) * 10 * second }}
		log := &logged{}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), runtime.Critical()) }, runtime.WithLogger(log.logger()))
		if w, _ := a.Worker("w"); w.State != workers.Idle || !w.NextRestart.IsZero() || w.Restarts != 0 || !w.Critical {
			t.Errorf("before: %+v", w)
		}
		pass(10*second + time.Millisecond)
		w, _ := a.Worker("w")
		if w.State != workers.Stopped || !about(time.Until(w.NextRestart), second) || w.Restarts != 0 || w.LastError != "boom" {
			t.Errorf("waiting: %+v", w)
		}
		if h := a.Health(); h.State != health.StateDegraded || !strings.Contains(h.Reason, "waits for its restart: boom") {
			t.Errorf("waiting: health %+v", h)
		}
		if s := a.Status(); s.State != workers.Idle || !s.Ready || s.Workers[0].NextRestart.IsZero() {
			t.Errorf("waiting: status %+v", s)
		}
		pass(2 * second)
		if w, _ := a.Worker("w"); w.State != workers.Idle || !w.NextRestart.IsZero() || w.Restarts != 1 {
			t.Errorf("after: %+v", w)
		}
		if h := a.Health(); h.State != health.StateOK {
			t.Errorf("after: health %+v", h)
		}
		if text := log.String(); !strings.Contains(text, "worker will be restarted") || !strings.Contains(text, "level=ERROR msg=\"worker failed\" worker=w") {
			t.Errorf("the log does not tell:\n%s", text)
		}
		stop(t, a)
	})
}

// A failure that a restart follows does not make the application unhealthy, not even for a moment.
func TestHealthAtTheMomentOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *runtime.App
		var mu sync.Mutex
		var seen []health.State
		cr := &crasher{life: func(int) time.Duration { return second }}
		a = assemble(t, func(r *runtime.Registry) { r.Worker(cr.worker("w"), runtime.Critical()) },
			runtime.WithObserver(func(_ string, tr workers.Transition) {
				if tr.Event == workers.EventFail {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, a.Health().State)
				}
			}))
		start(t, a)
		pass(5 * second)
		stop(t, a)
		mu.Lock()
		defer mu.Unlock()
		if len(seen) < 2 || slices.Contains(seen, health.StateUnhealthy) {
			t.Errorf("health at the failures: %v", seen)
		}
	})
}

// An operator's stop ends restarts, at once.
func TestStopEndsRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(int) time.Duration { return second }}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) })
		pass(second + 10*time.Millisecond) // it has failed and waits
		began := time.Now()
		rec := stop(t, a)
		if time.Since(began) > 50*time.Millisecond || rec.Workers[0].Outcome != runtime.Drained {
			t.Errorf("the stop took %s: %+v", time.Since(began), rec)
		}
		lives := cr.lives()
		pass(time.Hour)
		if cr.lives() != lives {
			t.Errorf("%d lives after the stop", cr.lives()-lives)
		}
		if w, _ := a.Worker("w"); !w.NextRestart.IsZero() || w.Health.Reason == "" {
			t.Errorf("worker %+v", w)
		}
	})
}

// A restart that hangs ends with the stop too.
func TestStopDuringARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		release := make(chan struct{})
		w := &custom{name: "w"}
		w.start = func(ctx context.Context) error {
			if starts++; starts == 1 {
				return errBoom
			}
			<-release
			return nil
		}
		a := run(t, func(r *runtime.Registry) { r.Worker(w) })
		pass(5 * second) // the second start hangs
		if w := a.Status().Workers[0]; w.Restarts != 1 || !w.NextRestart.IsZero() {
			t.Errorf("during the restart: %+v", w)
		}
		began := time.Now()
		stop(t, a)
		if took := time.Since(began); took != second {
			t.Errorf("the stop took %s", took)
		}
		close(release)
	})
}

// A worker that ends with an error because it is stopped is not restarted, and the receipt names the error.
func TestErrorWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := 0
		a := run(t, func(r *runtime.Registry) {
			r.Worker(workers.Loop("w", func(_ context.Context, s *workers.Session) error {
				lives++
				s.Ready()
				<-s.Stopping()
				return errBoom
			}))
		})
		rec, err := a.Stop(t.Context())
		if !errors.Is(err, runtime.ErrNotClean) || rec.Workers[0].Error != "boom" || rec.Workers[0].Outcome != runtime.Drained {
			t.Errorf("%+v, %v", rec, err)
		}
		pass(time.Hour)
		if lives != 1 {
			t.Errorf("%d lives", lives)
		}
	})
}

package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// verdict is what a check says, to be changed while it runs.
type verdict struct{ err atomic.Pointer[error] }

func (v *verdict) set(err error) { v.err.Store(&err) }

func (v *verdict) check(context.Context) error {
	if err := v.err.Load(); err != nil {
		return *err
	}
	return nil
}

func expectReady(t *testing.T, a *runtime.App, why string) {
	t.Helper()
	if s := a.Status(); a.NotReady() != why || a.Ready() != (why == "") || s.NotReady != why || s.Ready != a.Ready() {
		t.Errorf("ready %t: %q (status: %t: %q), want %q", a.Ready(), a.NotReady(), s.Ready, s.NotReady, why)
	}
}

// What is critical or belongs to readiness decides, and gives the word back when it is well again; nothing else does.
func TestReadinessFollowsItsGroup(t *testing.T) {
	for name, c := range map[string]struct {
		options []runtime.HealthOption
		state   health.State
		why     string
	}{
		"critical":  {[]runtime.HealthOption{runtime.Critical()}, health.StateUnhealthy, "c is unhealthy"},
		"readiness": {[]runtime.HealthOption{runtime.Readiness()}, health.StateDegraded, "c is unhealthy"},
		"both":      {[]runtime.HealthOption{runtime.Readiness(), runtime.Critical()}, health.StateUnhealthy, "c is unhealthy"},
		"neither":   {nil, health.StateDegraded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var says verdict
				a := run(t, func(r *runtime.Registry) {
					r.Health("c", says.check, append(c.options, runtime.Every(time.Second))...)
				})
				for range 3 {
					says.set(nil)
					pass(time.Second)
					expectReady(t, a, "")
					says.set(health.Degraded(errors.New("password is swordfish")))
					pass(time.Second)
					expectReady(t, a, "")
					says.set(errors.New("password is swordfish"))
					pass(time.Second)
					expectReady(t, a, c.why)
					if h := a.Health(); h.State != c.state {
						t.Errorf("health %+v", h)
					}
				}
				stop(t, a)
				expectReady(t, a, "the runtime is stopped")
			})
		})
	}
}

// A critical worker that waits for its restart is degraded and the application ready; one that is given up takes readiness away until it is started anew.
func TestReadinessFollowsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(int) time.Duration { return second }}
		a := run(t, func(r *runtime.Registry) {
			r.Worker(cr.worker("vital"), runtime.Critical())
			r.Worker(cr.worker("front"), runtime.Readiness())
			r.Worker(cr.worker("other"))
			r.Worker(idle("steady"), runtime.Readiness())
		})
		expectReady(t, a, "")
		pass(1500 * time.Millisecond)
		if w, _ := a.Worker("vital"); w.State != workers.Stopped || w.NextRestart.IsZero() {
			t.Fatalf("worker %+v", w)
		}
		expectReady(t, a, "")
		pass(time.Hour)
		expectReady(t, a, "vital is unhealthy; front is unhealthy")
		stop(t, a)
		start(t, a)
		expectReady(t, a, "")
		stop(t, a)
	})
}

// A resource that did not close well is unhealthy; it decides when it belongs to readiness, and is well again when it has been opened.
func TestReadinessOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Resource("cache", nil, func(context.Context) error { return errBoom }, runtime.Readiness())
		})
		if c := a.Health().Components[0]; len(c.Groups) != 1 || c.Groups[0] != health.Readiness || c.Critical {
			t.Errorf("%+v", c)
		}
		_, _ = a.Stop(t.Context())
		if h := a.Health().Holding(health.Readiness); len(h) != 1 || h[0].Name != "cache" {
			t.Errorf("held by %+v", h)
		}
		start(t, a)
		expectReady(t, a, "")
		_, _ = a.Stop(t.Context())
	})
}

// A startup check holds the start's probe and readiness until it has been ok once. It does not hold Start, and what it says later does not matter.
func TestStartupChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cold := errors.New("40 % of the index is loaded")
		var says verdict
		says.set(cold)
		began := time.Now()
		a := assemble(t, func(r *runtime.Registry) {
			r.Health("warm-up", says.check, runtime.Startup(), runtime.Every(time.Second))
			r.Worker(idle("w"))
		})
		expectStarted := func(why string) {
			t.Helper()
			if a.NotStarted() != why || a.Started() != (why == "") {
				t.Errorf("started %t: %q, want %q", a.Started(), a.NotStarted(), why)
			}
		}
		expectStarted("the runtime has not come up yet; it is stopped")
		start(t, a)
		if took := time.Since(began); took != 0 {
			t.Errorf("Start took %s", took)
		}
		for range 3 {
			expectStarted("warm-up has not been ok yet")
			expectReady(t, a, "warm-up has not been ok yet")
			pass(time.Minute)
		}
		if h := a.Health(); h.State != health.StateDegraded {
			t.Errorf("health %+v", h)
		}
		for _, answer := range []error{nil, cold} {
			says.set(answer)
			pass(2 * time.Second)
			expectStarted("")
			expectReady(t, a, "")
		}
		stop(t, a)
		expectStarted("")
	})
}

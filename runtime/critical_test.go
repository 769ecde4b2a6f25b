package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var exitOnFailure = yaml("platform: {exit_on_critical_failure: true}")

func TestExitOnCriticalFailure(t *testing.T) {
	for name, c := range map[string]struct {
		options []runtime.WorkerOption
		end     func(int) error
		text    string
	}{
		"crash loop": {nil, nil, `critical worker "w" was given up after 5 restarts within 1m0s: boom`},
		"never":      {[]runtime.WorkerOption{runtime.Restart(runtime.Never)}, nil, `critical worker "w" was given up since it is never restarted: boom`},
		"always":     {[]runtime.WorkerOption{runtime.Restart(runtime.Always)}, func(int) error { return nil }, `critical worker "w" was given up after 5 restarts within 1m0s: it ended, too often`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cr := &crasher{end: c.end}
				a := assemble(t, func(r *runtime.Registry) {
					r.Worker(cr.worker("w"), append(c.options, runtime.Critical())...)
					r.Worker(busy("other", takes(3*time.Minute)))
				}, exitOnFailure, yaml("platform: {shutdown: {timeout: 5m}}"))
				o := runInBackground(t.Context(), a)
				<-o.done
				var ce *runtime.CriticalError
				if !errors.As(o.err, &ce) || ce.Worker != "w" || o.err.Error() != c.text || errors.Is(o.err, errBoom) != (c.end == nil) {
					t.Errorf("Run: %v", o.err)
				}
				if !o.receipt.Clean || o.receipt.Reason != c.text || o.receipt.Workers[1].Finished != 1 {
					t.Errorf("not a graceful stop: %+v", o.receipt)
				}
			})
		})
	}
}

// Both are told: the failure, and that the stop was not clean either.
func TestExitOnCriticalFailureNotClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker((&crasher{}).worker("w"), runtime.Critical())
			r.Worker(busy("slow", heeds))
		}, exitOnFailure)
		o := runInBackground(t.Context(), a)
		<-o.done
		var ce *runtime.CriticalError
		if !errors.As(o.err, &ce) || !errors.Is(o.err, runtime.ErrNotClean) {
			t.Errorf("Run: %v", o.err)
		}
	})
}

// What is not critical, or without the setting, is a matter of health only.
func TestNoExitUnlessAsked(t *testing.T) {
	for name, c := range map[string]struct {
		workerOptions []runtime.WorkerOption
		options       []runtime.Option
		state         health.State
	}{
		"not critical": {nil, []runtime.Option{exitOnFailure}, health.StateDegraded},
		"not set":      {[]runtime.WorkerOption{runtime.Critical()}, nil, health.StateUnhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := assemble(t, func(r *runtime.Registry) { r.Worker((&crasher{}).worker("w"), c.workerOptions...) }, c.options...)
				ctx, cancel := context.WithCancel(t.Context())
				o := runInBackground(ctx, a)
				pass(time.Hour)
				if h := a.Health(); h.State != c.state || a.Ready() != (c.state == health.StateDegraded) {
					t.Errorf("health %+v, ready %t", h, a.Ready())
				}
				cancel()
				if <-o.done; o.err != nil {
					t.Errorf("Run: %v", o.err)
				}
			})
		})
	}
}

// Who starts and stops by himself hears of it, and a later life begins without it.
func TestCriticalFailureWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		a := run(t, func(r *runtime.Registry) {
			r.Worker(workers.Loop("w", func(_ context.Context, s *workers.Session) error {
				s.Ready()
				if fail {
					return errBoom
				}
				<-s.Stopping()
				return nil
			}), runtime.Critical(), runtime.Restart(runtime.Never))
		}, exitOnFailure)
		if reason := <-a.StopRequested(); reason != `critical worker "w" was given up since it is never restarted: boom` {
			t.Error(reason)
		}
		stop(t, a)
		fail = false
		ctx, cancel := context.WithCancel(t.Context())
		o := runInBackground(ctx, a)
		pass(time.Hour)
		cancel()
		if <-o.done; o.err != nil {
			t.Errorf("Run: %v", o.err)
		}
	})
}

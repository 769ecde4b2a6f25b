package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var delayed = yaml("platform: {shutdown: {timeout: 30s, delay: 10s}}")

// Readiness ends at once; all else goes on until the delay is over.
func TestShutdownDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		a := run(t, func(r *runtime.Registry) { r.Worker(j.loop("w")) }, delayed)
		j.expect(t, "start w")
		receipt := make(chan runtime.Receipt)
		go func() { receipt <- stop(t, a) }()
		pass(9999 * time.Millisecond)
		j.expect(t)
		if w, _ := a.Worker("w"); a.Ready() || a.Status().State != workers.Stopping || w.State != workers.Idle {
			t.Errorf("ready %t, %s, its worker is %s", a.Ready(), a.Status().State, w.State)
		}
		if rec := <-receipt; rec.TookSeconds != 10 {
			t.Errorf("the stop took %.1fs", rec.TookSeconds)
		}
		j.expect(t, "stop w")
	})
}

// The delay is part of the budget.
func TestShutdownDelayIsPartOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) { r.Worker(busy("w", heeds)) }, delayed)
		if rec, err := a.Stop(t.Context()); !errors.Is(err, runtime.ErrNotClean) || rec.TookSeconds != 25 {
			t.Errorf("%v after %.1fs, want the contexts cancelled after 25 s", err, rec.TookSeconds)
		}
		start(t, a)
		if rec, err := a.Stop(within(t, 5*time.Second)); !errors.Is(err, runtime.ErrNotClean) || rec.TookSeconds != 4 {
			t.Errorf("%v after %.1fs, want the contexts cancelled after 4 s", err, rec.TookSeconds)
		}
	})
}

func TestForceEndsTheShutdownDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) { r.Worker(idle("w")) }, delayed)
		first := make(chan runtime.Receipt)
		go func() { rec, _ := a.Stop(context.Background()); first <- rec }()
		pass(3 * time.Second)
		_, _ = a.Stop(t.Context(), runtime.Force())
		if rec := <-first; rec.TookSeconds != 3 || rec.Workers[0].Outcome != runtime.Forced {
			t.Errorf("receipt %+v", rec)
		}
	})
}

// What was never ready has nobody to tell.
func TestNoShutdownDelayAfterAFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(idle("first"))
			r.Worker(workers.Loop("w", func(context.Context, *workers.Session) error { return errBoom }), runtime.Critical())
		}, delayed)
		began := time.Now()
		if err := a.Start(t.Context()); !errors.Is(err, errBoom) || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestShutdownDelayFaults(t *testing.T) {
	m := module{"app", func(*runtime.Registry) error { return nil }}
	for text, want := range map[string]string{
		"{delay: -1s}":               "cfg.yaml:1: platform: shutdown.delay must not be negative, not -1s\n",
		"{delay: 25s}":               "cfg.yaml:1: platform: shutdown.delay of 25s leaves nothing of shutdown.timeout 30s for the stop: what runs is cancelled after 25s\n",
		"{delay: 10s, timeout: 10s}": "cfg.yaml:1: platform: shutdown.delay of 10s leaves nothing of shutdown.timeout 10s for the stop: what runs is cancelled after 8s\n",
	} {
		if got := newFaults(t, m, yaml("platform: {shutdown: "+text+"}")); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	assemble(t, func(*runtime.Registry) {}, yaml("platform: {shutdown: {delay: 1h, timeout: 0s}}")) // without a limit any delay has room
}

package runtime_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// The history tells each life from stopped to stopped, and why it ended.
func TestWorkerHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(int) time.Duration { return 2 * second }, end: func(n int) error {
			if n == 1 {
				return errBoom
			}
			return nil
		}}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) })
		pass(time.Minute)
		w, ok := a.Worker("w")
		var events []string
		for _, tr := range w.History {
			events = append(events, strings.TrimSuffix(string(tr.Event)+":"+tr.Reason, ":"))
		}
		if got, want := strings.Join(events, " "), "start ready fail:boom start ready stop:the function returned halt"; !ok || got != want {
			t.Errorf("history %q, want %q", got, want)
		}
		if h := w.History[2]; h.HeldSeconds != 2 || h.From != workers.Idle || h.To != workers.Stopped {
			t.Errorf("the failure: %+v", h)
		}
		if _, ok := a.Worker("nobody"); ok {
			t.Error("there is a worker nobody")
		}
		stop(t, a)
	})
}

// Restarts leave nothing behind.
func TestManyRestartsLeaveNothingBehind(t *testing.T) {
	n := volume(100, 1000)
	synctest.Test(t, func(t *testing.T) {
		cr := &crasher{life: func(int) time.Duration { return time.Minute }}
		a := run(t, func(r *runtime.Registry) { r.Worker(cr.worker("w")) })
		pass(10 * second)
		before := goroutines()
		for cr.lives() <= n {
			pass(time.Minute)
		}
		pass(10 * second)
		w, _ := a.Worker("w")
		if after := goroutines(); after > before+3 || w.Restarts < uint64(n) {
			t.Errorf("%d goroutines after %d restarts, %d before", after, w.Restarts, before)
		}
		stop(t, a)
	})
}

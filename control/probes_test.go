package control_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
)

// The probes name what holds them, without its reasons, and say yes again when it is well.
func TestProbesNameWhatHoldsThem(t *testing.T) {
	var cold, broken atomic.Bool
	answer := func(bad *atomic.Bool) func(context.Context) error {
		return func(context.Context) error {
			if bad.Load() {
				return errors.New("dial swordfish@db-7: refused")
			}
			return nil
		}
	}
	cold.Store(true)
	b := newBot()
	b.more = func(r *runtime.Registry) {
		r.Health("warm-up", answer(&cold), runtime.Startup(), runtime.Every(time.Millisecond))
		r.Health("database", answer(&broken), runtime.Readiness(), runtime.Every(time.Millisecond))
	}
	p := planeOf(t, b, nil)
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect := func(path, why string) {
		t.Helper()
		if why != "" {
			eventually(t, path+": "+why, func() bool { return p.get(path).status == 503 && problem(t, p.get(path), 503).Detail == why })
			return
		}
		eventually(t, path+" says yes", func() bool { return p.get(path).status == 200 })
	}
	expect("/startupz", "warm-up has not been ok yet")
	expect("/readyz", "warm-up has not been ok yet")
	cold.Store(false)
	expect("/startupz", "")
	expect("/readyz", "")
	broken.Store(true)
	expect("/readyz", "database is unhealthy")
	cold.Store(true)
	expect("/startupz", "")
	report := read[health.Report](t, p.get("/health"), 200)
	if report.State != health.StateDegraded || !strings.Contains(report.Reason, "swordfish") {
		t.Errorf("health: %+v", report)
	}
	expect("/livez", "")
	broken.Store(false)
	expect("/readyz", "")
}

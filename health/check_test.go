package health_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
)

func TestCheckRunsAtOnceAndThenAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		count := func(context.Context) error { runs.Add(1); return nil }
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "default", Func: count})
		expect(t, component(t, r, "default").Report, health.StateOK, "not checked yet")
		start(t, r)
		defer stop(t, r)

		synctest.Wait()
		expect(t, component(t, r, "default").Report, health.StateOK, "")
		if runs.Load() != 1 {
			t.Errorf("%d runs at once, want 1", runs.Load())
		}
		time.Sleep(95 * time.Second) // at 0, 10, … 90
		if runs.Load() != 10 {
			t.Errorf("%d runs after 95 s, want 10", runs.Load())
		}

		add(t, r, health.Check{Name: "late and fast", Func: count, Every: time.Second})
		runs.Store(0)
		time.Sleep(4500 * time.Millisecond) // at 0, 1, 2, 3, 4
		if runs.Load() != 5 {
			t.Errorf("%d runs of the added check, want 5", runs.Load())
		}
	})
}

func TestNotCheckedYetCountsAsOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "slow", Critical: true, Func: func(ctx context.Context) error {
			select {
			case <-time.After(4 * time.Second):
				return errors.New("refused")
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		start(t, r)
		defer stop(t, r)
		time.Sleep(3 * time.Second)
		expect(t, r.Report(), health.StateOK, "")
		expect(t, component(t, r, "slow").Report, health.StateOK, "not checked yet")
		if !component(t, r, "slow").LastOK.IsZero() {
			t.Error("a check that was never ok tells when it was")
		}
		time.Sleep(2 * time.Second)
		expect(t, r.Report(), health.StateUnhealthy, "slow is unhealthy: refused")
	})
}

// A check that ignores its context hangs alone: the registry answers at once,
// other checks go on, and the check is not started a second time.
func TestHungCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var started, others atomic.Int64
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "hung", Critical: true, Func: func(context.Context) error {
			started.Add(1)
			<-release
			return nil
		}})
		add(t, r, health.Check{Name: "other", Func: func(context.Context) error { others.Add(1); return nil }})
		start(t, r)
		defer stop(t, r)

		time.Sleep(4999 * time.Millisecond)
		expect(t, component(t, r, "hung").Report, health.StateOK, "not checked yet")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		asked := time.Now()
		expect(t, r.Report(), health.StateUnhealthy, "hung is unhealthy: no answer in 5s")
		if took := time.Since(asked); took != 0 {
			t.Errorf("Report took %v of virtual time", took)
		}

		time.Sleep(time.Hour)
		expect(t, r.Report(), health.StateUnhealthy, "hung is unhealthy: no answer in 5s")
		if started.Load() != 1 || others.Load() != 361 {
			t.Errorf("the hung check was started %d times and the other %d times, want 1 and 361", started.Load(), others.Load())
		}

		// What it says now is too late to count; the next round counts.
		close(release)
		synctest.Wait()
		expect(t, component(t, r, "hung").Report, health.StateUnhealthy, "no answer in 5s")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		expect(t, component(t, r, "hung").Report, health.StateOK, "")
		if started.Load() != 2 {
			t.Errorf("started %d times, want 2", started.Load())
		}
	})
}

// A check that obeys its context is as late as one that does not.
func TestSlowCheckThatObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started atomic.Int64
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "slow", Timeout: 1500 * time.Millisecond, Func: func(ctx context.Context) error {
			started.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}})
		start(t, r)
		defer stop(t, r)
		time.Sleep(2 * time.Second)
		expect(t, component(t, r, "slow").Report, health.StateUnhealthy, "no answer in 1.5s")
		time.Sleep(10 * time.Second)
		if started.Load() != 2 {
			t.Errorf("started %d times, want 2", started.Load())
		}
	})
}

func TestPanicInCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		var broken atomic.Bool
		broken.Store(true)
		r := health.NewRegistry(slog.New(slog.NewJSONHandler(&text, nil)), nil)
		add(t, r, health.Check{Name: "index", Func: func(context.Context) error {
			if broken.Load() {
				explode()
			}
			return nil
		}})
		start(t, r)
		synctest.Wait()
		expect(t, component(t, r, "index").Report, health.StateUnhealthy, "panic: lost the index")
		broken.Store(false)
		time.Sleep(11 * time.Second)
		expect(t, component(t, r, "index").Report, health.StateOK, "")
		stop(t, r)
		for _, want := range []string{`"msg":"health check panicked"`, `"component":"index"`, "health_test.explode"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, text.String())
			}
		}
	})
}

func explode() { panic("lost the index") }

func TestGoexitInCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "odd", Func: func(context.Context) error {
			runs.Add(1)
			runtime.Goexit()
			return nil
		}})
		start(t, r)
		defer stop(t, r)
		time.Sleep(11 * time.Second)
		expect(t, component(t, r, "odd").Report, health.StateUnhealthy, "the check ended its goroutine without an answer")
		if runs.Load() != 2 {
			t.Errorf("%d runs, want 2", runs.Load())
		}
	})
}

func TestSinceAndLastOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var result atomic.Pointer[error]
		say := func(err error) { result.Store(&err) }
		say(nil)
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "bank", Critical: true, Func: func(context.Context) error { return *result.Load() }})
		began := time.Now()
		start(t, r)
		defer stop(t, r)
		check := func(state health.State, since, lastOK time.Duration) {
			t.Helper()
			whole, bank := r.Report(), component(t, r, "bank").Report
			if bank.State != state || bank.Since.Sub(began) != since || bank.LastOK.Sub(began) != lastOK {
				t.Errorf("%s since %v, last ok %v; want %s, %v, %v", bank.State, bank.Since.Sub(began), bank.LastOK.Sub(began), state, since, lastOK)
			}
			if whole.State != state || whole.Since.Sub(began) != since {
				t.Errorf("as a whole %s since %v; want %s, %v", whole.State, whole.Since.Sub(began), state, since)
			}
		}
		const s = time.Second
		time.Sleep(25 * s) // rounds at 0, 10, 20 were ok
		check(health.StateOK, 0, 20*s)
		say(errors.New("closed"))
		time.Sleep(20 * s) // 30, 40
		check(health.StateUnhealthy, 30*s, 20*s)
		say(health.Degraded(errors.New("slow")))
		time.Sleep(10 * s) // 50
		check(health.StateDegraded, 50*s, 20*s)
		say(errors.New("closed again"))
		time.Sleep(10 * s) // 60
		check(health.StateUnhealthy, 60*s, 20*s)
		say(nil)
		time.Sleep(20 * s) // 70, 80
		check(health.StateOK, 70*s, 80*s)
	})
}

package workers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

func goexit() { goruntime.Goexit() }

func TestPollAgainWhileItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		left := 3
		w := workers.Poll("p", time.Minute, func(context.Context) (int, error) {
			at = append(at, time.Since(began))
			if left > 0 {
				left--
				return 1, nil
			}
			return 0, nil
		})
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(70 * time.Second)
		w.Stop(forever(), forever())
		if len(at) != 5 || at[3] != 0 {
			t.Fatalf("called at %v; want four calls at once, then one a minute later", at)
		}
		if at[4] < 54*time.Second || at[4] > 66*time.Second {
			t.Errorf("the interval was %s, want a minute ± 10 %%", at[4])
		}
	})
}

func TestPollHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure atomic.Pointer[error]
		calls := 0
		w := workers.Poll("p", 10*time.Second, func(context.Context) (int, error) {
			calls++
			fail := failure.Load()
			switch {
			case fail == nil:
				return 0, nil
			case calls%2 == 0:
				panic(*fail)
			}
			return 0, *fail
		})
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.Stop(forever(), forever())
		pass(time.Second)
		if h := w.Health(); h.State != health.StateOK {
			t.Errorf("health %+v", h)
		}
		away := errors.New("IMAP is away")
		failure.Store(&away)
		pass(12 * time.Second)
		if h := w.Health(); h.State != health.StateDegraded || !strings.Contains(h.Reason, "IMAP is away") {
			t.Errorf("after one failure: %+v", h)
		}
		pass(30 * time.Second)
		if h := w.Health(); h.State != health.StateUnhealthy || !strings.Contains(h.Reason, "no successful poll") {
			t.Errorf("after three intervals: %+v", h)
		}
		if s := w.Status(); s.Failed < 3 || s.State == workers.Stopped {
			t.Errorf("status %+v: panics must fail the call alone", s)
		}
		failure.Store(nil)
		pass(12 * time.Second)
		if h := w.Health(); h.State != health.StateOK {
			t.Errorf("recovered: %+v", h)
		}
	})
}

func TestPollTimeoutAndHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		w := workers.Poll("p", time.Second, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return 0, cause
		}, workers.Timeout(30*time.Second))
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		if h := w.Health(); h.State != health.StateUnhealthy {
			t.Errorf("a call that hangs for twenty intervals: %+v", h)
		}
		pass(11 * time.Second)
		var te *workers.TimeoutError
		if !errors.As(cause, &te) || !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("cause %v", cause)
		}
		w.Stop(over(), forever())
	})
}

func TestPollGracefulStopLetsTheCallEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sawCancel bool
		w := workers.Poll("p", time.Second, func(ctx context.Context) (int, error) {
			time.Sleep(5 * time.Second)
			sawCancel = ctx.Err() != nil
			return 1, nil
		})
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		r := w.Stop(forever(), forever())
		if sawCancel || r.Finished != 1 {
			t.Errorf("cancelled %v, receipt %+v", sawCancel, r)
		}
	})
}

func TestDefinitionFaults(t *testing.T) {
	q := openQueue[int](t, "q", 1)
	for want, w := range map[string]workers.Worker{
		"the function is nil":                   workers.Loop("w", nil),
		"address \"9000\" is not host:port":     workers.Serve("w", "9000", http.NotFoundHandler()),
		"the interval must be more than 0":      workers.Poll("w", 0, func(context.Context) (int, error) { return 0, nil }),
		"the timeout must not be negative":      workers.Poll("w", 1, func(context.Context) (int, error) { return 0, nil }, workers.Timeout(-1)),
		"the queue is nil":                      workers.Consume("w", nil, workers.Func(func(context.Context, int) error { return nil })),
		"the handler is nil":                    workers.Consume("w", q, workers.Func[int](nil)),
		"concurrency must be at least 1, not 0": workers.Consume("w", q, workers.Func(func(context.Context, int) error { return nil }), workers.Concurrency(0)),
		"the lease must be at least 1s":         workers.Consume("w", q, workers.Func(func(context.Context, int) error { return nil }), workers.Lease(time.Millisecond)),
	} {
		err := w.(workers.Equipped).Equip(workers.Env{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `worker "w"`) {
			t.Errorf("%q: got %v", want, err)
		}
	}
	for _, w := range []workers.Worker{workers.Listen("w", nil), workers.Serve("w", ":0", nil)} {
		if err := w.(workers.Equipped).Equip(workers.Env{}); err == nil || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s: got %v", w.Status().Kind, err)
		}
	}
	if err := loop("w").(workers.Equipped).Equip(workers.Env{Settings: workers.Settings{Concurrency: new(3)}}); err == nil {
		t.Error("a loop took a concurrency")
	}
}

// Polls keep their interval, give or take 10 %, and are due together as often as that allows: each waking of an idle process has its price.
func TestPollsMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, every = 100, 15 * time.Second
		instants, calls := map[time.Duration]bool{}, 0
		var mu sync.Mutex
		began := time.Now()
		for i := range many {
			last := time.Duration(-1)
			w := workers.Poll(fmt.Sprint("p", i), every, func(context.Context) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				now := time.Since(began)
				if gap := now - last; last >= 0 && (gap < every*9/10 || gap > every*11/10) {
					t.Errorf("called after %s", gap)
				}
				last = now
				instants[now] = true
				calls++
				return 0, nil
			})
			start(t, w)
		}
		pass(time.Hour)
		if calls < 23000 || len(instants) > 7200 {
			t.Errorf("%d calls at %d instants", calls, len(instants))
		}
	})
}

// A poll is busy while it calls and no longer, unless the next call is near.
func TestPollIsIdleBetweenCalls(t *testing.T) {
	for every, want := range map[time.Duration]workers.State{time.Second: workers.Idle, 100 * time.Millisecond: workers.Busy} {
		synctest.Test(t, func(t *testing.T) {
			var during atomic.Value
			var w workers.Worker
			w = workers.Poll("p", every, func(context.Context) (int, error) { during.Store(w.Status().State); return 0, nil })
			start(t, w)
			for range 10 {
				pass(every)
				if s := w.Status(); during.Load() != workers.Busy || s.State != want {
					t.Errorf("every %s: %s during a call, %s between, want busy and %s", every, during.Load(), s.State, want)
				}
			}
		})
	}
}

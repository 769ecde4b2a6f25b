package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
)

func TestHealthHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		began := time.Now()
		a := run(t, func(r *runtime.Registry) {
			r.Health("shop", func(context.Context) error {
				if broken.Load() {
					return errors.New("no route")
				}
				return nil
			}, runtime.Critical())
			r.Worker((&crasher{life: func(n int) time.Duration { return time.Duration(n) * 15 * time.Second }}).worker("w"))
		})
		if h := a.HealthHistory(); len(h) != 0 {
			t.Errorf("at the start: %+v", h)
		}
		pass(5 * time.Second)
		broken.Store(true)
		pass(9 * time.Second)
		broken.Store(false)
		pass(5 * time.Second)
		stop(t, a)
		start(t, a) // what was before is not forgotten
		pass(2 * time.Second)
		want := []string{
			"shop: ok → unhealthy (no route)",
			": ok → unhealthy (shop is unhealthy: no route)",
			"w: ok → degraded (waits for its restart: boom)",
			"w: degraded → ok ()",
			"shop: unhealthy → ok ()",
			": unhealthy → ok ()",
		}
		var got []string
		for _, c := range a.HealthHistory() {
			got = append(got, fmt.Sprintf("%s: %s → %s (%s)", c.Name, c.From, c.To, c.Reason))
			if c.At.Before(began) || c.At.After(time.Now()) || c.Critical != (c.Name == "shop") {
				t.Errorf("%+v", c)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("history\n%q\nwant\n%q", got, want)
		}
		stop(t, a)
	})
}

// Only the last hundred are kept, and each caller has his own list.
func TestHealthHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		a := run(t, func(r *runtime.Registry) {
			r.Health("flapping", func(context.Context) error {
				if n++; n%2 == 0 {
					return fmt.Errorf("failure %d", n)
				}
				return nil
			}, runtime.Every(time.Second))
		})
		pass(200 * time.Second)
		h := a.HealthHistory()
		if len(h) != 100 {
			t.Fatalf("%d changes", len(h))
		}
		h[0].Name = "mine"
		if again := a.HealthHistory(); again[0].Name == "mine" || !again[0].At.Before(again[99].At) || time.Since(again[99].At) > time.Second {
			t.Errorf("from %+v to %+v", again[0], again[99])
		}
		stop(t, a)
	})
}

func TestHealthChangeAsJSON(t *testing.T) {
	text, err := json.Marshal(health.Change{Name: "shop", From: health.StateOK, To: health.StateDegraded, Reason: "slow", At: time.Unix(0, 0).UTC()})
	if err != nil || string(text) != `{"name":"shop","critical":false,"from":"ok","to":"degraded","reason":"slow","at":"1970-01-01T00:00:00Z"}` {
		t.Errorf("%s, %v", text, err)
	}
}

// What the supervisor knows of a worker began when it came to know it, not when the worker was last well or unwell.
func TestHealthOfAHeldWorkerBeginsAndEndsWithItsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker((&crasher{life: func(int) time.Duration { return time.Hour }}).worker("w"))
		})
		for range 2 {
			pass(10 * time.Second)
			stopped := time.Now()
			stopWorker(t, a, "w")
			pass(10 * time.Second)
			if c := a.Health().Components[0]; c.State != health.StateDegraded || c.Since.Before(stopped) || c.Since.Sub(stopped) > time.Second {
				t.Errorf("stopped %s, %+v", stopped, c)
			}
			if h := a.HealthHistory(); h[len(h)-1].At.Before(stopped) {
				t.Errorf("stopped %s, %+v", stopped, h)
			}
			startWorker(t, a, "w")
			started := time.Now()
			pass(10 * time.Second)
			if c := a.Health().Components[0]; c.State != health.StateOK || c.Since.Before(stopped.Add(10*time.Second)) || c.Since.Sub(started) > time.Second {
				t.Errorf("started %s, %+v", started, c)
			}
			if h := a.HealthHistory(); h[len(h)-1].At.Before(stopped.Add(10 * time.Second)) {
				t.Errorf("started %s, %+v", started, h)
			}
		}
		stop(t, a)
	})
}

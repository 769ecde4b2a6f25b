package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// runs notes the ticks that a schedule was given, each as "day hour:minute+missed".
type runs struct {
	mu   sync.Mutex
	list []string
}

func (r *runs) add(t workers.Tick) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := t.At.Format("02 15:04")
	if t.Missed > 0 {
		text += fmt.Sprintf("+%d", t.Missed)
	}
	r.list = append(r.list, text)
}

// take gives what was noted since the last time.
func (r *runs) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (r *runs) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("%s: runs %q, want %q", what, got, want)
	}
}

func start(t *testing.T, w workers.Worker) workers.Worker {
	t.Helper()
	equip(t, w)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop(over(), forever()) })
	return w
}

// In a bubble time begins at midnight of 1 January 2000, UTC.
func TestScheduleRunsWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		var late time.Duration
		w := start(t, workers.Schedule("s", "30 2,14 * * *", func(_ context.Context, tick workers.Tick) error {
			got.add(tick)
			late = time.Since(tick.At)
			return nil
		}))
		synctest.Wait()
		if s := w.Status(); s.Kind != "schedule" || s.NextRun.Format(time.RFC3339) != "2000-01-01T02:30:00Z" {
			t.Errorf("status %+v", s)
		}
		pass(26*time.Hour + 29*time.Minute + 59*time.Second)
		got.want(t, "until a second before", "01 02:30", "01 14:30")
		pass(time.Second)
		got.want(t, "then", "02 02:30")
		if s := w.Status(); late != 0 || s.Done != 3 || s.NextRun.Format(time.RFC3339) != "2000-01-02T14:30:00Z" {
			t.Errorf("late by %s, status %+v", late, s)
		}
		w.Stop(forever(), forever())
		if s := w.Status(); !s.NextRun.IsZero() {
			t.Errorf("stopped, and yet the next run is at %s", s.NextRun)
		}
		pass(24 * time.Hour)
		got.want(t, "while stopped")
	})
}

func TestScheduleZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		zone := time.FixedZone("there", 3*3600)
		start(t, workers.Schedule("s", "0 4 * * *", func(_ context.Context, tick workers.Tick) error { got.add(tick); return nil }, workers.Zone(zone)))
		pass(time.Hour)
		got.want(t, "at 04:00 there, 01:00 UTC", "01 04:00")
	})
}

// What passes while a run lasts, or while the worker is paused, is left out and told.
func TestScheduleDoesNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		lasts := 3*time.Hour + 30*time.Minute
		w := start(t, workers.Schedule("s", "@hourly", func(_ context.Context, tick workers.Tick) error {
			got.add(tick)
			time.Sleep(lasts)
			lasts = 0
			return nil
		}))
		pass(4 * time.Hour)
		if h := w.Health(); h.State != health.StateUnhealthy || !strings.Contains(h.Reason, "2000-01-01T01:00:00Z still goes on") {
			t.Errorf("health of a run that lasts over three others: %+v", h)
		}
		pass(90 * time.Minute)
		got.want(t, "a long run", "01 01:00", "01 05:00+3")
		if h := w.Health(); h.State != health.StateOK {
			t.Errorf("health afterwards: %+v", h)
		}
		w.(workers.Pauser).Pause()
		pass(2 * time.Hour)
		got.want(t, "paused")
		w.(workers.Pauser).Resume()
		pass(time.Hour)
		got.want(t, "resumed", "01 08:00+2")
	})
}

func TestScheduleHealthTimeoutAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var cause error
		w := start(t, workers.Schedule("s", "@hourly", func(ctx context.Context, _ workers.Tick) error {
			switch calls++; calls {
			case 1:
				panic("no")
			case 2:
				<-ctx.Done()
				cause = context.Cause(ctx)
				return cause
			case 3:
				return errors.New("away")
			}
			return nil
		}, workers.Timeout(time.Minute)))
		for hour, want := range []health.State{health.StateDegraded, health.StateDegraded, health.StateUnhealthy, health.StateOK} {
			pass(time.Hour + 2*time.Minute)
			if h := w.Health(); h.State != want {
				t.Errorf("after run %d: %+v, want %s", hour+1, h, want)
			}
		}
		var te *workers.TimeoutError
		if s := w.Status(); !errors.As(cause, &te) || s.Failed != 3 || s.Done != 1 || w.Err() != nil {
			t.Errorf("cause %v, status %+v", cause, s)
		}
	})
}

func TestScheduleStop(t *testing.T) {
	for name, c := range map[string]struct {
		soft  func() context.Context
		cause error
	}{"graceful": {forever, nil}, "forced": {over, task.ErrForced}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				w := start(t, workers.Schedule("s", "@hourly", func(ctx context.Context, _ workers.Tick) error {
					select {
					case <-ctx.Done():
						cause = context.Cause(ctx)
					case <-time.After(time.Minute):
					}
					return cause
				}))
				pass(time.Hour)
				if r := w.Stop(c.soft(), forever()); r != (workers.Receipt{Finished: 1}) || !errors.Is(cause, c.cause) {
					t.Errorf("receipt %+v, cause %v", r, cause)
				}
			})
		})
	}
}

func TestTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		boom := errors.New("boom")
		at := time.Date(2026, 7, 1, 2, 0, 0, 0, time.UTC)
		w := workers.Schedule("s", "@hourly", func(_ context.Context, tick workers.Tick) error {
			got.add(tick)
			if tick.At.Equal(at) {
				return boom
			}
			return nil
		})
		var se *workers.StateError
		if err := w.(workers.Ticker).Tick(t.Context(), at); !errors.As(err, &se) {
			t.Errorf("before the start: %v", err)
		}
		start(t, w)
		if err := w.(workers.Ticker).Tick(t.Context(), at); !errors.Is(err, boom) {
			t.Errorf("Tick: %v", err)
		}
		pass(time.Hour)
		got.want(t, "by hand and due", "01 02:00", "01 01:00")
	})
}

func TestScheduleFaults(t *testing.T) {
	q := openQueue[workers.Tick](t, "ticks", 1)
	fn := func(context.Context, workers.Tick) error { return nil }
	for want, w := range map[string]workers.Worker{
		"the function is nil":              workers.Schedule("w", "@daily", nil),
		`schedule "0 25 * * *": end of`:    workers.Schedule("w", "0 25 * * *", fn),
		"the zone is nil":                  workers.Schedule("w", "@daily", fn, workers.Zone(nil)),
		"the timeout must not be negative": workers.Schedule("w", "@daily", fn, workers.Timeout(-1)),
		"Missed needs Through":             workers.Schedule("w", "@daily", fn, workers.Missed(workers.RunAll)),
		"the queue is nil":                 workers.Schedule("w", "@daily", fn, workers.Through(nil), workers.Missed(workers.RunAll)),
		"unknown missed-run policy 9":      workers.Schedule("w", "@daily", fn, workers.Through(q), workers.Missed(9)),
		`schedule "": empty`:               workers.Schedule("w", "", fn, workers.Through(q)),
	} {
		err := w.(workers.Equipped).Equip(workers.Env{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `worker "w"`) {
			t.Errorf("%q: got %v", want, err)
		}
	}
	for _, w := range []workers.Worker{workers.Schedule("w", "@daily", fn), workers.Schedule("w", "@daily", fn, workers.Through(q))} {
		if err := w.(workers.Equipped).Equip(workers.Env{Settings: workers.Settings{Concurrency: new(2)}}); err == nil {
			t.Error("a schedule took a concurrency")
		}
		if _, scales := w.(workers.Scaler); scales {
			t.Error("a schedule is a Scaler")
		}
	}
}

// Only what must know of missed runs asks for a durable engine.
func TestMissedRequiresDurable(t *testing.T) {
	fn := func(context.Context, workers.Tick) error { return nil }
	for policy, want := range map[workers.MissedPolicy]queue.Capabilities{workers.Skip: 0, workers.RunOnce: queue.Durable, workers.RunAll: queue.Durable} {
		q, err := queue.For[workers.Tick]("ticks")
		if err != nil {
			t.Fatal(err)
		}
		workers.Schedule("w", "@daily", fn, workers.Through(q), workers.Missed(policy))
		if got := q.Requires(); got != want {
			t.Errorf("policy %d requires %s, want %s", policy, got, want)
		}
	}
}

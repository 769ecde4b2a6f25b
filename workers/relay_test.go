package workers_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// relay starts a schedule that goes through q. The queue outlives it, as a durable one does.
func relay(t *testing.T, q *queue.Queue[workers.Tick], got *runs, opts ...workers.ScheduleOption) workers.Worker {
	t.Helper()
	return start(t, workers.Schedule("nightly", "0 2 * * *", func(_ context.Context, tick workers.Tick) error {
		got.add(tick)
		return nil
	}, append(opts, workers.Through(q))...))
}

// However many instances there are, and whatever the policy, an instant is run once; also by one that comes right after it.
func TestThroughOnceOverAllInstances(t *testing.T) {
	for _, policy := range []workers.MissedPolicy{workers.Skip, workers.RunOnce, workers.RunAll} {
		synctest.Test(t, func(t *testing.T) {
			var got runs
			q := openQueue[workers.Tick](t, "ticks", 10)
			for range 4 {
				w := relay(t, q, &got, workers.Missed(policy))
				if s := w.Status(); s.Kind != "schedule" || s.Concurrency != 0 {
					t.Errorf("status %+v", s)
				}
			}
			pass(26 * time.Hour)
			got.want(t, "four instances", "01 02:00", "02 02:00")
			w := relay(t, q, &got, workers.Missed(policy))
			pass(23 * time.Hour)
			got.want(t, "a fifth right after", []string(nil)...)
			if s := w.Status(); s.NextRun.Format("02 15:04") != "03 02:00" {
				t.Errorf("status %+v", s)
			}
			pass(2 * time.Hour)
			got.want(t, "the next day", "03 02:00")
		})
	}
}

func TestMissed(t *testing.T) {
	for name, c := range map[string]struct {
		policy workers.MissedPolicy
		want   []string
	}{
		"skip":     {workers.Skip, nil},
		"run once": {workers.RunOnce, []string{"04 02:00+2"}},
		"run all":  {workers.RunAll, []string{"02 02:00", "03 02:00", "04 02:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got runs
				q := openQueue[workers.Tick](t, "ticks", 10)
				w := relay(t, q, &got, workers.Missed(c.policy))
				pass(12 * time.Hour)
				got.want(t, "the first day", "01 02:00")
				w.Stop(forever(), forever())
				pass(3 * 24 * time.Hour)
				relay(t, q, &got, workers.Missed(c.policy))
				relay(t, q, &got, workers.Missed(c.policy))
				pass(time.Hour)
				slices.Sort(got.list) // two instances take them: each begins with the oldest, which of them notes first is open
				got.want(t, "after three days", c.want...)
				pass(24 * time.Hour)
				got.want(t, "and on", "05 02:00")
			})
		})
	}
}

// What was due while nobody ran and is the only one is run as it is.
func TestMissedByOne(t *testing.T) {
	for _, policy := range []workers.MissedPolicy{workers.RunOnce, workers.RunAll} {
		synctest.Test(t, func(t *testing.T) {
			var got runs
			q := openQueue[workers.Tick](t, "ticks", 10)
			w := relay(t, q, &got, workers.Missed(policy))
			pass(time.Minute)
			w.Stop(forever(), forever())
			pass(10 * time.Hour)
			relay(t, q, &got, workers.Missed(policy))
			pass(time.Hour)
			got.want(t, "late", "01 02:00")
		})
	}
}

// A failed run is repeated; the life of another instance in between makes no difference, nor does it make others run again.
func TestThroughRepeatsFailedRuns(t *testing.T) {
	for _, policy := range []workers.MissedPolicy{workers.Skip, workers.RunOnce, workers.RunAll} {
		synctest.Test(t, func(t *testing.T) {
			var got runs
			q := openQueue[workers.Tick](t, "ticks", 10)
			failing := true
			schedule := func() workers.Worker {
				return start(t, workers.Schedule("s", "* * * * *", func(_ context.Context, tick workers.Tick) error {
					got.add(tick)
					if tick.At.Minute() == 1 && failing {
						panic("no")
					}
					return nil
				}, workers.Through(q), workers.Missed(policy)))
			}
			w := schedule()
			pass(time.Minute + 500*time.Millisecond)
			if h := w.Health(); h.State != health.StateDegraded {
				t.Errorf("health %+v", h)
			}
			pass(2*time.Minute + 30*time.Second)
			w.Stop(forever(), forever())
			failing = false
			got.take()
			w = schedule()
			pass(10 * time.Minute)
			first := 0
			for _, run := range got.take() {
				if run == "01 00:01" {
					first++
				} else if run <= "01 00:03" {
					t.Errorf("policy %d: %s was run again", policy, run)
				}
			}
			if first != 1 || w.Status().Failed != 0 || w.Health().State != health.StateOK {
				t.Errorf("policy %d: the failed run was repeated %d times, status %+v, health %+v", policy, first, w.Status(), w.Health())
			}
		})
	}
}

// A run that has failed is repeated as itself, also when others were missed meanwhile.
func TestMissedDoesNotTakeTheFailedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		q := openQueue[workers.Tick](t, "ticks", 10)
		failing := true
		schedule := func() workers.Worker {
			return start(t, workers.Schedule("s", "@hourly", func(_ context.Context, tick workers.Tick) error {
				got.add(tick)
				if failing {
					return task.RetryAfter(time.Minute, errors.New("no"))
				}
				return nil
			}, workers.Through(q), workers.Missed(workers.RunOnce)))
		}
		w := schedule()
		pass(time.Hour)
		w.Stop(forever(), forever())
		failing = false
		pass(5*time.Hour + time.Minute)
		schedule()
		pass(time.Minute)
		got.want(t, "failed, then repeated with what was missed", "01 01:00", "01 01:00", "01 06:00+4")
	})
}

// A Tick without a key is a run by hand; a key of another schedule shows that a queue was given to two.
func TestThroughForeignTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got runs
		q := openQueue[workers.Tick](t, "ticks", 10)
		w := relay(t, q, &got, workers.Missed(workers.RunAll))
		if err := q.Publish(t.Context(), workers.Tick{At: time.Date(1999, 12, 24, 18, 0, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		got.want(t, "by hand", "24 18:00")
		if _, err := q.Send(t.Context(), workers.Tick{At: time.Now()}, queue.UniqueKey("hourly@2000-01-01T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		got.want(t, "of another schedule")
		if s := w.Status(); s.Failed != 1 || !strings.Contains(s.LastError, `is no run of schedule "nightly"`) {
			t.Errorf("status %+v", s)
		}
	})
}

// closable is an engine that can be away.
type closable struct {
	queue.Engine
	mu   sync.Mutex
	away bool
}

func (c *closable) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

func (c *closable) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errors.New("the database is away")
	}
	return c.Engine.Publish(ctx, rs, wait)
}

// What is due while the queue is away is published when it is back: with Skip the instant at hand, with RunAll each.
func TestThroughWhileTheQueueIsAway(t *testing.T) {
	for policy, want := range map[workers.MissedPolicy][]string{
		workers.Skip:   {"01 02:00", "04 02:00"},
		workers.RunAll: {"01 02:00", "02 02:00", "03 02:00", "04 02:00"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got runs
			q := openQueue[workers.Tick](t, "ticks", 10)
			engine := &closable{Engine: q.Unbind()}
			q.Bind(engine, queue.Binding{})
			w := relay(t, q, &got, workers.Missed(policy))
			pass(time.Hour)
			engine.set(true)
			pass(2 * time.Hour)
			if h := w.Health(); h.State != health.StateDegraded || !strings.Contains(h.Reason, "away") {
				t.Errorf("policy %d: health %+v", policy, h)
			}
			pass(2 * 24 * time.Hour)
			engine.set(false)
			pass(24 * time.Hour)
			got.want(t, "back after two days", want...)
			if h := w.Health(); h.State != health.StateOK {
				t.Errorf("policy %d: health %+v", policy, h)
			}
		})
	}
}

type nightly struct{ policy workers.MissedPolicy }

func (nightly) Name() string { return "nightly" }

func (n nightly) Register(r *runtime.Registry) error {
	ticks := runtime.QueueOf[workers.Tick](r, "ticks")
	fn := func(context.Context, workers.Tick) error { return nil }
	r.Worker(workers.Schedule("nightly", "@daily", fn, workers.Through(ticks), workers.Missed(n.policy)))
	return nil
}

// Missed runs cannot be known where nothing outlives the process: that is said at registration.
func TestMissedOnAVolatileQueueIsAFault(t *testing.T) {
	for policy, fault := range map[workers.MissedPolicy]bool{workers.Skip: false, workers.RunOnce: true} {
		app, err := runtime.New(nightly{policy}, runtime.WithDrivers(memory.Driver()), runtime.WithLogger(slog.New(slog.DiscardHandler)))
		if fault != (err != nil && strings.Contains(err.Error(), `queue "ticks" needs an engine that is durable`)) {
			t.Errorf("policy %d: %v", policy, err)
		}
		if err == nil {
			_ = app.Close(t.Context())
		}
	}
}

func TestThroughStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[workers.Tick](t, "ticks", 10)
		w := start(t, workers.Schedule("s", "@hourly", func(ctx context.Context, _ workers.Tick) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, workers.Through(q)))
		if c, ok := w.(workers.Consumer); !ok || c.QueueName() != "ticks" {
			t.Error("it does not tell the queue that it consumes")
		}
		pass(5 * time.Hour)
		if h := w.Health(); h.State != health.StateUnhealthy {
			t.Errorf("health of a run that hangs: %+v", h)
		}
		w.(workers.Pauser).Pause()
		if !w.Status().Paused {
			t.Error("not paused")
		}
		if r := w.Stop(over(), forever()); r.Returned < 1 || r.Abandoned != 0 {
			t.Errorf("receipt %+v", r)
		}
		if s := stats(t, q); s.Ready != 5 {
			t.Errorf("after a forced stop: %+v", s)
		}
	})
}

package workers_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

func pauser(w workers.Worker) workers.Pauser { return w.(workers.Pauser) }

func TestPausedConsumerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		var handled atomic.Int64
		w := consume(t, q, func(context.Context, int) error {
			time.Sleep(time.Second)
			handled.Add(1)
			return nil
		}, workers.Concurrency(3))
		publish(t, q, make([]int, 10)...)
		pass(500 * time.Millisecond)
		pauser(w).Pause()
		pauser(w).Pause() // once more does nothing
		pass(time.Hour)
		if s := w.Status(); !s.Paused || s.State != workers.Idle || s.InFlight != 0 || handled.Load() != 3 {
			t.Errorf("%d handled, %+v; want what was in flight", handled.Load(), s)
		}
		if s := stats(t, q); s.Ready != 7 || s.Running != 0 || s.Completed != 3 {
			t.Errorf("stats %+v", s)
		}
		publish(t, q, 1) // new tasks wait too
		pass(time.Minute)
		if handled.Load() != 3 {
			t.Errorf("%d handled while paused", handled.Load())
		}
		pauser(w).Resume()
		pauser(w).Resume()
		pass(3 * time.Second)
		if s := w.Status(); s.Paused || handled.Load() != 11 {
			t.Errorf("%d handled, %+v", handled.Load(), s)
		}
	})
}

// What a slot has taken but not begun goes back when the worker is paused, with the attempt not counted.
func TestPauseGivesBackWhatIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		w := consume(t, q, func(_ context.Context, d time.Duration) error {
			time.Sleep(d)
			return nil
		})
		publish(t, q, make([]time.Duration, 200)...) // tasks that take no time are taken many at once
		synctest.Wait()
		publish(t, q, append([]time.Duration{time.Hour}, make([]time.Duration, 50)...)...)
		pass(time.Second)
		if s := stats(t, q); s.Running < 2 {
			t.Fatalf("no batch was taken: %+v", s)
		}
		pauser(w).Pause()
		pass(2 * time.Hour)
		if s := stats(t, q); s.Running != 0 || s.Ready != 50 || s.Completed != 201 || s.Retrying != 0 {
			t.Errorf("stats %+v", s)
		}
		if r := w.Stop(forever(), forever()); r != (workers.Receipt{}) {
			t.Errorf("receipt %+v", r)
		}
	})
}

// A pause is of the worker, not of one life: it may begin before the first start, and lasts over restarts.
func TestPauseOutlivesTheLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		publish(t, q, 1, 2)
		c := workers.Consume("c", q, workers.Func(func(context.Context, int) error { return nil }))
		p := workers.Poll("p", time.Second, func(context.Context) (int, error) { return 0, nil })
		for _, w := range []workers.Worker{c, p} {
			equip(t, w)
			pauser(w).Pause()
			for range 3 {
				if err := w.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				if s := w.Status(); !s.Paused || s.State != workers.Idle || s.Done != 0 {
					t.Errorf("%+v", s)
				}
				began := time.Now()
				if r := w.Stop(forever(), forever()); r != (workers.Receipt{}) || time.Since(began) != 0 {
					t.Errorf("receipt %+v after %s", r, time.Since(began))
				}
			}
			pauser(w).Resume()
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s := w.Status(); s.Paused || s.Done == 0 {
				t.Errorf("%+v", s)
			}
			w.Stop(forever(), forever())
		}
	})
}

func TestPausedPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		w := workers.Poll("p", time.Minute, func(context.Context) (int, error) { calls.Add(1); return 0, nil })
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.Stop(forever(), forever())
		synctest.Wait()
		pauser(w).Pause()
		pass(time.Hour)
		if h := w.Health(); calls.Load() != 1 || h.State != health.StateOK {
			t.Errorf("%d calls, health %+v: a paused poll is not a silent one", calls.Load(), h)
		}
		pauser(w).Resume()
		synctest.Wait()
		if h := w.Health(); calls.Load() != 2 || h.State != health.StateOK {
			t.Errorf("%d calls, health %+v: what fell due is made at once", calls.Load(), h)
		}
		pauser(w).Pause()
		pass(time.Second)
		pauser(w).Resume()
		pass(30 * time.Second)
		if calls.Load() != 2 {
			t.Errorf("%d calls: nothing fell due", calls.Load())
		}
	})
}

// A call that is in flight finishes during the pause; one that hangs does not become healthy by it.
func TestPauseDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers.Poll("p", time.Second, func(ctx context.Context) (int, error) {
			time.Sleep(time.Minute)
			return 1, errors.Join(ctx.Err())
		})
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.Stop(over(), forever())
		pass(30 * time.Second)
		pauser(w).Pause()
		if h := w.Health(); h.State != health.StateUnhealthy {
			t.Errorf("health %+v", h)
		}
		pass(time.Hour)
		if s := w.Status(); s.Done+s.Failed != 1 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A consumer whose queue cannot be asked stops asking while it is paused.
func TestPauseEndsAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		b := &broken{Engine: q.Unbind()}
		b.down.Store(true)
		c := &counting{Engine: b}
		q.Bind(c, queue.Binding{})
		w := consume(t, q, func(context.Context, int) error { return nil })
		publish(t, q, 1)
		pass(time.Minute)
		pauser(w).Pause()
		asked := c.asked.Load()
		pass(time.Hour)
		if n := c.asked.Load(); n != asked || asked == 0 {
			t.Errorf("asked %d times, %d before the pause", n, asked)
		}
		b.down.Store(false)
		pauser(w).Resume()
		synctest.Wait()
		if s := w.Status(); s.Done != 1 || w.Health().State != health.StateOK {
			t.Errorf("%+v, health %+v", s, w.Health())
		}
	})
}

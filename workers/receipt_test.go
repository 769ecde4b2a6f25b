package workers_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// The receipt counts what the stop did, not what the life before it did: snoozed tasks are no returned ones, and each task counts once.
func TestReceiptCountsTheStopAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		w := consume(t, q, func(ctx context.Context, n int) error {
			switch n {
			case 0:
				return task.Snooze(time.Hour, "closed")
			case 1:
				time.Sleep(3 * time.Second)
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}, workers.Concurrency(5))
		publish(t, q, 0, 0, 0, 0, 1, 2, 2)
		pass(time.Second)
		r := w.Stop(after(t, 10*time.Second), after(t, 20*time.Second))
		if r != (workers.Receipt{Finished: 1, Returned: 2}) {
			t.Errorf("receipt %+v", r)
		}
	})
}

// What comes back before the stop, from behind a handler that left by runtime.Goexit, is not the stop's.
func TestReceiptDoesNotCountWhatCameBackBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		var calls atomic.Int64
		w := consume(t, q, func(context.Context, int) error {
			if calls.Add(1) == 110 { // in the middle of a batch: tasks that take no time are taken many at once
				goexit()
			}
			return nil
		})
		publish(t, q, make([]int, 100)...)
		synctest.Wait()
		publish(t, q, make([]int, 100)...)
		pass(time.Minute)
		if s := stats(t, q); s.Completed != 200 || calls.Load() != 201 {
			t.Errorf("%d calls, %+v", calls.Load(), s)
		}
		if r := w.Stop(forever(), forever()); r != (workers.Receipt{}) {
			t.Errorf("receipt %+v", r)
		}
	})
}

// counting counts how often it is asked.
type counting struct {
	queue.Engine
	asked atomic.Int64
}

func (c *counting) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	c.asked.Add(1)
	return c.Engine.Receive(ctx, max, lease)
}

// A queue that is closed under a running consumer is asked again with backoff, not without a break; and goes on when it is open again.
func TestQueueIsClosedUnderneath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		c := &counting{Engine: q.Unbind()}
		q.Bind(c, queue.Binding{})
		w := consume(t, q, func(context.Context, int) error { return nil })
		synctest.Wait()
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if n := c.asked.Load(); n > 20 {
			t.Errorf("asked %d times in a minute", n)
		}
		if h := w.Health(); h.State != health.StateUnhealthy || w.Err() != nil {
			t.Errorf("health %+v, err %v", h, w.Err())
		}
		other := openQueue[int](t, "q", 10)
		q.Bind(other.Unbind(), queue.Binding{})
		publish(t, q, 1)
		pass(11 * time.Second)
		if s := w.Status(); s.Done != 1 || w.Health().State != health.StateOK {
			t.Errorf("status %+v, health %+v", s, w.Health())
		}
	})
}

func TestSettings(t *testing.T) {
	for n, valid := range map[int]bool{-1: false, 0: false, 1: true, 100: true} {
		if err := (&workers.Settings{Concurrency: &n}).Validate(); (err == nil) != valid {
			t.Errorf("concurrency %d: %v", n, err)
		}
	}
	if err := (&workers.Settings{}).Validate(); err != nil {
		t.Error(err)
	}
}

// wild is an engine that panics.
type wild struct {
	queue.Engine
	receive, renew, complete atomic.Bool
}

func (e *wild) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if e.receive.Load() {
		panic("planted in Receive")
	}
	return e.Engine.Receive(ctx, max, lease)
}

func (e *wild) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
	if e.renew.Load() {
		panic("planted in Renew")
	}
	return e.Engine.Renew(ctx, ts, lease)
}

func (e *wild) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	if e.complete.Load() {
		panic("planted in Complete")
	}
	return e.Engine.Complete(ctx, cs)
}

// A panic of an engine is an error of that call: the worker is degraded or goes on, and neither it nor the process ends.
func TestEnginePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		e := &wild{Engine: q.Unbind()}
		q.Bind(e, queue.Binding{})
		e.receive.Store(true)
		w := consume(t, q, func(ctx context.Context, _ int) error { time.Sleep(90 * time.Second); return ctx.Err() }, workers.Lease(time.Minute))
		publish(t, q, 1)
		pass(20 * time.Second)
		if h := w.Health(); h.State != health.StateDegraded || w.Status().State != workers.Idle {
			t.Errorf("health %+v, %+v", h, w.Status())
		}
		e.receive.Store(false)
		pass(5 * time.Second) // it is asked again, and handles the task from then on
		e.renew.Store(true)
		pass(20 * time.Second)
		e.renew.Store(false)
		if s := w.Status(); s.InFlight != 1 || s.LastError != "panic: planted in Renew" {
			t.Errorf("%+v", s)
		}
		e.complete.Store(true)
		pass(80 * time.Second)
		e.complete.Store(false)
		if s := w.Status(); s.LastError != "panic: planted in Complete" {
			t.Errorf("%+v", s)
		}
		pass(5 * time.Minute) // the lease has ended, and the second attempt is answered
		if s := stats(t, q); s.Completed != 1 || w.Health().State != health.StateOK {
			t.Errorf("%+v, %+v", s, w.Health())
		}
	})
}

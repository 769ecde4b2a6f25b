package workers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

func consume[T any](t testing.TB, q *queue.Queue[T], h func(context.Context, T) error, opts ...workers.ConsumeOption) workers.Worker {
	t.Helper()
	w := workers.Consume("consumer", q, workers.Func(h), opts...)
	equip(t, w)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop(forever(), forever()) })
	return w
}

func publish[T any](t testing.TB, q *queue.Queue[T], vs ...T) {
	t.Helper()
	if n, err := q.PublishAll(t.Context(), vs); err != nil || n != len(vs) {
		t.Fatalf("published %d of %d: %v", n, len(vs), err)
	}
}

func stats[T any](t testing.TB, q *queue.Queue[T]) queue.Stats {
	t.Helper()
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConsumeAllAtTheGivenConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		var now, peak, sum atomic.Int64
		w := consume(t, q, func(_ context.Context, v int) error {
			n := now.Add(1)
			for {
				p := peak.Load()
				if n <= p || peak.CompareAndSwap(p, n) {
					break
				}
			}
			time.Sleep(time.Second)
			now.Add(-1)
			sum.Add(int64(v))
			return nil
		}, workers.Concurrency(3))
		for i := range 30 {
			publish(t, q, i)
		}
		began := time.Now()
		for stats(t, q).Completed < 30 {
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait() // the queue knows of an answer a moment before the worker counts it
		if took := time.Since(began); took > 10500*time.Millisecond {
			t.Errorf("30 tasks of 1 s by 3 took %s", took)
		}
		if peak.Load() != 3 || sum.Load() != 435 {
			t.Errorf("peak %d, sum %d", peak.Load(), sum.Load())
		}
		if s := w.Status(); s.Done != 30 || s.Concurrency != 3 || s.Kind != "consume" {
			t.Errorf("status %+v", s)
		}
	})
}

// Every answer of a handler, and what becomes of the task.
func TestOutcomes(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		handle   func(attempt int) error
		attempts int
		want     func(queue.Stats) bool
		failed   uint64
	}{
		"done":      {func(int) error { return nil }, 1, func(s queue.Stats) bool { return s.Completed == 1 }, 0},
		"drop":      {func(int) error { return task.Drop("no need") }, 1, func(s queue.Stats) bool { return s.Completed == 1 }, 0},
		"permanent": {func(int) error { return task.Permanent(boom) }, 1, func(s queue.Stats) bool { return s.Dead == 1 }, 1},
		"retry":     {func(n int) error { return second(n, boom) }, 2, func(s queue.Stats) bool { return s.Completed == 1 }, 1},
		"panic": {func(n int) error {
			if n == 1 {
				panic(boom)
			}
			return nil
		}, 2, func(s queue.Stats) bool { return s.Completed == 1 }, 1},
		"Goexit": {func(n int) error {
			if n == 1 {
				goexit()
			}
			return nil
		}, 2, func(s queue.Stats) bool { return s.Completed == 1 }, 1},
		"dead after all attempts": {func(int) error { return boom }, queue.MaxAttempts, func(s queue.Stats) bool { return s.Dead == 1 }, queue.MaxAttempts},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openQueue[string](t, "q", 10)
				var attempts []int
				w := consume(t, q, func(ctx context.Context, _ string) error {
					info, _ := task.From(ctx)
					attempts = append(attempts, info.Attempt)
					return c.handle(info.Attempt)
				})
				publish(t, q, "x")
				pass(24 * time.Hour)
				if len(attempts) != c.attempts || attempts[len(attempts)-1] != c.attempts {
					t.Errorf("attempts %v, want %d", attempts, c.attempts)
				}
				if s := stats(t, q); !c.want(s) {
					t.Errorf("stats %+v", s)
				}
				if s := w.Status(); s.Failed != c.failed {
					t.Errorf("failed %d, want %d", s.Failed, c.failed)
				}
			})
		})
	}
}

func second(attempt int, err error) error {
	if attempt == 1 {
		return err
	}
	return nil
}

func TestSnoozeDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		calls := 0
		consume(t, q, func(ctx context.Context, _ int) error {
			calls++
			if info, _ := task.From(ctx); info.Attempt != 1 {
				t.Errorf("attempt %d", info.Attempt)
			}
			if calls < 50 {
				return task.Snooze(time.Hour, "closed")
			}
			return nil
		})
		publish(t, q, 1)
		pass(50 * time.Hour)
		if s := stats(t, q); calls != 50 || s.Completed != 1 {
			t.Errorf("%d calls, %+v", calls, s)
		}
	})
}

func TestRetryPolicyAndRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		began := time.Now()
		var at []time.Duration
		consume(t, q, func(ctx context.Context, _ int) error {
			at = append(at, time.Since(began))
			switch len(at) {
			case 1:
				return errors.New("by the policy")
			case 2:
				return task.RetryAfter(time.Hour, nil)
			}
			return nil
		}, workers.RetryPolicy(func(attempt int, err error) time.Duration { return time.Duration(attempt) * time.Minute }))
		publish(t, q, 1)
		pass(3 * time.Hour)
		if want := []time.Duration{0, time.Minute, time.Hour + time.Minute}; fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("at %v, want %v", at, want)
		}
	})
}

func TestHandlerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		causes := make(chan error, 1)
		consume(t, q, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			select {
			case causes <- context.Cause(ctx):
			default:
			}
			return ctx.Err()
		}, workers.Timeout(time.Minute))
		publish(t, q, 1)
		var te *workers.TimeoutError
		if err := <-causes; !errors.As(err, &te) || te.After != time.Minute {
			t.Errorf("cause %v", err)
		}
		synctest.Wait()
		if s := stats(t, q); s.Retrying != 1 {
			t.Errorf("a timeout must be retried: %+v", s)
		}
	})
}

// A handler that runs longer than the lease keeps it, because the lease is renewed.
func TestLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		calls := 0
		consume(t, q, func(ctx context.Context, _ int) error {
			calls++
			time.Sleep(time.Hour)
			return context.Cause(ctx)
		}, workers.Lease(10*time.Second), workers.Concurrency(2))
		publish(t, q, 1)
		pass(2 * time.Hour)
		if s := stats(t, q); calls != 1 || s.Completed != 1 {
			t.Errorf("%d calls, %+v", calls, s)
		}
	})
}

// lossy loses every lease at the first renewal.
type lossy struct {
	queue.Engine
	completed atomic.Int64
}

func (l *lossy) Renew(_ context.Context, ts []queue.Token, _ time.Duration) (queue.Renewed, error) {
	return queue.Renewed{Lost: ts}, nil
}

func (l *lossy) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	l.completed.Add(int64(len(cs)))
	return l.Engine.Complete(ctx, cs)
}

func TestLostLeaseCancelsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		l := &lossy{Engine: q.Unbind()}
		q.Bind(l, queue.Binding{})
		var causes []error
		w := consume(t, q, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return ctx.Err()
		}, workers.Lease(9*time.Second))
		publish(t, q, 1)
		pass(4 * time.Second)
		if len(causes) != 1 || !errors.Is(causes[0], task.ErrLeaseLost) {
			t.Errorf("causes %v", causes)
		}
		if n := l.completed.Load(); n != 0 {
			t.Errorf("%d answers for a lost lease", n)
		}
		if s := w.Status(); s.Failed != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestGracefulStopFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		w := consume(t, q, func(ctx context.Context, _ int) error {
			time.Sleep(10 * time.Second)
			return ctx.Err()
		}, workers.Concurrency(4))
		for i := range 10 {
			publish(t, q, i)
		}
		pass(time.Second)
		r := w.Stop(forever(), forever())
		if r.Finished != 4 || r.Returned != 0 || r.Abandoned != 0 {
			t.Errorf("receipt %+v", r)
		}
		if s := stats(t, q); s.Completed != 4 || s.Ready != 6 || s.Running != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestForcedStopReturnsTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		var cause error
		var attempts []int
		h := func(ctx context.Context, _ int) error {
			info, _ := task.From(ctx)
			attempts = append(attempts, info.Attempt)
			if len(attempts) > 1 {
				return nil
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}
		w := consume(t, q, h)
		publish(t, q, 1)
		pass(time.Second)
		r := w.Stop(after(t, 5*time.Second), after(t, 10*time.Second))
		if !errors.Is(cause, task.ErrForced) || r.Returned != 1 || r.Abandoned != 0 {
			t.Errorf("cause %v, receipt %+v", cause, r)
		}
		if s := stats(t, q); s.Ready != 1 {
			t.Errorf("stats %+v", s)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if fmt.Sprint(attempts) != "[1 1]" {
			t.Errorf("attempts %v: the forced one must not count", attempts)
		}
	})
}

// broken refuses to be asked for a while.
type broken struct {
	queue.Engine
	down atomic.Bool
}

func (b *broken) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if b.down.Load() {
		return nil, errors.New("database is away")
	}
	return b.Engine.Receive(ctx, max, lease)
}

func TestBackendAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		b := &broken{Engine: q.Unbind()}
		b.down.Store(true)
		q.Bind(b, queue.Binding{})
		w := consume(t, q, func(context.Context, int) error { return nil })
		publish(t, q, 1)
		for _, want := range []health.State{health.StateDegraded, health.StateUnhealthy} { // after 25 s and after 50 s
			pass(25 * time.Second)
			if h := w.Health(); h.State != want || !strings.Contains(h.Reason, "database is away") {
				t.Errorf("health %+v, want %s", h, want)
			}
		}
		b.down.Store(false)
		pass(11 * time.Second)
		if h := w.Health(); h.State != health.StateOK || stats(t, q).Completed != 1 {
			t.Errorf("health %+v, stats %+v", h, stats(t, q))
		}
	})
}

// One long task must not keep a short one waiting while a slot is free, however short the tasks were before.
func TestLongTaskDoesNotHoldOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 5000)
		w := consume(t, q, func(_ context.Context, d time.Duration) error {
			time.Sleep(d)
			return nil
		}, workers.Concurrency(2))
		publish(t, q, make([]time.Duration, 1000)...)
		for stats(t, q).Completed < 1000 {
			time.Sleep(time.Millisecond)
		}
		publish(t, q, time.Hour)
		pass(time.Second)
		for range 100 {
			publish(t, q, time.Millisecond)
		}
		pass(10 * time.Second)
		if s := stats(t, q); s.Completed != 1100 || s.Running != 1 {
			t.Errorf("stats %+v, status %+v", s, w.Status())
		}
	})
}

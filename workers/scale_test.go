package workers_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/workers"
)

func scale(t testing.TB, w workers.Worker, n int) {
	t.Helper()
	if err := w.(workers.Scaler).Scale(n); err != nil {
		t.Fatal(err)
	}
}

// Growing takes effect at once while all slots are busy; shrinking lets what runs finish, and takes nothing new before enough have.
func TestScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		w := consume(t, q, func(ctx context.Context, _ int) error {
			time.Sleep(10 * time.Second)
			return ctx.Err()
		}, workers.Concurrency(2))
		publish(t, q, make([]int, 100)...)
		pass(time.Second)
		want := func(inFlight int64, concurrency int) {
			t.Helper()
			if s := w.Status(); s.InFlight != inFlight || s.Concurrency != concurrency || s.Failed != 0 {
				t.Errorf("%d in flight, concurrency %d, %d failed; want %d and %d", s.InFlight, s.Concurrency, s.Failed, inFlight, concurrency)
			}
		}
		want(2, 2)
		scale(t, w, 7) // at 1 s
		synctest.Wait()
		want(7, 7)
		scale(t, w, 3)
		pass(8 * time.Second)
		want(7, 3)
		pass(2 * time.Second) // at 11 s all have finished, and three new ones have begun
		want(3, 3)
		if s := stats(t, q); s.Completed != 7 || s.Running != 3 {
			t.Errorf("stats %+v", s)
		}
		scale(t, w, 1)
		scale(t, w, 5)
		pass(time.Second)
		want(5, 5)
	})
}

// An idle consumer is scaled too: whoever waits for work is not one too many.
func TestScaleIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		w := consume(t, q, func(context.Context, int) error { time.Sleep(time.Second); return nil }, workers.Concurrency(10))
		for _, n := range []int{1, 4, 2, 8} {
			synctest.Wait()
			scale(t, w, n)
			publish(t, q, make([]int, 20)...)
			pass(100 * time.Millisecond)
			if s := w.Status(); s.InFlight != int64(n) {
				t.Errorf("%d in flight, want %d", s.InFlight, n)
			}
			pass(time.Minute)
		}
		if s := stats(t, q); s.Completed != 80 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A scout who already waits when the concurrency shrinks to what is busy must not begin one more.
func TestScaleBelowTheScout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		w := consume(t, q, func(context.Context, int) error { time.Sleep(time.Minute); return nil }, workers.Concurrency(5))
		publish(t, q, 1, 2, 3)
		synctest.Wait() // three are busy, the fourth waits for work
		scale(t, w, 3)
		publish(t, q, 4, 5)
		pass(time.Second)
		if s := w.Status(); s.InFlight != 3 {
			t.Errorf("%d in flight, want 3", s.InFlight)
		}
		pass(2 * time.Minute)
		if s := stats(t, q); s.Completed != 5 {
			t.Errorf("stats %+v", s)
		}
	})
}

// What was set at run time wins over the configuration, which wins over the code; over restarts, and also when it was set first.
func TestPrecedenceOfConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		w := workers.Consume("w", q, workers.Func(func(context.Context, int) error { return nil }), workers.Concurrency(2))
		of := func(want int) {
			t.Helper()
			if s := w.Status(); s.Concurrency != want {
				t.Errorf("concurrency %d, want %d", s.Concurrency, want)
			}
		}
		of(2)
		if err := w.(workers.Equipped).Equip(workers.Env{Settings: workers.Settings{Concurrency: new(5)}}); err != nil {
			t.Fatal(err)
		}
		of(5)
		scale(t, w, 3)
		for range 2 {
			of(3)
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			of(3)
			w.Stop(forever(), forever())
		}
		for _, n := range []int{0, -1} {
			if err := w.(workers.Scaler).Scale(n); err == nil || !strings.Contains(err.Error(), `worker "w": concurrency must be at least 1`) {
				t.Errorf("Scale(%d): %v", n, err)
			}
		}
		of(3)
	})
}

// Everything that an operator can do at once, under load: every task is handled exactly once, and never more at once than was ever allowed.
func TestScalePauseStress(t *testing.T) {
	const tasks, widest = 10000, 9
	q := openQueue[int](t, "q", 256)
	seen := make([]atomic.Int32, tasks)
	var now, handled atomic.Int64
	w := consume(t, q, func(_ context.Context, v int) error {
		if n := now.Add(1); n > widest {
			t.Errorf("%d at once", n)
		}
		defer now.Add(-1)
		if n := seen[v].Add(1); n != 1 {
			t.Errorf("task %d handled %d times", v, n)
		}
		if v%1000 == 0 {
			goexit() // its first attempt fails; the next one is a day away
		}
		handled.Add(1)
		return nil
	}, workers.Concurrency(widest), workers.RetryPolicy(func(int, error) time.Duration { return 24 * time.Hour }))

	published := make(chan struct{})
	var publishing, operators sync.WaitGroup
	for p := range 4 {
		publishing.Go(func() {
			for v := p; v < tasks; v += 4 {
				if err := q.Publish(t.Context(), v); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	operate := func(act func()) {
		operators.Go(func() {
			for {
				select {
				case <-published:
					return
				default:
					act()
				}
			}
		})
	}
	for range 2 {
		operate(func() { scale(t, w, 1+rand.IntN(widest)) })
	}
	operate(func() { pauser(w).Pause(); pauser(w).Resume() })
	operate(func() {
		w.Stop(forever(), forever())
		if err := w.Start(t.Context()); err != nil {
			t.Error(err)
		}
	})
	publishing.Wait()
	close(published)
	operators.Wait()
	deadline := time.After(30 * time.Second)
	for handled.Load() < tasks-tasks/1000 {
		select {
		case <-deadline:
			t.Fatalf("%d handled; %+v, %+v", handled.Load(), w.Status(), stats(t, q))
		case <-time.After(time.Millisecond):
		}
	}
	w.Stop(forever(), forever())
	if s := stats(t, q); s.Running != 0 || s.Ready != 0 || s.Retrying != tasks/1000 || s.Completed != tasks-tasks/1000 {
		t.Errorf("stats %+v", s)
	}
	if s := w.Status(); s.InFlight != 0 || s.Done != tasks-tasks/1000 || s.Failed != tasks/1000 {
		t.Errorf("status %+v", s)
	}
}

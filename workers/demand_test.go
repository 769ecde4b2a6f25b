package workers_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

// askedEngine notes how many tasks each Receive that got some asked for and got.
type askedEngine struct {
	queue.Engine
	mu         sync.Mutex
	asked, got []int
}

func (e *askedEngine) Receive(ctx context.Context, most int, lease time.Duration) ([]queue.Lease, error) {
	leases, err := e.Engine.Receive(ctx, most, lease)
	if err == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked, e.got = append(e.asked, most), append(e.got, len(leases))
	}
	return leases, err
}

// first is what the first Receive asked for and got, and how many there were.
func (e *askedEngine) first() (asked, got, calls int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[0], e.got[0], len(e.got)
}

// Whoever waits for work asks for as many tasks as there are free slots, and all of them begin at once.
func TestOneCallFillsFreeSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		e := &askedEngine{Engine: q.Unbind()}
		q.Bind(e, queue.Binding{})
		publish(t, q, make([]int, 20)...)
		w := consume(t, q, func(context.Context, int) error { time.Sleep(time.Minute); return nil }, workers.Concurrency(8))
		synctest.Wait()
		if s := w.Status(); s.InFlight != 8 {
			t.Errorf("%d in flight, want 8", s.InFlight)
		}
		if asked, got, calls := e.first(); asked != 8 || got != 8 || calls != 1 {
			t.Errorf("asked for %d, got %d, %d calls; want 8 at once", asked, got, calls)
		}
		pass(3 * time.Minute)
		if s := stats(t, q); s.Completed != 20 {
			t.Errorf("stats %+v", s)
		}
	})
}

// When the worker has become smaller while somebody waited for work, what is too much goes back, not counted.
func TestMoreThanThereAreSlotsGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 100)
		e := &askedEngine{Engine: q.Unbind()}
		q.Bind(e, queue.Binding{})
		var mu sync.Mutex
		var handled []int
		w := consume(t, q, func(_ context.Context, n int) error {
			mu.Lock()
			handled = append(handled, n)
			mu.Unlock()
			time.Sleep(time.Minute)
			return nil
		}, workers.Concurrency(8))
		synctest.Wait() // it waits, for eight
		scale(t, w, 2)
		publish(t, q, 0, 1, 2, 3, 4)
		synctest.Wait()
		if s := stats(t, q); s.Running != 2 || s.Ready != 3 {
			t.Errorf("stats %+v, want 2 running", s)
		}
		pass(5 * time.Minute)
		if !slices.Equal(slices.Sorted(slices.Values(handled)), []int{0, 1, 2, 3, 4}) {
			t.Errorf("handled %d", handled)
		}
		if s := stats(t, q); s.Completed != 5 || w.Status().Failed != 0 {
			t.Errorf("stats %+v, %d failed", s, w.Status().Failed)
		}
		if _, got, _ := e.first(); got != 5 {
			t.Errorf("got %d at first, want all five", got)
		}
	})
}

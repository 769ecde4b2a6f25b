package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// gatherer is a handler that gathers items of several tasks, as a batch of a pipeline does: it goes on when size are there, when its timer ends, or
// when the worker is saturated.
type gatherer struct {
	size int
	wait time.Duration
	work time.Duration // what a batch takes

	mu      sync.Mutex
	open    *gathering
	batches []string // the items of each batch, and when it began
	began   time.Time
}

type gathering struct {
	items  []int
	timer  *time.Timer
	cancel func()
	unpark []func()
	done   chan struct{}
}

func gather(size int, wait time.Duration) *gatherer {
	return &gatherer{size: size, wait: wait, began: time.Now()}
}

// Handle takes an item; 0 is handled by itself.
func (g *gatherer) Handle(ctx context.Context, item int) error {
	if item == 0 {
		return nil
	}
	slots, ok := task.SlotsFrom(ctx)
	if !ok {
		return errors.New("no slots in the context")
	}
	g.mu.Lock()
	b := g.open
	if b == nil {
		b = &gathering{done: make(chan struct{})}
		b.timer = time.AfterFunc(g.wait, func() { g.flush(b) })
		b.cancel = slots.OnSaturated(func() { g.flush(b) })
		g.open = b
	}
	b.items = append(b.items, item)
	if len(b.items) == g.size {
		g.mu.Unlock()
		g.flush(b)
		return nil
	}
	b.unpark = append(b.unpark, slots.Park())
	g.mu.Unlock()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		if !g.leave(b, item) {
			<-b.done
			return nil
		}
		return context.Cause(ctx)
	}
}

func (g *gatherer) leave(b *gathering, item int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != b {
		return false
	}
	i := slices.Index(b.items, item)
	b.unpark[i]()
	b.items, b.unpark = slices.Delete(b.items, i, i+1), slices.Delete(b.unpark, i, i+1)
	if len(b.items) == 0 {
		g.end(b)
	}
	return true
}

// end closes a batch to others; under mu.
func (g *gatherer) end(b *gathering) {
	g.open = nil
	b.timer.Stop()
	b.cancel()
	for _, unpark := range b.unpark {
		unpark()
		unpark() // once more does nothing
	}
}

func (g *gatherer) flush(b *gathering) {
	g.mu.Lock()
	if g.open != b {
		g.mu.Unlock()
		return
	}
	g.end(b)
	slices.Sort(b.items)
	g.batches = append(g.batches, fmt.Sprint(b.items, " at ", time.Since(g.began)))
	g.mu.Unlock()
	if g.work > 0 {
		time.Sleep(g.work)
	}
	close(b.done)
}

// want compares the batches since the last look.
func (g *gatherer) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.batches, want) {
		t.Errorf("batches %q, want %q", g.batches, want)
	}
	g.batches = nil
}

// gathers runs a test body with a worker of so many slots over a gatherer of five at most, that waits for an hour.
func gathers(t *testing.T, slots int, body func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker)) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 1000)
		g := gather(5, time.Hour)
		body(t, g, q, consume(t, q, g.Handle, workers.Concurrency(slots)))
	})
}

func TestSaturatedWhenEverySlotIsParked(t *testing.T) {
	gathers(t, 3, func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker) {
		publish(t, q, 1, 2)
		g.want(t) // the third slot waits for work
		publish(t, q, 3)
		g.want(t, "[1 2 3] at 0s")
		publish(t, q, 4, 5, 6, 7)
		g.want(t, "[4 5 6] at 0s")
		pass(time.Hour)
		g.want(t, "[7] at 1h0m0s")
		if s := w.Status(); s.Done != 7 || s.Failed != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// In tests nobody waits for tasks that might come.
func TestEagerWorkerIsSaturatedByTheTasksAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, g := openQueue[int](t, "q", 1000), gather(5, time.Hour)
		w := workers.Consume("w", q, workers.Func(g.Handle), workers.Concurrency(3))
		if err := w.(workers.Equipped).Equip(workers.Env{Eager: true}); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		publish(t, q, 1)
		g.want(t, "[1] at 0s")
		w.Stop(forever(), forever())
	})
}

// A full batch needs nobody's help, and one whose tasks are worked on does not count as parked.
func TestNotSaturatedWhileABatchIsWorkedOn(t *testing.T) {
	gathers(t, 6, func(t *testing.T, g *gatherer, q *queue.Queue[int], _ workers.Worker) {
		g.work = time.Minute
		publish(t, q, 1, 2, 3, 4, 5)
		g.want(t, "[1 2 3 4 5] at 0s")
		publish(t, q, 6) // all slots are taken, but five of them come back
		g.want(t)
		pass(time.Minute)
		publish(t, q, 7, 8, 9)
		g.want(t)
		publish(t, q, 10)
		g.want(t, "[6 7 8 9 10] at 1m0s")
	})
}

func TestSoftStopSaturates(t *testing.T) {
	gathers(t, 3, func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker) {
		publish(t, q, 1, 2)
		g.want(t)
		if r := w.Stop(forever(), forever()); r != (workers.Receipt{Finished: 2}) {
			t.Errorf("receipt %+v", r)
		}
		g.want(t, "[1 2] at 0s")
	})
}

func TestForcedStopFlushesNothing(t *testing.T) {
	gathers(t, 3, func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker) {
		publish(t, q, 1, 2)
		g.want(t)
		if r := w.Stop(over(), forever()); r != (workers.Receipt{Returned: 2}) {
			t.Errorf("receipt %+v", r)
		}
		g.want(t)
		if s := stats(t, q); s.Ready != 2 {
			t.Errorf("stats %+v", s)
		}
		if err := w.Start(t.Context()); err != nil { // the next life begins with nobody parked
			t.Fatal(err)
		}
		g.want(t)
		publish(t, q, 3)
		g.want(t, "[1 2 3] at 0s")
	})
}

func TestPauseSaturates(t *testing.T) {
	gathers(t, 3, func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker) {
		publish(t, q, 1)
		g.want(t)
		pauser(w).Pause()
		g.want(t, "[1] at 0s")
		publish(t, q, 2, 3)
		pauser(w).Resume()
		g.want(t)
		publish(t, q, 4)
		g.want(t, "[2 3 4] at 0s")
	})
}

func TestScaleSaturates(t *testing.T) {
	gathers(t, 3, func(t *testing.T, g *gatherer, q *queue.Queue[int], w workers.Worker) {
		publish(t, q, 1, 2)
		g.want(t)
		scale(t, w, 2)
		g.want(t, "[1 2] at 0s")
		publish(t, q, 3)
		g.want(t)
		scale(t, w, 4)
		publish(t, q, 4, 5)
		g.want(t)
		scale(t, w, 1) // fewer than are parked
		g.want(t, "[3 4 5] at 0s")
		publish(t, q, 6)
		g.want(t, "[6] at 0s")
	})
}

// Tasks that take no time are leased many at once. What is leased behind a task that parks is handed to the others.
func TestNothingWaitsBehindAParkedTask(t *testing.T) {
	gathers(t, 2, func(t *testing.T, g *gatherer, q *queue.Queue[int], _ workers.Worker) {
		publish(t, q, make([]int, 200)...)
		synctest.Wait()
		g.size = 2
		publish(t, q, append(make([]int, 20), 1, 0, 0, 0, 2, 0, 0, 3, 4)...)
		g.want(t, "[1 2] at 0s", "[3 4] at 0s")
		if s := stats(t, q); s.Completed != 229 || s.Dead+s.Retrying != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A parked task whose context ends leaves, and its slot takes another.
func TestParkedTaskIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		g := gather(5, time.Hour)
		consume(t, q, g.Handle, workers.Concurrency(2), workers.Timeout(time.Minute), workers.RetryPolicy(func(int, error) time.Duration { return 24 * time.Hour }))
		publish(t, q, 1)
		pass(2 * time.Minute)
		if s := stats(t, q); s.Retrying != 1 {
			t.Errorf("stats %+v", s)
		}
		publish(t, q, 2)
		g.want(t)
		publish(t, q, 3)
		g.want(t, "[2 3] at 2m0s")
	})
}

// What a handler may do wrong or in an odd order.
func TestParkingOddities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		var flushed []string
		called := make(chan struct{})
		flush := func(name string) func() { return func() { flushed = append(flushed, name); called <- struct{}{} } }
		var stale func()
		handle := func(ctx context.Context, n int) error {
			slots, _ := task.SlotsFrom(ctx)
			if slots.Size() != 1 {
				t.Errorf("size %d", slots.Size())
			}
			switch n {
			case 1: // parks twice, as a fan-out does, and registers when it is parked already
				first, second := slots.Park(), slots.Park()
				first()
				cancel := slots.OnSaturated(flush("at once"))
				<-called
				cancel()
				second()
				slots.OnSaturated(flush("later"))
				slots.OnSaturated(flush("never"))()
				slots.OnSaturated(func() { defer func() { called <- struct{}{} }(); panic("planted") })
			case 2: // does not unpark
				stale = slots.Park()
				<-called
				<-called
			case 3: // is not parked by what the one before left
				slots.OnSaturated(flush("too early"))()
				stale()
				defer slots.Park()()
				slots.OnSaturated(flush("last"))
				<-called
			}
			return nil
		}
		w := consume(t, q, handle)
		for n, want := range [][]string{1: {"at once"}, 2: {"at once", "later"}, 3: {"at once", "later", "last"}} {
			if n > 0 {
				publish(t, q, n)
				synctest.Wait()
			}
			if !slices.Equal(flushed, want) {
				t.Errorf("after %d: flushed %q, want %q", n, flushed, want)
			}
		}
		if s := w.Status(); s.Done != 3 || s.LastError != "panic: planted" {
			t.Errorf("status %+v", s)
		}
	})
}

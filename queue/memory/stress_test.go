package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

// TestStress has many publishers and consumers at a small queue. No task may be lost, and none may be held by two at once: a
// consumer marks a task as its own when it has it, and takes the mark away before it answers.
func TestStress(t *testing.T) {
	const publishers, consumers, each = 8, 8, 2000
	engine, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: "tests", Settings: &memory.Settings{Common: queue.Common{Capacity: 64}}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.For[int]("stress")
	if err != nil {
		t.Fatal(err)
	}
	q.Bind(engine, queue.Binding{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	w := &stress{q: q, held: make([]atomic.Int64, publishers*each), done: make([]atomic.Int64, publishers*each)}
	w.left.Store(publishers * each)
	working, enough := context.WithCancel(ctx)
	defer enough()
	w.enough = enough
	var wg sync.WaitGroup
	for i := range consumers {
		wg.Go(func() { w.consume(ctx, working, t, rand.New(rand.NewPCG(uint64(i), 0))) })
	}
	for i := range publishers {
		wg.Go(func() { w.publish(ctx, t, i*each, each) })
	}
	wg.Wait()

	for i := range w.done {
		if n := w.done[i].Load(); n != 1 {
			t.Errorf("task %d was done %d times", i, n)
		}
	}
	s, err := q.Stats(t.Context())
	if err != nil || s.Published != publishers*each || s.Completed != publishers*each || s.Unfinished() != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := q.Unbind().Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// stress is what publishers and consumers share. A task is a number, and the number its place in the lists.
type stress struct {
	q      *queue.Queue[int]
	held   []atomic.Int64 // the lease under which someone has the task
	done   []atomic.Int64
	left   atomic.Int64
	enough func()
}

func (w *stress) publish(ctx context.Context, t *testing.T, from, n int) {
	random := rand.New(rand.NewPCG(uint64(from), 1))
	for n > 0 {
		batch := make([]int, min(n, 1+random.IntN(20)))
		for i := range batch {
			batch[i] = from + i
		}
		if len(batch) == 1 {
			if _, err := w.q.Send(ctx, from, queue.Priority(random.IntN(3)), queue.After(time.Duration(random.IntN(1000)))); err != nil {
				t.Error(err)
				return
			}
		} else if _, err := w.q.PublishAll(ctx, batch); err != nil {
			t.Error(err)
			return
		}
		from, n = from+len(batch), n-len(batch)
	}
}

func (w *stress) consume(ctx, working context.Context, t *testing.T, random *rand.Rand) {
	for {
		ds, err := w.q.Receive(working, 1+random.IntN(16), time.Minute)
		if errors.Is(err, context.Canceled) {
			return
		}
		if err == nil {
			err = w.work(ctx, ds, random)
		}
		if err != nil {
			t.Error(err)
			w.enough()
			return
		}
	}
}

func (w *stress) work(ctx context.Context, ds []queue.Delivery[int], random *rand.Rand) error {
	for _, d := range ds {
		if !w.held[d.Value].CompareAndSwap(0, d.Lease) {
			return fmt.Errorf("task %d was handed out under lease %d while another is held", d.Value, d.Lease)
		}
	}
	cs := make([]queue.Completion, len(ds))
	finished := int64(0)
	for i, d := range ds {
		cs[i] = queue.Completion{Token: d.Token, Outcome: task.Done}
		switch random.IntN(8) {
		case 0:
			cs[i] = queue.Completion{Token: d.Token, Outcome: task.Retry, After: time.Duration(random.IntN(100_000))}
		case 1:
			cs[i] = queue.Completion{Token: d.Token, Outcome: task.Snoozed, After: time.Duration(random.IntN(100_000))}
		default:
			w.done[d.Value].Add(1)
			finished++
		}
		if !w.held[d.Value].CompareAndSwap(d.Lease, 0) {
			return fmt.Errorf("task %d: lease %d is held by another", d.Value, d.Lease)
		}
	}
	lost, err := w.q.Complete(ctx, cs)
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("leases %v are lost; they were held", lost)
	}
	if w.left.Add(-finished) == 0 {
		w.enough()
	}
	return err
}

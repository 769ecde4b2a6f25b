package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plba/plba/queue"
)

func concurrencyTests() []test {
	return []test{
		{"nothing is lost, nothing is held twice", 2000, concurrencyHistory},
		{"leases that expire at work", 60, concurrencyExpiry},
	}
}

// history is what goroutines saw, and what is wrong with it.
type history struct {
	mu     sync.Mutex
	tasks  map[string]*passage
	done   int
	faults []error
}

// passage is one task's part of the history.
type passage struct {
	holder  int64 // the lease that is held, 0: none
	last    int64 // the highest lease seen
	attempt int   // that the next claim must have
	done    bool
}

func (h *history) fault(format string, args ...any) {
	if len(h.faults) < 10 {
		h.faults = append(h.faults, fmt.Errorf(format, args...))
	}
}

// claimed notes a claim. It is called after Receive, and before the answer given is even prepared, so two claims that
// overlap here overlapped in the engine.
func (h *history) claimed(l queue.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tasks[l.ID]
	if t == nil {
		t = &passage{attempt: 1}
		h.tasks[l.ID] = t
	}
	switch {
	case t.done:
		h.fault("task %s was handed out after it was done", l.ID)
	case t.holder != 0:
		h.fault("task %s was handed out under lease %d while lease %d was held", l.ID, l.Lease, t.holder)
	case l.Lease <= t.last:
		h.fault("task %s: lease %d followed lease %d", l.ID, l.Lease, t.last)
	case l.Info.Attempt != t.attempt:
		h.fault("task %s: attempt %d, expected %d", l.ID, l.Info.Attempt, t.attempt)
	}
	t.holder, t.last = l.Lease, l.Lease
}

// answering notes an answer; it is called before Complete.
func (h *history) answering(l queue.Lease, c queue.Completion) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tasks[l.ID]
	t.holder = 0
	if c.Counted {
		t.attempt++
	}
	if c.Outcome == done(c.Token).Outcome {
		t.done = true
		h.done++
	}
}

func (h *history) finished() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// answer is done in most cases, and each of the ways back in some.
func answer(l queue.Lease, random *rand.Rand) queue.Completion {
	switch random.IntN(10) {
	case 0:
		return retry(l.Token, 0, "again")
	case 1:
		return retry(l.Token, time.Millisecond, "again")
	case 2:
		return snooze(l.Token, time.Millisecond)
	case 3:
		return giveBack(l.Token)
	default:
		return done(l.Token)
	}
}

func concurrencyHistory(r *rig) {
	const publishers, consumers, each = 4, 8, 500
	h := &history{tasks: map[string]*passage{}}
	batches := make([][]queue.Record, publishers)
	for i := range batches {
		batches[i] = r.records(each, attempts(0))
	}
	ctx, cancel := r.patient()
	defer cancel()
	stop, enough := context.WithCancel(ctx)
	defer enough()
	r.together(publishers+consumers, func(i int) error {
		if i < publishers {
			return publishSlowly(ctx, r.engine, batches[i])
		}
		random := rand.New(rand.NewPCG(uint64(i), 1))
		for h.finished() < publishers*each {
			ls, err := r.engine.Receive(stop, 1+random.IntN(20), ample)
			if err != nil {
				return unless(stop, err)
			}
			if err := h.work(ctx, r.engine, ls, random); err != nil {
				return err
			}
		}
		enough()
		return nil
	})
	if err := errors.Join(h.faults...); err != nil {
		r.Fatalf("%v", err)
	}
	if h.done != publishers*each || len(h.tasks) != publishers*each {
		r.Errorf("%d tasks published, %d seen, %d done", publishers*each, len(h.tasks), h.done)
	}
	s := r.stats()
	if s.Published != publishers*each || s.Completed != publishers*each || s.Unfinished() != 0 || s.Dead != 0 {
		r.Errorf("after %d tasks: %s, published %d, completed %d", publishers*each, countsOf(s), s.Published, s.Completed)
	}
}

// work answers for all leases at once, and demands that none was lost.
func (h *history) work(ctx context.Context, e queue.Engine, ls []queue.Lease, random *rand.Rand) error {
	for _, l := range ls {
		h.claimed(l)
	}
	cs := make([]queue.Completion, len(ls))
	for i, l := range ls {
		cs[i] = answer(l, random)
		h.answering(l, cs[i])
	}
	lost, err := e.Complete(ctx, cs)
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("leases %v are lost; they were held", lost)
	}
	return err
}

// publishSlowly publishes in small batches, as many publishers do.
func publishSlowly(ctx context.Context, e queue.Engine, rs []queue.Record) error {
	for len(rs) > 0 {
		n := min(len(rs), 7)
		receipts, err := e.Publish(ctx, rs[:n], true)
		if err != nil {
			return err
		}
		rs = rs[len(receipts):]
	}
	return nil
}

// unless hides the error of a context that was ended on purpose.
func unless(stop context.Context, err error) error {
	if errors.Is(err, context.Canceled) && stop.Err() != nil {
		return nil
	}
	return err
}

// concurrencyExpiry has consumers that keep some tasks beyond their leases, and then answer late.
func concurrencyExpiry(r *rig) {
	const n = 60
	ids := r.publishN(n, attempts(0))
	ctx, cancel := r.patient()
	defer cancel()
	var mu sync.Mutex
	finished := map[string]int{}
	r.together(6, func(i int) error {
		for {
			mu.Lock()
			enough := len(finished) == n
			mu.Unlock()
			if enough {
				return nil
			}
			if err := r.workLate(ctx, i, func(id string) {
				mu.Lock()
				defer mu.Unlock()
				finished[id]++
			}); err != nil {
				return err
			}
		}
	})
	for _, id := range ids {
		if finished[id] != 1 {
			r.Errorf("task %s was done %d times", id, finished[id])
		}
	}
	if s := r.stats(); s.Completed != n || s.Unfinished() != 0 {
		r.Errorf("after %d tasks: %s, completed %d", n, countsOf(s), s.Completed)
	}
}

// workLate claims a few tasks; each third consumer lets the leases expire before it answers.
func (r *rig) workLate(ctx context.Context, consumer int, finished func(id string)) error {
	ls, err := r.briefly(r.engine, 5, brief)
	if err != nil {
		return err
	}
	if consumer%3 == 0 {
		r.pause(brief + quiet)
	}
	for _, l := range ls {
		lost, err := r.engine.Complete(ctx, []queue.Completion{done(l.Token)})
		if err != nil {
			return err
		}
		if len(lost) == 0 {
			finished(l.ID)
		}
	}
	return nil
}

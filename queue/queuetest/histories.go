package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func historiesTests() []test {
	return []test{{"every call fits in between", 400, histories}}
}

// record collects the calls that concern each task.
type record struct {
	clock atomic.Int64
	mu    sync.Mutex
	calls map[string][]call
	total int
}

// note adds a call that began at that time and has just ended.
func (h *record) note(id, what string, began int64, step func(life) (life, bool)) {
	end := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[id] = append(h.calls[id], call{what, began, end, step})
	h.total++
}

func (h *record) begin() int64 { return h.clock.Add(1) }

// histories lets publishers, consumers and operators at one queue, and then asks of each task whether what they were told can have been.
func histories(r *rig) {
	const tasks, batch = 400, 8
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Capacity = 2 * tasks })
	h := &record{calls: map[string][]call{}}
	rs := r.records(tasks, attempts(fewAttempts))
	var left atomic.Int64 // publishers and operators
	left.Store(4)
	r.together(10, func(i int) error {
		random := rand.New(rand.NewPCG(uint64(i), 3))
		switch {
		case i < 2:
			defer left.Add(-1)
			mine := rs[i*tasks/2 : (i+1)*tasks/2]
			for n := 0; n < len(mine); n += batch {
				if err := r.publishNoting(h, mine[n:n+batch]); err != nil {
					return err
				}
			}
			return nil
		case i < 4:
			defer left.Add(-1)
			for range 2 * tasks {
				if err := r.operate(h, rs[random.IntN(tasks)].Info.ID, random); err != nil {
					return err
				}
			}
			return nil
		default:
			var before []queue.Completion
			for {
				over := left.Load() == 0
				cs, err := r.consumeNoting(h, random)
				if err == nil {
					err = r.completeNoting(h, before) // once more, and too late
				}
				if err != nil || len(cs) == 0 && over {
					return err
				}
				before = cs
			}
		}
	})
	for _, rec := range rs {
		r.operateEnd(h, rec.Info.ID)
		if fault := judge(h.calls[rec.Info.ID]); fault != "" {
			r.Fatalf("task %s: %s", rec.Info.ID, fault)
		}
	}
	if least := 10 * tasks; h.total < least {
		r.Errorf("%d calls were judged, they are to be %d at least", h.total, least)
	}
	if s := r.stats(); s.Unfinished() != 0 || s.Published != tasks {
		r.Errorf("at the end stats are %+v", s)
	}
}

func (r *rig) publishNoting(h *record, rs []queue.Record) error {
	began := h.begin()
	receipts, err := r.engine.Publish(r.Context(), rs, true)
	for _, receipt := range receipts {
		h.note(receipt.ID, "published", began, published)
	}
	return err
}

// consumeNoting claims a few tasks and answers for each of them.
func (r *rig) consumeNoting(h *record, random *rand.Rand) (cs []queue.Completion, err error) {
	began := h.begin()
	ls, err := r.briefly(r.engine, 1+random.IntN(6), ample)
	for _, l := range ls {
		h.note(l.ID, fmt.Sprintf("claimed under %d, attempt %d, to undo: %t", l.Lease, l.Info.Attempt, l.Info.Undo), began, claimed(l))
	}
	if err != nil {
		return nil, err
	}
	for _, l := range ls {
		if random.IntN(3) == 0 && r.caps.Missing(queue.Checkpointed) == 0 {
			began := h.begin()
			err := r.engine.Checkpoints(l.Token).Save(r.Context(), task.UndoPrefix+"a", 1)
			if err != nil && !errors.Is(err, task.ErrLeaseLost) {
				return nil, err
			}
			h.note(l.ID, fmt.Sprintf("saved under %d: %v", l.Lease, err), began, saved(l.Token, err))
		}
		if random.IntN(3) == 0 {
			began := h.begin()
			renewal, err := r.engine.Renew(r.Context(), []queue.Token{l.Token}, ample)
			if err != nil {
				return nil, err
			}
			h.note(l.ID, fmt.Sprintf("renewed %d: %+v", l.Lease, renewal), began, renewed(l.Token, renewal))
		}
		cs = append(cs, anyAnswer(l.Token, random))
	}
	return cs, r.completeNoting(h, cs)
}

func anyAnswer(t queue.Token, random *rand.Rand) queue.Completion {
	switch random.IntN(8) {
	case 0:
		return bury(t, "bad")
	case 1:
		return giveBack(t)
	case 2:
		return snooze(t, 0)
	case 3:
		return yielded(t, "stopped")
	case 4, 5:
		return retry(t, 0, "again")
	default:
		return done(t)
	}
}

func (r *rig) completeNoting(h *record, cs []queue.Completion) error {
	if len(cs) == 0 {
		return nil
	}
	began := h.begin()
	lost, err := r.engine.Complete(r.Context(), cs)
	if err != nil {
		return err
	}
	late := map[queue.Token]bool{}
	for _, t := range lost {
		late[t] = true
	}
	for _, c := range cs {
		h.note(c.ID, fmt.Sprintf("%s under %d, counted: %t, lost: %t", c.Outcome, c.Lease, c.Counted, late[c.Token]), began, answered(c, late[c.Token]))
	}
	return nil
}

// operate does what an operator does with a task.
func (r *rig) operate(h *record, id string, random *rand.Rand) error {
	began := h.begin()
	switch random.IntN(3) {
	case 0:
		err := r.engine.Cancel(r.Context(), id, "enough")
		var wrong *queue.StateError
		var state queue.State
		gone := errors.Is(err, queue.ErrNotFound)
		if errors.As(err, &wrong) {
			state = wrong.State
		} else if err != nil && !gone {
			return err
		}
		h.note(id, fmt.Sprintf("cancelled: %v", err), began, cancelled(state, gone))
	case 1:
		n, err := r.engine.Requeue(r.Context(), queue.ByID(id))
		if err != nil {
			return err
		}
		h.note(id, fmt.Sprintf("requeued %d", n), began, requeued(n))
	default:
		return r.lookNoting(r.Context(), h, id, began)
	}
	return nil
}

func (r *rig) lookNoting(ctx context.Context, h *record, id string, began int64) error {
	t, err := r.engine.Task(ctx, id)
	gone := errors.Is(err, queue.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	h.note(id, fmt.Sprintf("looked: %s, leased: %t, cancelling: %t, %v", t.State, !t.LeasedUntil.IsZero(), t.Cancelling, err), began, looked(t, gone))
	return nil
}

// operateEnd looks at a task when nobody touches it any more.
func (r *rig) operateEnd(h *record, id string) {
	r.Helper()
	if err := r.lookNoting(r.Context(), h, id, h.begin()); err != nil {
		r.Fatalf("Task: %v", err)
	}
}

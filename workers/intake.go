package workers

import (
	"context"
	"time"
)

// step is what a slot does next.
type step uint8

const (
	handle step = iota // the task at hand
	tell               // the queue what became of tasks
	scout              // wait for tasks in the queue
	leave              // the crew
)

// next gives the slot its next step, and with handle its next task.
func (k *crew[T]) next(s *slot[T]) step {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.arrivedLocked(s)
	k.settleLocked(s)
	over := k.overLocked()
	if over {
		k.returnLocked(0)
	}
	switch {
	case len(k.answers) > 0 && (len(k.pending) == 0 || len(k.answers) >= largestShare):
		return tell
	case len(k.pending) > 0:
		k.takeLocked(s)
		return handle
	case over || k.scout != nil:
		k.takeOutLocked(s) // in the same step, so that a scout who finds work does not count on it
		k.arrangeLocked()
		return leave
	default:
		k.scout = s
		k.saturateLocked() // it holds no task, after all
		if k.asking == nil || k.asking.Err() != nil {
			k.asking, k.recall = context.WithCancel(k.r.intake)
		}
		return scout
	}
}

// takeLocked makes the first pending task the slot's own.
func (k *crew[T]) takeLocked(s *slot[T]) {
	s.current, k.pending = &k.pending[0], k.pending[1:]
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(k.r.ctx)
	}
	if len(k.answers) > 0 {
		k.tellSoonLocked()
	}
	k.reinforceLocked()
}

// returnLocked gives up what is leased and not begun, but for the first so many: the answers say so. False: there is nothing.
func (k *crew[T]) returnLocked(keep int) bool {
	some := len(k.pending) > keep
	for i := keep; i < len(k.pending); i++ {
		k.answers = append(k.answers, returned(k.pending[i].Token))
	}
	k.pending = k.pending[:min(keep, len(k.pending))]
	return some
}

// giveBack lets the queue have what is leased and not begun.
func (k *crew[T]) giveBack() {
	k.mu.Lock()
	some := k.returnLocked(0)
	k.mu.Unlock()
	if some {
		k.tell()
	}
}

// ask waits for tasks in the queue, begins the slots that they need, and takes the first; false: there is none to take. When the stop comes the first is handled
// all the same: for it the slot was sent.
func (k *crew[T]) ask(s *slot[T]) bool {
	cancels := k.cancels.Load()
	most, each := k.demand()
	batch := k.receive(k.asking, most)
	if len(batch) > 0 {
		k.scheduleRenewal()
	}
	attempts := make([]attempt[T], len(batch))
	for i := range batch {
		attempts[i].Lease = &batch[i]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = attempts
	k.batches++
	if len(batch) > 0 && k.cancels.Load() != cancels { // one of them may have been cancelled before it was noted
		k.mu.Unlock()
		k.extend(k.leases())
		k.mu.Lock()
	}
	return k.foundLocked(s, each)
}

// foundLocked ends the slot's time as scout. What it brought stays as far as slots are there for it: the crew may have become smaller meanwhile.
func (k *crew[T]) foundLocked(s *slot[T], each int) (took bool) {
	k.scout = nil
	if len(k.pending) == 0 || k.yield {
		return false
	}
	room := max(k.limit-len(k.slots), 0)
	if k.returnLocked((room + 1) * each) {
		k.wg.Go(k.tell)
	}
	k.takeLocked(s)
	if !k.overLocked() {
		for range min(room-k.coming, (len(k.pending)+each-1)/each) {
			k.beginLocked()
		}
	}
	return true
}

// largestDemand is how many tasks are asked for at once at most: they are in memory together, and other processes may want some too.
const largestDemand = 1000

// batchWork is how much work a slot's share of a demand has, and largestShare how many tasks at most.
const (
	batchWork    = time.Millisecond
	largestShare = 32
)

// demand is how many tasks the scout asks for: enough for all slots that are free, and how many of them each is to get: about a millisecond of work, so that short
// tasks share the cost of a slot, and long ones are left to other consumers. With a handler that parks it is one task: nothing may wait behind a parked
// one.
func (k *crew[T]) demand() (most, each int) {
	each = 1
	if pace := k.pace.Load(); pace > 0 && !k.c.parks.Load() {
		each = int(min(max(int64(batchWork)/pace, 1), largestShare))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	free := k.limit - len(k.slots) + 1 // the scout is one of the slots
	return min(max(free, 1)*each, largestDemand), each
}

func (k *crew[T]) notePace(total time.Duration, tasks int) {
	per := max(int64(total)/int64(tasks), 1)
	if old := k.pace.Load(); old > 0 {
		per = old + (per-old)/8
	}
	k.pace.Store(max(per, 1))
}

package workers

import (
	"slices"
	"sync"

	"github.com/plba/plba/task"
)

// A handler that gathers items of several tasks parks their slots meanwhile. The crew is saturated when waiting for more is pointless: every slot that holds
// a task is parked, and no other slot may take one, because all are taken, or the intake is paused, or has ended. A slot that waits for work is not
// parked: a task may come to it. While the stop is forced nothing is flushed, since then the handlers' contexts have ended.
//
// What is leased and not begun when a task parks goes back to the queue at once, and from then on the worker takes its tasks one by one.

// flush is what OnSaturated registered.
type flush struct{ call func() }

// saturateLocked calls every flush, each in a goroutine that the crew waits for, if the crew is saturated. It follows every change of slots, parking and
// concurrency.
func (k *crew[T]) saturateLocked() {
	holding := len(k.slots)
	if k.scout != nil {
		holding--
	}
	switch {
	case len(k.flushes) == 0, holding == 0, k.parked < holding:
		return
	case k.r.intake.Err() == nil && !k.c.gate.paused() && k.c.concurrency() > holding && !k.c.env.Eager:
		return // more may come
	case k.r.forced.Load():
		return
	}
	for _, f := range k.flushes {
		k.wg.Go(func() { k.callFlush(f) }) // a slot is there, so nobody's wait is over
	}
	k.flushes = nil
}

// callFlush calls a flush. It is foreign code: what it does not flush, the wait of its batch will.
func (k *crew[T]) callFlush(f *flush) {
	defer func() {
		if v := recover(); v != nil {
			err := NewPanicError(v)
			k.c.noteError(err)
			k.c.env.Logger.Error("flush panicked", "worker", k.c.name, "error", err, "stack", err.Stack())
		}
	}()
	f.call()
}

// Size implements task.Slots.
func (k *crew[T]) Size() int { return k.c.concurrency() }

// OnSaturated implements task.Slots.
func (k *crew[T]) OnSaturated(call func()) (cancel func()) {
	f := &flush{call}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flushes = append(k.flushes, f)
	k.saturateLocked()
	return func() { k.withdraw(f) }
}

func (k *crew[T]) withdraw(f *flush) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flushes = slices.DeleteFunc(k.flushes, func(other *flush) bool { return other == f })
}

// Park implements task.Slots for those who hold no task's context: it counts as one slot.
func (k *crew[T]) Park() (unpark func()) {
	k.park(1)
	return sync.OnceFunc(func() { k.park(-1) })
}

func (k *crew[T]) park(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parked += n
	k.saturateLocked()
}

var (
	_ task.Slots = (*crew[int])(nil)
	_ task.Slots = (*slot[int])(nil)
)

// Size implements task.Slots.
func (s *slot[T]) Size() int { return s.crew.Size() }

// OnSaturated implements task.Slots.
func (s *slot[T]) OnSaturated(call func()) (cancel func()) { return s.crew.OnSaturated(call) }

// Park implements task.Slots: the slot is parked while at least one part of its handler is.
func (s *slot[T]) Park() (unpark func()) {
	k := s.crew
	k.c.parks.Store(true)
	k.giveBack()
	k.mu.Lock()
	defer k.mu.Unlock()
	turn := s.turn
	if s.parks.Add(1) == 1 {
		k.parked++
		k.saturateLocked()
	}
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if s.turn == turn && s.parks.Add(-1) == 0 {
			k.parked--
		}
	})
}

// unparkAll makes up for parts of a handler that did not unpark before it returned.
func (s *slot[T]) unparkAll() {
	if s.parks.Load() == 0 {
		return
	}
	s.crew.mu.Lock()
	defer s.crew.mu.Unlock()
	s.turn++
	if s.parks.Swap(0) > 0 {
		s.crew.parked--
	}
}

package workers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
	"github.com/sourcegraph/conc"
)

// crew is the set of slots of one consumer's life, and what they have in common: the tasks that are leased and not begun (pending), and the answers that
// the queue has not been told yet. One slot at most, the scout, waits in the queue, for itself and for as many slots as there may be; when it gets tasks it
// begins the slots that they need. A slot that needs a task takes the first pending one; without any it is the scout, or leaves if there is one. Whoever takes
// a task sends for another slot, if the concurrency allows and none is on its way or waiting. So an idle consumer costs one waiting slot, a busy one as many
// as it handles tasks, and no pending task waits while a slot is free.
//
// The concurrency and the pause may change at any time; arrange brings the crew in line. While the crew yields (it is paused, or has more
// slots than it may) the scout is called back, what is pending goes back to the queue, and slots leave when they are done with what they have.
type crew[T any] struct {
	c  *consumer[T]
	r  *run
	wg conc.WaitGroup

	detach func(context.Context) error // of the handler; nil without one
	unhear func()                      // ends being told of cancelled tasks

	mu      sync.Mutex
	limit   int        // how many slots there may be
	yield   bool       // paused, or more slots than there may be
	slots   []*slot[T] // those that are at work
	left    []*slot[T] // those that have left, to be used again
	coming  int        // slots that were begun and have not come for their first task
	scout   *slot[T]   // waits in the queue
	pending []attempt[T]
	batches uint64             // numbers what became pending
	answers []queue.Completion // of tasks that are finished, or go back
	unused  []queue.Completion // an empty slice, to be used again
	late    *time.Timer        // bounds how long answers wait; see tellSoonLocked
	isLate  bool               // it is set
	asking  context.Context    // of the scout: ends with the intake, or when the scout is called back
	recall  context.CancelFunc // ends asking
	parked  int                // slots that wait for other tasks
	flushes []*flush           // what is to be called when all wait

	failures int          // how often in a row the queue could not be asked; the scout's, as is the next
	failing  time.Time    // since when
	pace     atomic.Int64 // moving average of the time per task, ns; decides how many to take at once

	cancels atomic.Uint64 // tasks that were cancelled through the queue

	tellMu  sync.Mutex // held while the timer tells
	renewMu sync.Mutex // held while all leases are renewed
	renewal *time.Timer
	renewed uint64 // batches at the last renewal
	ended   bool   // guarded by tellMu and renewMu: read under one, written under both
}

func (k *crew[T]) arrange() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.arrangeLocked()
}

// dismiss waits for the slots when the intake has ended.
func (k *crew[T]) dismiss(*run) (err error) {
	defer func() { err = errors.Join(err, k.leave()) }()
	k.arrange() // once for the lock: whoever saw the intake open has begun his slot, so that the wait sees it
	k.wg.Wait()
	k.unhear()
	k.closeTimers()
	return nil
}

// closeTimers waits for what timers have begun, and lets them begin nothing more.
func (k *crew[T]) closeTimers() {
	k.tellMu.Lock()
	defer k.tellMu.Unlock()
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	k.ended = true
	for _, t := range []*time.Timer{k.renewal, k.late} {
		if t != nil {
			t.Stop()
		}
	}
}

// over says whether nothing more is to be begun.
func (k *crew[T]) overLocked() bool { return k.yield || k.r.intake.Err() != nil }

// arrangeLocked follows every change of the slots, the concurrency or the pause. No slot is begun once the intake has ended.
func (k *crew[T]) arrangeLocked() {
	k.limit = k.c.concurrency()
	k.yield = len(k.slots) > k.limit || k.c.gate.paused()
	if k.yield && k.scout != nil && k.r.intake.Err() == nil {
		k.recall()
	}
	if k.overLocked() && k.returnLocked(0) {
		k.wg.Go(k.tell) // what is pending has a slot that will come for it, so nobody's wait is over
	}
	k.reinforceLocked()
	k.saturateLocked()
}

// reinforceLocked begins a slot if there may be one more, and neither one that waits for work nor one that is on its way.
func (k *crew[T]) reinforceLocked() {
	if k.scout == nil && k.coming == 0 && len(k.slots) < k.limit && !k.overLocked() {
		k.beginLocked()
	}
}

func (k *crew[T]) beginLocked() {
	s := &slot[T]{crew: k}
	if last := len(k.left) - 1; last >= 0 {
		s, k.left = k.left[last], k.left[:last]
	} else {
		s.run = s.work
	}
	k.coming++
	s.coming = true
	s.place, k.slots = len(k.slots), append(k.slots, s)
	k.wg.Go(s.run)
}

// arrivedLocked notes that a slot has come for a task, for its first one perhaps.
func (k *crew[T]) arrivedLocked(s *slot[T]) {
	if s.coming {
		s.coming = false
		k.coming--
	}
}

// replace takes a slot out that ended by runtime.Goexit; if it is needed, another takes its place.
func (k *crew[T]) replace(s *slot[T]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.arrivedLocked(s)
	if k.scout == s {
		k.scout = nil
	}
	s.current = nil
	k.takeOutLocked(s)
	k.arrangeLocked()
}

func (k *crew[T]) takeOutLocked(s *slot[T]) {
	last := len(k.slots) - 1
	k.slots[s.place] = k.slots[last]
	k.slots[s.place].place = s.place
	k.slots[last] = nil
	k.slots = k.slots[:last]
	k.left = append(k.left, s)
}

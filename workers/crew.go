package workers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sourcegraph/conc"

	"github.com/plba/plba/queue"
)

// crew is the set of slots of one consumer's life. Exactly one slot, the scout, waits in the queue; when it gets work it shares it out among the slots that are free
// and itself, and sends for the next scout, if the concurrency allows. A slot that is done while there is a scout leaves. So an idle consumer
// costs one waiting slot, a busy one as many as it handles tasks.
//
// The concurrency and the pause may change at any time; arrange brings the crew in line. While the crew yields (it is paused, or has more
// slots than it may) the scout is called back, slots give back what they have not begun, and leave when they are done with what they have.
type crew[T any] struct {
	c  *consumer[T]
	r  *run
	wg conc.WaitGroup

	detach func(context.Context) error // of the handler; nil without one
	unhear func()                      // ends being told of cancelled tasks

	mu       sync.Mutex
	slots    []*slot[T]
	scouting bool
	asking   context.Context    // of the scout: ends with the intake, or when the scout is called back
	recall   context.CancelFunc // ends asking
	yield    atomic.Bool        // paused, or more slots than there may be; written under mu
	parked   int                // slots that wait for other tasks
	flushes  []*flush           // what is to be called when all wait

	pace atomic.Int64 // moving average of the time per task, ns; decides how many to take at once

	cancels atomic.Uint64 // tasks that were cancelled through the queue

	renewMu sync.Mutex // held while all leases are renewed
	renewal *time.Timer
	ended   bool
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
	k.closeRenewal()
	return nil
}

// arrangeLocked follows every change of the slots, the concurrency or the pause. No slot is begun once the intake has ended.
func (k *crew[T]) arrangeLocked() {
	room := k.c.concurrency() - len(k.slots)
	yield := room < 0 || k.c.gate.paused()
	k.yield.Store(yield)
	switch {
	case k.r.intake.Err() != nil:
	case yield:
		if k.scouting {
			k.recall()
		}
	case !k.scouting && room > 0:
		k.beginLocked(nil)
	}
	k.saturateLocked()
}

// takeScout makes the slot the scout, who asks the queue with the context. False: there is one already, or nothing may be taken; then the slot is out, in the
// same step, so that a scout who finds work does not count on it.
func (k *crew[T]) takeScout(s *slot[T]) (context.Context, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scouting || k.yield.Load() || k.r.intake.Err() != nil {
		k.takeOutLocked(s)
		k.arrangeLocked()
		return nil, false
	}
	k.scouting = true
	k.saturateLocked() // it holds no task, after all
	if k.asking == nil || k.asking.Err() != nil {
		k.asking, k.recall = context.WithCancel(k.r.intake)
	}
	return k.asking, true
}

// found ends the caller's time as scout. What it brings is shared out: so many tasks for each slot, which the caller is the first of; the others begin now. Then
// another slot takes its place. While the crew yields or the intake has ended, the caller keeps all, and does with it what is right then. It returns the tasks
// that nobody is there for, because the crew has become smaller meanwhile.
func (k *crew[T]) found(s *slot[T], batch []queue.Delivery[T], each int) (excess []queue.Delivery[T]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.scouting = false
	if len(batch) == 0 {
		return nil
	}
	if k.yield.Load() || k.r.intake.Err() != nil {
		each = len(batch)
	}
	share := func() (of []queue.Delivery[T]) {
		n := min(each, len(batch))
		of, batch = batch[:n:n], batch[n:]
		return of
	}
	s.take(share())
	for room := k.c.concurrency() - len(k.slots); room > 0 && len(batch) > 0; room-- {
		k.beginLocked(share())
	}
	k.arrangeLocked()
	return batch
}

// beginLocked begins a slot with the tasks it has to handle first.
func (k *crew[T]) beginLocked(tasks []queue.Delivery[T]) {
	s := &slot[T]{crew: k, rest: tasks}
	s.place, k.slots = len(k.slots), append(k.slots, s)
	k.wg.Go(s.work)
}

// replace takes a slot out that ended by runtime.Goexit; if nobody waits for work now, another takes its place.
func (k *crew[T]) replace(s *slot[T]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.takeOutLocked(s)
	k.arrangeLocked()
}

func (k *crew[T]) takeOutLocked(s *slot[T]) {
	last := len(k.slots) - 1
	k.slots[s.place] = k.slots[last]
	k.slots[s.place].place = s.place
	k.slots[last] = nil
	k.slots = k.slots[:last]
}

// largestDemand is how many tasks are asked for at once at most: they are in memory together, and other processes may want some too.
const largestDemand = 1000

// demand is how many tasks the scout asks for: enough for all slots that are free, and how many of them each is to get: about a millisecond of work, so that short
// tasks share the cost of a slot and a long one never waits behind another while slots are free. With a handler that parks it is one task: nothing may wait
// behind a parked one.
func (k *crew[T]) demand() (most, each int) {
	each = 1
	if pace := k.pace.Load(); pace > 0 && !k.c.parks.Load() {
		each = int(min(max(int64(time.Millisecond)/pace, 1), 32))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	free := k.c.concurrency() - len(k.slots) + 1 // the scout is one of the slots
	return min(max(free, 1)*each, largestDemand), each
}

func (k *crew[T]) notePace(total time.Duration, tasks int) {
	per := max(int64(total)/int64(tasks), 1)
	if old := k.pace.Load(); old > 0 {
		per = old + (per-old)/8
	}
	k.pace.Store(max(per, 1))
}

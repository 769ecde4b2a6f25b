package workers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/sourcegraph/conc"
)

// crew is the set of slots of one consumer's life. Exactly one slot, the scout, waits in the queue; when it gets work it sends for the
// next scout, if the concurrency allows, and handles what it got. A slot that is done while there is a scout leaves. So an idle consumer
// costs one goroutine, a busy one as many as it handles tasks.
type crew[T any] struct {
	c  *consumer[T]
	r  *run
	wg conc.WaitGroup

	mu       sync.Mutex
	slots    map[*slot[T]]struct{}
	scouting bool

	pace atomic.Int64 // moving average of the time per task, ns; decides how many to take at once

	renewMu sync.Mutex // held while leases are renewed
	renewal *time.Timer
	ended   bool
}

func (k *crew[T]) start() {
	k.mu.Lock()
	k.spawnLocked()
	k.mu.Unlock()
}

func (k *crew[T]) spawnLocked() {
	s := &slot[T]{crew: k}
	k.slots[s] = struct{}{}
	k.wg.Go(s.work)
}

// takeScout makes the slot the scout. False: there is one already, or nothing may be taken; then the slot is out, in the same step, so that a scout who
// finds work does not count on it.
func (k *crew[T]) takeScout(s *slot[T]) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scouting || k.r.intake.Err() != nil {
		delete(k.slots, s)
		return false
	}
	k.scouting = true
	return true
}

// found ends the caller's time as scout; when it brings work, another slot takes its place.
func (k *crew[T]) found(work bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.scouting = false
	if work && len(k.slots) < k.c.opts.concurrency && k.r.intake.Err() == nil {
		k.spawnLocked()
	}
}

// replace takes a slot out that ended by runtime.Goexit; if nobody waits for work now, another takes its place.
func (k *crew[T]) replace(s *slot[T]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.slots, s)
	if !k.scouting && k.r.intake.Err() == nil {
		k.spawnLocked()
	}
}

// batch is how many tasks a slot takes at once: about a millisecond of work, so that short tasks share the cost of asking and a long one
// never waits behind another while slots are free.
func (k *crew[T]) batch() int {
	pace := k.pace.Load()
	if pace == 0 {
		return 1
	}
	return int(min(max(int64(time.Millisecond)/pace, 1), 32))
}

func (k *crew[T]) notePace(total time.Duration, tasks int) {
	per := max(int64(total)/int64(tasks), 1)
	if old := k.pace.Load(); old > 0 {
		per = old + (per-old)/8
	}
	k.pace.Store(max(per, 1))
}

// scheduleRenewal makes sure that leases are renewed while there are any.
func (k *crew[T]) scheduleRenewal() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	if k.renewal == nil && !k.ended {
		k.renewal = time.AfterFunc(k.c.opts.lease/3, k.renew)
	}
}

func (k *crew[T]) closeRenewal() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	k.ended = true
	if k.renewal != nil {
		k.renewal.Stop()
	}
}

// renew extends every lease that a slot holds, in one call. What the queue calls lost is lost to its slot too.
func (k *crew[T]) renew() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	if k.ended {
		return
	}
	k.mu.Lock()
	holders := map[queue.Token]*slot[T]{}
	for s := range k.slots {
		for _, t := range s.holds() {
			holders[t] = s
		}
	}
	k.mu.Unlock()
	if len(holders) == 0 {
		k.renewal = nil
		return
	}
	tokens := make([]queue.Token, 0, len(holders))
	for t := range holders {
		tokens = append(tokens, t)
	}
	ctx, cancel := context.WithTimeout(k.r.answers, k.c.opts.lease/3)
	defer cancel()
	lost, err := k.c.queue.Renew(ctx, tokens, k.c.opts.lease)
	if err != nil {
		k.c.noteError(err)
		k.c.env.Logger.Error("cannot renew leases", "worker", k.c.name, "queue", k.c.queue.Name(), "leases", len(tokens), "error", err)
	}
	for _, t := range lost {
		if s := holders[t]; s != nil {
			s.lose(t, task.ErrLeaseLost)
		}
	}
	k.renewal.Reset(k.c.opts.lease / 3)
}

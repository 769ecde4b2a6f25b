package workers

import (
	"context"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// holders are leases with the slots that hold them.
type holders[T any] map[queue.Token]*slot[T]

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

// renew extends every lease that a slot holds, in one call; not beyond the life: what an abandoned call holds goes to another when the lease has ended.
func (k *crew[T]) renew() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	if k.ended || k.r.answers.Err() != nil {
		return
	}
	all := k.leases()
	if len(all) == 0 {
		k.renewal = nil
		return
	}
	k.extend(all)
	k.renewal.Reset(k.c.opts.lease / 3)
}

// leases are those of all slots.
func (k *crew[T]) leases() holders[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := holders[T]{}
	for _, s := range k.slots {
		s.leases(all)
	}
	return all
}

// extend renews leases, and ends what the queue calls lost or cancelled. A cancelled task that was not begun goes back: the queue knows how it is to end.
func (k *crew[T]) extend(leases holders[T]) {
	tokens := make([]queue.Token, 0, len(leases))
	for t := range leases {
		tokens = append(tokens, t)
	}
	ctx, cancel := context.WithTimeout(k.r.answers, k.c.opts.lease/3)
	defer cancel()
	var renewed queue.Renewed
	err := guarded(func() (err error) {
		renewed, err = k.c.queue.Renew(ctx, tokens, k.c.opts.lease)
		return err
	})
	if err != nil {
		k.c.noteError(err)
		k.c.env.Logger.Error("cannot renew leases", "worker", k.c.name, "queue", k.c.queue.Name(), "leases", len(tokens), "error", err)
	}
	for _, t := range renewed.Lost {
		if s := leases[t]; s != nil {
			s.lose(t, task.ErrLeaseLost)
		}
	}
	for _, t := range renewed.Cancelled {
		if s := leases[t]; s != nil && s.lose(t, task.ErrCancelled) {
			k.c.complete(k.r, []queue.Completion{returned(t)})
		}
	}
}

// hear is told of every task that is cancelled through the queue in this process: a slot that has it renews its leases at once, and so learns whether it is to
// end. Whoever is just being handed tasks sees the count.
func (k *crew[T]) hear(id string) {
	k.cancels.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.slots {
		if s.has(id) {
			held := s.leases(nil)
			k.wg.Go(func() { k.extend(held) }) // the slot is there, so nobody's wait is over
			return
		}
	}
}

package workers

import (
	"context"
	"slices"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// scheduleRenewal makes sure that leases are renewed while there are any.
func (k *crew[T]) scheduleRenewal() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	if k.renewal == nil && !k.ended {
		k.renewal = time.AfterFunc(k.c.opts.lease/3, k.renew)
	}
}

// renew extends every lease of the crew, in one call; not beyond the life: what an abandoned call holds goes to another when the lease has ended. What has been
// pending since the last time goes back: all slots have been busy for so long, and other consumers may not be.
func (k *crew[T]) renew() {
	k.renewMu.Lock()
	defer k.renewMu.Unlock()
	if k.ended || k.r.answers.Err() != nil {
		return
	}
	k.mu.Lock()
	stuck := len(k.pending) > 0 && k.batches == k.renewed
	k.renewed = k.batches
	k.mu.Unlock()
	if stuck {
		k.giveBack()
	}
	all := k.leases()
	if len(all) == 0 {
		k.renewal = nil
		return
	}
	defer k.renewal.Reset(k.c.opts.lease / 3) // also when the engine leaves by runtime.Goexit
	k.extend(all)
}

// leases are those that are not answered yet.
func (k *crew[T]) leases() []queue.Token {
	k.mu.Lock()
	defer k.mu.Unlock()
	ts := make([]queue.Token, 0, len(k.slots)+len(k.pending))
	for _, s := range k.slots {
		if s.current != nil {
			ts = append(ts, s.current.Token)
		}
	}
	for i := range k.pending {
		ts = append(ts, k.pending[i].Token)
	}
	return ts
}

// extend renews leases, and ends what the queue calls lost or cancelled. A cancelled task that was not begun goes back: the queue knows how it is to end.
func (k *crew[T]) extend(leases []queue.Token) {
	ctx, cancel := context.WithTimeout(k.r.answers, k.c.opts.lease/3)
	defer cancel()
	var renewed queue.Renewed
	err := guarded(func() (err error) {
		renewed, err = k.c.queue.Renew(ctx, leases, k.c.opts.lease)
		return err
	})
	if err != nil {
		k.c.noteError(err)
		k.c.env.Logger.Error("cannot renew leases", "worker", k.c.name, "queue", k.c.queue.Name(), "leases", len(leases), "error", err)
	}
	for _, t := range renewed.Lost {
		k.lose(t, task.ErrLeaseLost)
	}
	for _, t := range renewed.Cancelled {
		if k.lose(t, task.ErrCancelled) {
			k.c.complete(k.r, []queue.Completion{returned(t)})
		}
	}
}

// lose ends the context of the handler that has the lease. If the task is pending it is not begun: then it is true.
func (k *crew[T]) lose(t queue.Token, cause error) (pending bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.slots {
		if s.loseLocked(t, cause) {
			return false
		}
	}
	before := len(k.pending)
	k.pending = slices.DeleteFunc(k.pending, func(a attempt[T]) bool { return a.Token == t })
	return len(k.pending) < before
}

// hear is told of every task that is cancelled through the queue in this process: if its lease is here it is renewed at once, and so the worker learns whether it
// is to end. Whoever is just being handed tasks sees the count.
func (k *crew[T]) hear(id string) {
	k.cancels.Add(1)
	for _, t := range k.leases() {
		if t.ID == id {
			k.begin(func() { k.extend([]queue.Token{t}) })
			return
		}
	}
}

// begin runs f in a goroutine that the crew waits for, unless the crew has no slot any more: then nobody may be added to those who are waited for.
func (k *crew[T]) begin(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.slots) > 0 {
		k.wg.Go(f)
	}
}

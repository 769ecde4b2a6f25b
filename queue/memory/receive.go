package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plba/plba/queue"
)

// receiver waits for ready tasks. It is woken, and then looks for itself: its lease begins when it has the task.
type receiver struct {
	link link[receiver]
	wake chan struct{} // has room for the one signal
}

// Receive implements queue.Engine.
func (e *engine) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if max < 1 || lease <= 0 {
		return nil, fmt.Errorf("%w: receiving %d tasks for %s; at least one, for a positive time", queue.ErrInvalid, max, lease)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var r *receiver
	for {
		leases, err := e.claim(&r, max, lease)
		if leases != nil || err != nil {
			return leases, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			e.leaveEmptyHanded(r)
			return nil, ctx.Err()
		}
	}
}

// claim hands out what is ready; nothing: then the receiver has been put in line.
func (e *engine) claim(r **receiver, max int, lease time.Duration) ([]queue.Lease, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	if *r != nil {
		e.waking = false // it came here because it was woken
	}
	n := min(max, e.claimable())
	if n == 0 {
		if *r == nil {
			*r = &receiver{wake: make(chan struct{}, 1)}
		}
		e.receivers.pushBack(&(*r).link, *r)
		return nil, nil
	}
	leases := make([]queue.Lease, 0, n)
	for ; n > 0; n = min(max-len(leases), e.claimable()) { // claiming may let another task of the group step forward
		leases = slices.Grow(leases, n)
		for range n {
			leases = leases[:len(leases)+1]
			e.hand(e.ready.first(), &leases[len(leases)-1], lease)
		}
	}
	return leases, nil
}

// hand puts the task under a new lease.
func (e *engine) hand(t *entry, l *queue.Lease, lease time.Duration) {
	e.ready.remove(t)
	if t.state != undoing {
		e.move(t, running)
	}
	e.claims++
	t.lease, t.spot = e.claims, leased
	e.tokens.take(1)
	i := &t.info
	i.Attempt, i.Undo = t.failed+1, t.state == undoing
	change(&i.Cause, t.cause)
	t.expiry = place{at: e.in(lease), seq: uint64(t.lease)}
	e.leases.add(t)
	l.Token = queue.Token{ID: t.info.ID, Lease: t.lease}
	l.Info, l.Payload, l.Until = t.info, t.payload, lease
	e.claimed(t)
}

// leaveEmptyHanded takes the receiver out of line. If it was woken at the same time, leave wakes another.
func (e *engine) leaveEmptyHanded(r *receiver) {
	if e.enter() != nil {
		return
	}
	defer e.leave()
	select {
	case <-r.wake:
		e.waking = false
	default:
		e.receivers.remove(&r.link)
	}
}

// wakeReceiver wakes one receiver if there is something for it, and none is on its way.
func (e *engine) wakeReceiver() {
	if e.waking || e.receivers.size == 0 || e.claimable() == 0 {
		return
	}
	e.waking = true
	e.receivers.popFront().wake <- struct{}{}
}

// Renew implements queue.Engine.
func (e *engine) Renew(_ context.Context, ts []queue.Token, lease time.Duration) (r queue.Renewed, err error) {
	if lease <= 0 {
		return r, fmt.Errorf("%w: renewing for %s, which is not a positive time", queue.ErrInvalid, lease)
	}
	if err := e.enter(); err != nil {
		return r, err
	}
	defer e.leave()
	for _, tok := range ts {
		t := e.held(tok)
		if t == nil {
			r.Lost = append(r.Lost, tok)
			continue
		}
		e.leases.remove(t)
		t.expiry = place{at: e.in(lease), seq: uint64(t.lease)}
		e.leases.add(t)
		if t.cancelling {
			r.Cancelled = append(r.Cancelled, tok)
		}
	}
	return r, nil
}

// held is the task under that lease; nil when the lease is lost.
func (e *engine) held(tok queue.Token) *entry {
	if t := e.leases.first(); t != nil && t.lease == tok.Lease && t.info.ID == tok.ID {
		return t // the usual case, as most tasks are answered in the order in which they were handed out
	}
	if t := e.tasks.find(tok.ID); t != nil && t.spot == leased && t.lease == tok.Lease {
		return t
	}
	return nil
}

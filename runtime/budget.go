package runtime

import (
	"context"
	"errors"
	"sync"
	"time"
)

// forceGrace is how long a cancelled handler has before it is abandoned; in a stop with a limit it is at most a fifth of that.
const forceGrace = 5 * time.Second

// graceOf is the grace in a stop with that limit.
func graceOf(limit time.Duration) time.Duration { return min(forceGrace, limit/5) }

var (
	errBudget = errors.New("the stop budget is used up")
	errForce  = errors.New("the stop was forced")
)

// budget is the time that one stop may take, as three contexts that end one after the other:
//
//	soft     handlers are cancelled
//	hard     what still runs is abandoned; a grace after soft
//	closing  what has not closed is left behind; a grace after hard, so that resources are closed although the workers used everything up
//
// hard ends with the limit. force ends soft early, and the others follow it.
type budget struct {
	soft, hard, closing          context.Context
	endSoft, endHard, endClosing context.CancelCauseFunc
	grace                        time.Duration
	unlink                       func() bool

	mu       sync.Mutex // guards what follows
	forced   bool
	released bool
	timers   []*time.Timer
}

// newBudget begins a stop's budget: until ctx's deadline, else limit; 0 is no limit. It is forced at once when ctx is cancelled.
func newBudget(ctx context.Context, limit time.Duration, force bool) *budget {
	b := &budget{grace: forceGrace}
	base := context.WithoutCancel(ctx)
	b.soft, b.endSoft = context.WithCancelCause(base)
	b.hard, b.endHard = context.WithCancelCause(base)
	b.closing, b.endClosing = context.WithCancelCause(base)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > 0 {
		limit = time.Until(deadline)
	}
	if limit > 0 {
		b.grace = graceOf(limit)
		b.after(limit-b.grace, func() { b.force(errBudget) })
	}
	b.unlink = context.AfterFunc(ctx, func() { b.force(context.Cause(ctx)) }) // at once when it has ended already
	if force {
		b.force(errForce)
	}
	return b
}

// force ends soft now, hard and closing a grace later each. Only the first call counts.
func (b *budget) force(cause error) {
	b.mu.Lock()
	again := b.forced
	b.forced = true
	b.mu.Unlock()
	if again {
		return
	}
	b.endSoft(cause)
	b.after(b.grace, func() {
		b.endHard(cause)
		b.after(b.grace, func() { b.endClosing(cause) })
	})
}

// yieldTo lets b end no later than other does, until the returned function is called.
func (b *budget) yieldTo(other *budget) (stop func()) {
	soft := context.AfterFunc(other.soft, func() { b.force(context.Cause(other.soft)) })
	hard := context.AfterFunc(other.hard, func() { b.endHard(context.Cause(other.hard)) })
	return func() {
		soft()
		hard()
	}
}

func (b *budget) after(d time.Duration, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.released {
		b.timers = append(b.timers, time.AfterFunc(d, f))
	}
}

// await waits until all are done or soft has ended.
func (b *budget) await(all ...chan struct{}) {
	for _, done := range all {
		select {
		case <-done:
		case <-b.soft.Done():
			return
		}
	}
}

// pause waits for d, or until soft ends.
func (b *budget) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.soft.Done():
	}
}

// release gives everything back when the stop is over.
func (b *budget) release() {
	b.unlink()
	b.mu.Lock()
	b.released = true
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	b.endSoft(nil)
	b.endHard(nil)
	b.endClosing(nil)
}

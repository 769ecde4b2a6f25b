package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// expired is the error of an attempt that ended with its lease.
const expired = "lease expired"

// Complete implements queue.Engine.
func (e *engine) Complete(_ context.Context, cs []queue.Completion) (lost []queue.Token, err error) {
	for i := range cs {
		if cs[i].Outcome > task.Dead {
			return nil, fmt.Errorf("%w: outcome %s of task %s", queue.ErrInvalid, cs[i].Outcome, cs[i].ID)
		}
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	for i := range cs {
		if t := e.held(cs[i].Token); t != nil {
			e.leases.remove(t.index)
			e.end(t, &cs[i])
		} else {
			lost = append(lost, cs[i].Token)
		}
	}
	return lost, nil
}

// end ends the task's lease with an answer.
func (e *engine) end(t *entry, c *queue.Completion) {
	delete(e.running, t.lease)
	switch {
	case c.Outcome == task.Done || c.Outcome == task.Dropped:
		e.move(t, done)
		e.discard(t)
	case c.Outcome == task.Dead:
		e.fail(t, c.Cause)
		e.bury(t)
	case c.Outcome == task.Retry && c.Counted:
		if e.fail(t, c.Cause); t.lastAttempt() {
			e.bury(t)
		} else {
			e.wait(t, retrying, c.After)
		}
	case c.Outcome == task.Retry && c.After <= 0:
		e.becomeReady(t) // given back: it keeps its place
	default:
		e.wait(t, scheduled, c.After)
	}
}

// rescue takes back a task whose lease ended without an answer. It keeps its place.
func (e *engine) rescue(t *entry) {
	delete(e.running, t.lease)
	if e.fail(t, expired); t.lastAttempt() {
		e.bury(t)
	} else {
		e.becomeReady(t)
	}
}

// fail uses up the attempt.
func (e *engine) fail(t *entry, cause string) {
	t.failed++
	t.failures = append(t.failures, queue.Failure{Attempt: t.failed, At: e.wall, Error: cause})
}

// lastAttempt says whether no attempt is left.
func (t *entry) lastAttempt() bool {
	most := t.record.Info.MaxAttempts
	return most > 0 && t.failed >= most
}

// bury makes the task a dead letter, and forgets the oldest one if there are too many.
func (e *engine) bury(t *entry) {
	e.move(t, dead)
	t.diedAt = e.wall
	e.graves.pushBack(t)
	for e.graves.size > e.settings.DeadLetters {
		e.discard(e.graves.popFront())
		e.counts[dead]--
	}
}

// Dead implements queue.Engine.
func (e *engine) Dead(_ context.Context, limit int) ([]queue.Dead, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	letters := make([]queue.Dead, 0, max(0, min(limit, e.graves.size)))
	for t := e.graves.tail; t != nil && len(letters) < limit; t = t.prev {
		letters = append(letters, queue.Dead{
			Info: t.record.Info, Payload: t.record.Payload, Failures: slices.Clone(t.failures), DiedAt: t.diedAt,
		})
	}
	return letters, nil
}

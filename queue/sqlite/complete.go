package sqlite

import (
	"context"
	"fmt"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// expired is the error of an attempt that ended with its lease.
const expired = "lease expired"

// Complete implements queue.Engine.
func (e *engine) Complete(ctx context.Context, cs []queue.Completion) (lost []queue.Token, err error) {
	for i := range cs {
		if cs[i].Outcome > task.Cancelled {
			return nil, fmt.Errorf("%w: outcome %s of task %s", queue.ErrInvalid, cs[i].Outcome, cs[i].ID)
		}
	}
	err = e.ask(ctx, &request{engine: e, do: func(b *batch) (bool, error) {
		lost = nil
		for i := range cs {
			if t, ok := e.leases.task(cs[i].Token, b.now); ok {
				e.end(b, t, &cs[i])
			} else {
				lost = append(lost, cs[i].Token)
			}
		}
		return true, nil
	}})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

// end says what becomes of a task whose lease was ended by an answer.
func (e *engine) end(b *batch, t row, c *queue.Completion) {
	old := t
	switch {
	case c.Outcome == task.Done || c.Outcome == task.Dropped:
		e.succeed(b, &t)
	case c.Outcome == task.Dead:
		e.fail(b, &t, c.Cause)
		e.giveUp(b, &t, dead, c.Cause)
	case c.Outcome == task.Cancelled:
		e.fail(b, &t, c.Cause)
		e.giveUp(b, &t, cancelled, "")
	case c.Outcome == task.Retry && c.Counted:
		e.fail(b, &t, c.Cause)
		e.again(b, &t, c.Cause, func() { e.wait(b, &t, retrying, in(b.now, c.After)) })
	case c.Outcome == task.Retry && c.After <= 0:
		e.again(b, &t, c.Cause, func() { e.becomeReady(&t) }) // given back: it keeps its place
	default:
		e.again(b, &t, c.Cause, func() { e.wait(b, &t, scheduled, in(b.now, c.After)) })
	}
	e.put(b, &old, &t)
}

// rescue takes back a task whose lease ended without an answer. It keeps its place.
func (e *engine) rescue(b *batch, t row) {
	old := t
	e.fail(b, &t, expired)
	e.again(b, &t, expired, func() { e.becomeReady(&t) })
	e.put(b, &old, &t)
}

// again lets a task go on, unless an operator wants it to end or its attempts are used up.
func (e *engine) again(b *batch, t *row, cause string, back func()) {
	switch {
	case t.cancelling:
		e.giveUp(b, t, cancelled, cause)
	case t.lastAttempt():
		e.giveUp(b, t, dead, cause)
	default:
		back()
	}
}

// fail uses up the attempt.
func (e *engine) fail(b *batch, t *row, cause string) {
	t.failed++
	e.record(b, t, failure{attempt: t.failed, at: b.now, undo: t.state == undoing, text: cause})
}

// succeed ends a task that is done, or whose effects are undone.
func (e *engine) succeed(b *batch, t *row) {
	e.dropCheckpoints(b, t)
	if t.state == undoing {
		e.conclude(b, t, t.endsAs)
		return
	}
	e.touch(b)
	e.completed++
	e.conclude(b, t, done)
}

// giveUp ends a task. One that has effects to be undone becomes due once more, for that alone; if that fails, it is dead.
func (e *engine) giveUp(b *batch, t *row, as state, cause string) {
	switch {
	case t.state == undoing:
		e.conclude(b, t, dead)
	case e.undoable(b, t):
		t.state, t.endsAs, t.cancelling, t.failed = undoing, as, false, 0
		if t.cause = cause; as == cancelled {
			t.cause = task.ErrCancelled.Error()
		}
		e.wait(b, t, undoing, b.now)
	default:
		e.conclude(b, t, as)
	}
}

// conclude ends a task, for now or for good.
func (e *engine) conclude(b *batch, t *row, as state) {
	b.last.seq++
	t.state, t.stand, t.begun, t.cancelling = as, nowhere, false, false
	t.ended, t.seq = b.now, b.last.seq
}

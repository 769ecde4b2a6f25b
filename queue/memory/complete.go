package memory

import (
	"context"
	"fmt"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// expired is the error of an attempt that ended with its lease.
const expired = "lease expired"

// Complete implements queue.Engine.
func (e *engine) Complete(_ context.Context, cs []queue.Completion) (lost []queue.Token, err error) {
	for i := range cs {
		if cs[i].Outcome > task.Cancelled {
			return nil, fmt.Errorf("%w: outcome %s of task %s", queue.ErrInvalid, cs[i].Outcome, cs[i].ID)
		}
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	for i := range cs {
		if t := e.held(cs[i].Token); t != nil {
			e.takeOut(t)
			e.answer(t, &cs[i])
		} else {
			lost = append(lost, cs[i].Token)
		}
	}
	return lost, nil
}

// answer says what becomes of a task whose lease was ended by it.
func (e *engine) answer(t *entry, c *queue.Completion) {
	switch {
	case c.Outcome == task.Done || c.Outcome == task.Dropped:
		e.succeed(t)
	case c.Outcome == task.Dead:
		e.fail(t, c.Cause)
		e.giveUp(t, dead)
	case c.Outcome == task.Cancelled:
		e.fail(t, c.Cause)
		e.giveUp(t, cancelled)
	case c.Outcome == task.Retry && c.Counted:
		e.fail(t, c.Cause)
		e.again(t, func() { e.wait(t, retrying, c.After) })
	case c.Outcome == task.Retry && c.After <= 0:
		e.again(t, func() { e.becomeReady(t) }) // given back: it keeps its place
	default:
		e.again(t, func() { e.wait(t, scheduled, c.After) })
	}
}

// rescue takes back a task whose lease ended without an answer. It keeps its place.
func (e *engine) rescue(t *entry) {
	e.released(t)
	e.fail(t, expired)
	e.again(t, func() { e.becomeReady(t) })
}

// again lets a task go on, unless an operator wants it to end or its attempts are used up.
func (e *engine) again(t *entry, back func()) {
	switch {
	case t.cancelling:
		e.giveUp(t, cancelled)
	case t.lastAttempt():
		e.giveUp(t, dead)
	default:
		back()
	}
}

// fail uses up the attempt.
func (e *engine) fail(t *entry, cause string) {
	t.failed++
	t.note(queue.Failure{Attempt: t.failed, At: e.wall, Error: cause, Undo: t.state == undoing})
}

// succeed ends a task that is done, or whose effects are undone.
func (e *engine) succeed(t *entry) {
	t.checkpoints = nil
	if t.state == undoing {
		e.conclude(t, t.endsAs)
		return
	}
	e.completed++
	e.conclude(t, done)
}

// giveUp ends a task that is in no list. One that has effects to be undone becomes due once more, for that alone; if that fails, it is dead.
func (e *engine) giveUp(t *entry, as state) {
	switch {
	case t.state == undoing:
		e.conclude(t, dead)
	case t.undoable():
		t.endsAs, t.cancelling, t.failed = as, false, 0
		if t.cause = task.ErrCancelled.Error(); as == dead {
			t.cause = t.failures[len(t.failures)-1].Error
		}
		e.move(t, undoing)
		e.wait(t, undoing, 0)
	default:
		e.conclude(t, as)
	}
}

// conclude ends a task that is in no list, for now or for good, and keeps it as long as the settings say.
func (e *engine) conclude(t *entry, as state) {
	e.move(t, as)
	t.spot = ended
	e.end(t)
	t.cancelling, t.ended, t.endedAt = false, e.now, e.wall
	switch {
	case as != done:
		e.graves.pushBack(&t.link, t)
		for most := e.settings.DeadLetters; most > 0 && e.graves.size > most; {
			e.forget(e.graves.popFront())
		}
	case e.settings.KeepDone > 0:
		e.finished.pushBack(&t.link, t)
	default:
		e.forget(t)
	}
}

// end lets go of what the task had while it lived.
func (e *engine) end(t *entry) {
	e.quit(t)
	if t.key != nil {
		e.keys.release(t.key, e.now)
		t.key = nil
	}
}

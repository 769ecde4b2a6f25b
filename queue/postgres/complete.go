package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// expired is the error of an attempt that ended with its lease.
const expired = "lease expired"

// cancelledCause is why a task is undone that an operator cancelled.
var cancelledCause = task.ErrCancelled.Error()

// completion is one call of Complete on its way.
type completion struct {
	cs     []queue.Completion
	answer chan<- completed
}

func (c completion) size() int { return len(c.cs) }

type completed struct {
	lost []queue.Token
	err  error
}

// Complete implements queue.Engine. Calls that come at the same time share a transaction.
func (e *engine) Complete(ctx context.Context, cs []queue.Completion) (lost []queue.Token, err error) {
	for i := range cs {
		if cs[i].Outcome > task.Cancelled {
			return nil, fmt.Errorf("%w: outcome %s of task %s", queue.ErrInvalid, cs[i].Outcome, cs[i].ID)
		}
	}
	err = e.call(ctx, func(ctx context.Context) error {
		if len(cs) == 0 {
			return nil
		}
		answer := make(chan completed, 1)
		e.completed.add(completion{append([]queue.Completion(nil), cs...), answer})
		select {
		case a := <-answer:
			lost = a.lost
			return a.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return lost, err
}

// flushCompletions ends what several calls end.
func (e *engine) flushCompletions(calls []completion) {
	open := map[queue.Token]*queue.Completion{} // those that have not had their effect; of two for one lease the first counts
	for _, call := range calls {
		for i := range call.cs {
			if c := &call.cs[i]; open[c.Token] == nil {
				open[c.Token] = c
			}
		}
	}
	ended, err := e.endAll(e.ctx, open)
	if err != nil && len(calls) > 1 && refused(err) {
		for _, call := range calls {
			e.flushCompletions([]completion{call})
		}
		return
	}
	for _, call := range calls {
		if err != nil {
			call.answer <- completed{err: err}
			continue
		}
		var lost []queue.Token
		for _, c := range call.cs {
			if !ended[c.Token] {
				lost = append(lost, c.Token)
			}
			delete(ended, c.Token)
		}
		call.answer <- completed{lost: lost}
	}
}

// endAll ends leases; the others were lost. It says which it ended.
func (e *engine) endAll(ctx context.Context, open map[queue.Token]*queue.Completion) (ended map[queue.Token]bool, err error) {
	id, err := e.queueID(ctx)
	if err != nil {
		return nil, err
	}
	finished := 0
	ended = make(map[queue.Token]bool, len(open))
	if e.limits.KeepDone == 0 {
		if err := e.finish(ctx, id, open, ended); err != nil {
			return nil, err
		}
		finished = len(ended)
	}
	if finished < len(open) {
		done, err := e.endSome(ctx, id, open, ended)
		if err != nil {
			return nil, err
		}
		finished += done
	}
	e.mu.Lock()
	e.tally.completed += int64(finished)
	e.mu.Unlock()
	if e.limits.MaxRunning > 0 {
		e.news(len(ended))
	}
	e.wakeFillers()
	return ended, nil
}

// finish ends, in one statement, leases of tasks that are done and that nothing hangs on.
func (e *engine) finish(ctx context.Context, id int32, open map[queue.Token]*queue.Completion, ended map[queue.Token]bool) error {
	var done []queue.Token
	current := map[string]queue.Token{} // of a task's tokens the later one: no other can be alive
	for tok, c := range open {
		if c.Outcome != task.Done && c.Outcome != task.Dropped {
			continue
		}
		done = append(done, tok)
		if tok.Lease > current[tok.ID].Lease {
			current[tok.ID] = tok
		}
	}
	if len(done) == 0 {
		return nil
	}
	slices.SortFunc(done, func(a, b queue.Token) int { return strings.Compare(a.ID, b.ID) }) // all lock tasks in that order
	ids, leases := tokens(done)
	return e.do(ctx, func(ctx context.Context) error {
		gone, err := collect[string](e.pool.Query(ctx, e.sql(finishSQL), id, ids, leases))
		for _, id := range gone {
			ended[current[id]] = true
		}
		return err
	})
}

// endSome ends the leases that are left, each as its completion says, and counts those that are done.
func (e *engine) endSome(ctx context.Context, id int32, open map[queue.Token]*queue.Completion, ended map[queue.Token]bool) (finished int, err error) {
	var ids []string
	for tok := range open {
		if !ended[tok] {
			ids = append(ids, tok.ID)
		}
	}
	var now []queue.Token
	err = e.change(ctx, id, these(ids), func(c *change) error {
		finished, now = 0, nil
		for _, t := range c.rows {
			tok := queue.Token{ID: t.id, Lease: t.lease}
			how := open[tok]
			if how == nil || !t.leased() || !t.until.After(c.now) {
				continue
			}
			if c.end(t, how); t.state == done {
				finished++
			}
			now = append(now, tok)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, tok := range now {
		ended[tok] = true
	}
	return finished, nil
}

// end says what becomes of a task whose lease was ended by an answer.
func (c *change) end(t *locked, how *queue.Completion) {
	t.touched = true
	switch {
	case how.Outcome == task.Done || how.Outcome == task.Dropped:
		c.succeed(t)
	case how.Outcome == task.Dead:
		c.fail(t, how.Cause)
		c.giveUp(t, dead, how.Cause)
	case how.Outcome == task.Cancelled:
		c.fail(t, how.Cause)
		c.giveUp(t, cancelled, "")
	case how.Outcome == task.Retry && how.Counted:
		c.fail(t, how.Cause)
		c.again(t, how.Cause, func() { c.wait(t, retrying, in(c.now, how.After)) })
	case how.Outcome == task.Retry && how.After <= 0:
		c.again(t, how.Cause, func() { c.becomeReady(t) }) // given back: it keeps its place
	default:
		c.again(t, how.Cause, func() { c.wait(t, scheduled, in(c.now, how.After)) })
	}
}

// rescue takes back a task whose lease ended without an answer. It keeps its place.
func (c *change) rescue(t *locked) {
	t.touched = true
	c.fail(t, expired)
	c.again(t, expired, func() { c.becomeReady(t) })
}

// again lets a task go on, unless an operator wants it to end or its attempts are used up.
func (c *change) again(t *locked, cause string, back func()) {
	switch {
	case t.cancelling:
		c.giveUp(t, cancelled, cause)
	case t.lastAttempt():
		c.giveUp(t, dead, cause)
	default:
		back()
	}
}

package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/plba/plba/queue"
)

func notFound(id string) error { return fmt.Errorf("task %s: %w", id, queue.ErrNotFound) }

const rowByID = "SELECT " + rowColumns + " FROM tasks WHERE queue = ? AND id = ?"

// find is the task of that ID.
func (e *engine) find(b *batch, id string) (row, bool) {
	for _, t := range b.rows(rowByID, e.id, id) {
		return t, true
	}
	return row{}, false
}

// Cancel implements queue.Admin.
func (e *engine) Cancel(ctx context.Context, id, cause string) error {
	return e.ask(ctx, &request{engine: e, do: func(b *batch) (bool, error) { return true, e.cancel(b, id, cause) }})
}

func (e *engine) cancel(b *batch, id, cause string) error {
	t, ok := e.find(b, id)
	switch {
	case !ok:
		return notFound(id)
	case t.state == undoing || !t.state.living():
		return &queue.StateError{ID: id, State: stateNames[t.state]}
	case t.cancelling:
		return nil
	}
	text := "cancelled"
	if cause != "" {
		text += ": " + cause
	}
	old := t
	e.record(b, &t, failure{attempt: t.attempt, at: b.now, text: text})
	if t.leased() {
		t.cancelling = true
	} else {
		e.giveUp(b, &t, cancelled, cause)
	}
	e.put(b, &old, &t)
	return nil
}

// change does something with the selected tasks, in the order of their IDs and in portions, and counts for how many it did something. An error of do ends
// it; what was done before stays done.
func (e *engine) change(ctx context.Context, sel queue.Selection, do func(b *batch, t row) (bool, error)) (n int, err error) {
	rest := selected(sel)
	for !rest.over && err == nil {
		var did int
		var next pagination
		failed := e.ask(ctx, &request{engine: e, do: func(b *batch) (bool, error) {
			did, next, err = e.changePage(b, rest, do)
			return true, nil
		}})
		if failed != nil {
			return n, failed
		}
		n, rest = n+did, next
	}
	return n, err
}

// changePage does one portion. Each task is read when its turn comes: what was done to one before may have changed it.
func (e *engine) changePage(b *batch, p pagination, do func(b *batch, t row) (bool, error)) (did int, next pagination, err error) {
	ids, next := e.page(b, p)
	for _, id := range ids {
		t, ok := e.find(b, id)
		if !ok || len(p.states) > 0 && !slices.Contains(p.states, t.state) {
			continue
		}
		changed, err := do(b, t)
		if err != nil {
			return did, next, err
		}
		did += int(number(changed))
	}
	return did, next, nil
}

// Requeue implements queue.Admin.
func (e *engine) Requeue(ctx context.Context, sel queue.Selection) (int, error) {
	var taken error
	n, err := e.change(ctx, sel, func(b *batch, t row) (bool, error) {
		if t.state != dead && t.state != cancelled {
			return false, nil
		}
		if other := e.keyHolder(b, t.unique); other != "" && other != t.id {
			taken = cmp.Or(taken, fmt.Errorf("task %s: %w by task %s", t.id, queue.ErrKeyTaken, other))
			return false, nil
		}
		if !e.room() {
			return false, queue.ErrFull
		}
		e.revive(b, t)
		return true, nil
	})
	return n, cmp.Or(err, taken)
}

// revive lets a task begin anew that has ended.
func (e *engine) revive(b *batch, t row) {
	old := t
	if t.unique != "" {
		e.claimKey(b, &t, b.now)
	}
	t.failed, t.ended, t.attempt, t.undo, t.cause = 0, 0, 0, false, ""
	e.wait(b, &t, ready, b.now)
	e.put(b, &old, &t)
}

// RunNow implements queue.Admin.
func (e *engine) RunNow(ctx context.Context, sel queue.Selection) (int, error) {
	return e.change(ctx, sel, func(b *batch, t row) (bool, error) {
		if t.stand != waiting {
			return false, nil
		}
		old := t
		e.wait(b, &t, ready, b.now)
		e.put(b, &old, &t)
		return true, nil
	})
}

// Purge implements queue.Admin.
func (e *engine) Purge(ctx context.Context, sel queue.Selection) (int, error) {
	return e.change(ctx, sel, func(b *batch, t row) (bool, error) {
		if t.state == running || t.state == undoing || t.state.living() && e.undoable(b, &t) {
			return false, nil
		}
		e.forget(b, &t)
		return true, nil
	})
}

// Pause implements queue.Admin.
func (e *engine) Pause(ctx context.Context) error { return e.hold(ctx, true) }

// Resume implements queue.Admin.
func (e *engine) Resume(ctx context.Context) error { return e.hold(ctx, false) }

func (e *engine) hold(ctx context.Context, paused bool) error {
	return e.ask(ctx, &request{engine: e, do: func(b *batch) (bool, error) {
		if e.paused != paused {
			e.touch(b)
			e.paused = paused
			b.exec("UPDATE queues SET (paused, sum) = (?,?) WHERE queue = ?", number(paused), sumOf(e.id, e.name, number(paused)), e.id)
		}
		return true, nil
	}})
}

// pagination is what is still to be looked at of a selection.
type pagination struct {
	ids    []string // these; nil: all
	after  string   // behind this one
	states []state  // in one of these; none: in any
	over   bool
}

// selected is the whole of a selection.
func selected(sel queue.Selection) pagination {
	p := pagination{ids: slices.Clone(sel.IDs), over: len(sel.IDs) == 0 && len(sel.States) == 0}
	for _, name := range sel.States {
		if s := named(name); s != 0 {
			p.states = append(p.states, s)
		}
	}
	if len(sel.States) > 0 && len(p.states) == 0 {
		p.over = true // no task is in a state that is none
	}
	slices.Sort(p.ids)
	slices.Sort(p.states)
	p.ids, p.states = slices.Compact(p.ids), slices.Compact(p.states)
	return p
}

const idsInState = "SELECT id FROM tasks INDEXED BY tasks_state WHERE queue = ? AND state = ? AND id > ? ORDER BY id LIMIT ?"

// page gives the IDs of the next portion, in order.
func (e *engine) page(b *batch, p pagination) (ids []string, next pagination) {
	if len(p.ids) > 0 {
		n := min(len(p.ids), atOnce)
		ids, p.ids = p.ids[:n], p.ids[n:]
		p.over = len(p.ids) == 0
		return ids, p
	}
	for _, s := range p.states {
		b.each(func(row columns) error {
			ids = append(ids, row.text(0))
			return nil
		}, idsInState, e.id, int64(s), p.after, int64(atOnce))
	}
	slices.Sort(ids)
	ids = ids[:min(len(ids), atOnce)]
	if p.over = len(ids) < atOnce; !p.over {
		p.after = ids[atOnce-1]
	}
	return ids, p
}

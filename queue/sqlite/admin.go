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
	for !rest.finished() && err == nil {
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

// changePage does one portion.
func (e *engine) changePage(b *batch, p pagination, do func(b *batch, t row) (bool, error)) (did int, next pagination, err error) {
	ts, next := e.page(b, p)
	for _, t := range ts {
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
	ids    []string // these, or
	states []state  // all in these
	after  string   // behind this ID
	filter []state  // of ids: only those in one of these; none: all
}

// selected is the whole of a selection.
func selected(sel queue.Selection) (p pagination) {
	var states []state
	for _, name := range sel.States {
		if s := named(name); s != 0 {
			states = append(states, s)
		}
	}
	if len(sel.IDs) == 0 {
		slices.Sort(states)
		return pagination{states: slices.Compact(states)}
	}
	if len(sel.States) > 0 && len(states) == 0 {
		return pagination{}
	}
	ids := slices.Clone(sel.IDs)
	slices.Sort(ids)
	return pagination{ids: slices.Compact(ids), filter: states}
}

func (p pagination) finished() bool { return len(p.ids) == 0 && len(p.states) == 0 }

const rowsInState = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_state WHERE queue = ? AND state = ? AND id > ? ORDER BY id LIMIT ?"

// page reads the next portion.
func (e *engine) page(b *batch, p pagination) (ts []row, next pagination) {
	if n := min(len(p.ids), atOnce); n > 0 {
		for _, id := range p.ids[:n] {
			if t, ok := e.find(b, id); ok && (len(p.filter) == 0 || slices.Contains(p.filter, t.state)) {
				ts = append(ts, t)
			}
		}
		p.ids = p.ids[n:]
		return ts, p
	}
	for _, s := range p.states {
		ts = append(ts, b.rows(rowsInState, e.id, int64(s), p.after, int64(atOnce))...)
	}
	if len(ts) < atOnce {
		p.states = nil
	}
	slices.SortFunc(ts, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	ts = ts[:min(len(ts), atOnce)]
	if len(ts) > 0 {
		p.after = ts[len(ts)-1].id
	}
	return ts, p
}

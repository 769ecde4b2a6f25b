package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plba/plba/queue"
)

// Task implements queue.Admin.
func (e *engine) Task(_ context.Context, id string) (queue.Task, error) {
	if err := e.enter(); err != nil {
		return queue.Task{}, err
	}
	defer e.leave()
	t := e.tasks.find(id)
	if t == nil {
		return queue.Task{}, notFound(id)
	}
	view := e.view(t, t.failures)
	view.Payload = t.payload
	return view, nil
}

func notFound(id string) error { return fmt.Errorf("task %s: %w", id, queue.ErrNotFound) }

// view is what people see of a task, with some of its failures.
func (e *engine) view(t *entry, failures []queue.Failure) queue.Task {
	v := queue.Task{
		Info: t.info, State: stateNames[t.state], Cancelling: t.cancelling, EndedAt: t.endedAt, Failures: slices.Clone(failures),
	}
	if t.spot == leased {
		v.LeasedUntil = e.wall.Add(t.expiry.at - e.now)
	}
	if t.state == undoing {
		v.EndsAs = stateNames[t.endsAs]
	}
	return v
}

// Tasks implements queue.Admin. It looks at all tasks, and keeps as many as a page has.
func (e *engine) Tasks(_ context.Context, q queue.Query) (queue.Page, error) {
	if err := e.enter(); err != nil {
		return queue.Page{}, err
	}
	defer e.leave()
	size := q.Size()
	var newest []*entry // with one more than the page has, to know whether that is all
	for t := range e.tasks.all() {
		id := t.info.ID
		switch {
		case q.After != "" && id >= q.After, len(q.States) > 0 && !slices.Contains(q.States, stateNames[t.state]):
			continue
		case len(newest) > size && id < newest[size].info.ID:
			continue
		}
		at, _ := slices.BinarySearchFunc(newest, t, func(a, b *entry) int { return cmp.Compare(b.info.ID, a.info.ID) })
		newest = slices.Insert(newest, at, t)
		newest = newest[:min(len(newest), size+1)]
	}
	var page queue.Page
	if len(newest) > size {
		newest = newest[:size]
		page.Next = newest[size-1].info.ID
	}
	for _, t := range newest {
		page.Tasks = append(page.Tasks, e.view(t, t.failures[max(0, len(t.failures)-1):]))
	}
	return page, nil
}

// Cancel implements queue.Admin.
func (e *engine) Cancel(_ context.Context, id, cause string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	t := e.tasks.find(id)
	switch {
	case t == nil:
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
	t.note(queue.Failure{Attempt: t.info.Attempt, At: e.wall, Error: text})
	if t.spot == leased {
		t.cancelling = true
		return nil
	}
	e.takeOut(t)
	e.giveUp(t, cancelled)
	return nil
}

// each does something with the selected tasks, in the order of their IDs, until it fails, and counts for how many it did something.
func (e *engine) each(sel queue.Selection, do func(*entry) (bool, error)) (n int, err error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	defer e.leave()
	for _, t := range e.selected(sel) {
		did, err := do(t)
		if err != nil {
			return n, err
		}
		if did {
			n++
		}
	}
	return n, nil
}

func (e *engine) selected(sel queue.Selection) []*entry {
	var found []*entry
	add := func(t *entry) {
		if len(sel.States) == 0 || slices.Contains(sel.States, stateNames[t.state]) {
			found = append(found, t)
		}
	}
	for _, id := range sel.IDs {
		if t := e.tasks.find(id); t != nil {
			add(t)
		}
	}
	if len(sel.IDs) == 0 && len(sel.States) > 0 {
		for t := range e.tasks.all() {
			add(t)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(a.info.ID, b.info.ID) })
	return slices.Compact(found)
}

// Requeue implements queue.Admin.
func (e *engine) Requeue(_ context.Context, sel queue.Selection) (n int, err error) {
	var taken error
	n, err = e.each(sel, func(t *entry) (bool, error) {
		if t.state != dead && t.state != cancelled {
			return false, nil
		}
		name := t.info.Unique
		if held, ok := e.keys.find(name); ok && name != "" && held.task != t.info.ID {
			if taken == nil {
				taken = fmt.Errorf("task %s: %w by task %s", t.info.ID, queue.ErrKeyTaken, held.task)
			}
			return false, nil
		}
		if !e.room() {
			return false, queue.ErrFull
		}
		e.revive(t)
		return true, nil
	})
	return n, cmp.Or(err, taken)
}

// revive lets a task begin anew that has ended.
func (e *engine) revive(t *entry) {
	e.graves.remove(&t.link)
	if name := t.info.Unique; name != "" {
		t.key = e.keys.claim(name, t.info.ID, e.now)
	}
	t.spot = nowhere
	e.join(t)
	t.failed, t.cause, t.ended, t.endedAt = 0, "", 0, time.Time{}
	t.info.Attempt, t.info.Undo, t.info.Cause = 0, false, ""
	e.wait(t, ready, 0)
}

// RunNow implements queue.Admin.
func (e *engine) RunNow(_ context.Context, sel queue.Selection) (n int, err error) {
	return e.each(sel, func(t *entry) (bool, error) {
		if t.spot != later {
			return false, nil
		}
		e.takeOut(t)
		e.wait(t, ready, 0)
		return true, nil
	})
}

// Purge implements queue.Admin.
func (e *engine) Purge(_ context.Context, sel queue.Selection) (n int, err error) {
	return e.each(sel, func(t *entry) (bool, error) {
		switch t.state {
		case running, undoing:
			return false, nil
		case dead, cancelled:
			e.graves.remove(&t.link)
		case done:
			e.finished.remove(&t.link)
		default:
			if t.undoable() {
				return false, nil
			}
			e.takeOut(t)
			e.end(t)
		}
		e.forget(t)
		return true, nil
	})
}

// Pause implements queue.Admin.
func (e *engine) Pause(context.Context) error { return e.hold(true) }

// Resume implements queue.Admin.
func (e *engine) Resume(context.Context) error { return e.hold(false) }

func (e *engine) hold(paused bool) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	e.paused = paused
	return nil
}

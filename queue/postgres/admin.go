package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

func notFound(id string) error { return fmt.Errorf("task %s: %w", id, queue.ErrNotFound) }

// with runs f as a call of the engine's, with the queue's number.
func (e *engine) with(ctx context.Context, f func(ctx context.Context, id int32) error) error {
	return e.call(ctx, func(ctx context.Context) error {
		id, err := e.queueID(ctx)
		if err != nil {
			return err
		}
		return f(ctx, id)
	})
}

// Cancel implements queue.Admin.
func (e *engine) Cancel(ctx context.Context, taskID, cause string) error {
	return e.with(ctx, func(ctx context.Context, id int32) error {
		found := false
		err := e.change(ctx, id, these([]string{taskID}), func(c *change) error {
			for _, t := range c.rows {
				found = true
				if err := c.cancel(t, cause); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil && !found {
			return notFound(taskID)
		}
		return err
	})
}

func (c *change) cancel(t *locked, cause string) error {
	switch {
	case t.state == undoing || !t.state.living():
		return &queue.StateError{ID: t.id, State: stateNames[t.state]}
	case t.cancelling:
		return nil
	}
	text := "cancelled"
	if cause != "" {
		text += ": " + cause
	}
	t.touched = true
	c.record(t, t.attempt, false, text)
	if t.leased() {
		t.cancelling = true
	} else {
		c.giveUp(t, cancelled, cause)
	}
	return nil
}

// each does something with the selected tasks, in the order of their IDs and in portions, and counts for how many it did something.
func (e *engine) each(ctx context.Context, sel queue.Selection, do func(c *change, t *locked) bool) (n int, err error) {
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		for rest := selected(sel); err == nil && !rest.finished(); {
			var ids []string
			if ids, rest, err = e.page(ctx, id, rest); err != nil {
				return err
			}
			did := 0
			err = e.change(ctx, id, these(ids), func(c *change) error {
				did = 0
				for _, t := range c.rows {
					if len(sel.States) > 0 && !slices.Contains(sel.States, stateNames[t.state]) {
						continue
					}
					if do(c, t) {
						t.touched = true
						did++
					}
				}
				return nil
			})
			if err == nil {
				n += did
			}
		}
		return err
	})
	return n, err
}

// RunNow implements queue.Admin.
func (e *engine) RunNow(ctx context.Context, sel queue.Selection) (int, error) {
	return e.each(ctx, sel, func(c *change, t *locked) bool {
		if t.stand != waiting {
			return false
		}
		c.wait(t, ready, c.now)
		return true
	})
}

// Purge implements queue.Admin.
func (e *engine) Purge(ctx context.Context, sel queue.Selection) (int, error) {
	return e.each(ctx, sel, func(c *change, t *locked) bool {
		if t.state == running || t.state == undoing || t.state.living() && t.undoable {
			return false
		}
		c.forget(t)
		return true
	})
}

// Requeue implements queue.Admin. Each task has a transaction of its own: it may need room, and a unique key that others want too.
func (e *engine) Requeue(ctx context.Context, sel queue.Selection) (n int, err error) {
	var taken error
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		for rest := selected(sel); !rest.finished(); {
			var ids []string
			var err error
			if ids, rest, err = e.page(ctx, id, rest); err != nil {
				return err
			}
			for _, one := range ids {
				did, holder, err := e.requeue(ctx, id, one, sel.States)
				if err != nil {
					return err
				}
				if did {
					n++
				} else if holder != "" {
					taken = cmp.Or(taken, fmt.Errorf("task %s: %w by task %s", one, queue.ErrKeyTaken, holder))
				}
			}
		}
		return nil
	})
	return n, cmp.Or(err, taken)
}

// requeue lets a task begin anew; holder is the task that has its unique key, if that stands in the way.
func (e *engine) requeue(ctx context.Context, id int32, taskID string, states []queue.State) (did bool, holder string, err error) {
	one := func(ctx context.Context, tx pgx.Tx) ([]string, error) {
		if e.limits.Capacity > 0 {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockRoom, id); err != nil {
				return nil, err
			}
		}
		return []string{taskID}, nil
	}
	err = e.change(ctx, id, one, func(c *change) (err error) {
		did, holder = false, ""
		for _, t := range c.rows {
			if t.state != dead && t.state != cancelled || len(states) > 0 && !slices.Contains(states, stateNames[t.state]) {
				continue
			}
			if holder, err = c.claimKey(ctx, t); err != nil || holder != "" {
				return err
			}
			if err := c.checkRoom(ctx); err != nil {
				return err
			}
			t.failed, t.ended, t.attempt, t.undo, t.cause, t.endsAs = 0, nil, 0, false, nil, 0
			c.wait(t, ready, c.now)
			t.touched, did = true, true
		}
		return nil
	})
	return did, holder, err
}

// claimKey makes a task's unique key count again; it may be another's.
func (c *change) claimKey(ctx context.Context, t *locked) (holder string, err error) {
	if t.unique == nil {
		return "", nil
	}
	tag, err := c.tx.Exec(ctx, c.e.sql(takeKeySQL), c.id, *t.unique, t.id)
	if err != nil || tag.RowsAffected() == 1 {
		return "", err
	}
	err = c.tx.QueryRow(ctx, c.e.sql(takenKeySQL), c.id, *t.unique).Scan(&holder)
	return holder, err
}

func (c *change) checkRoom(ctx context.Context) error {
	if c.e.limits.Capacity == 0 {
		return nil
	}
	var room int
	var known, held []string
	err := c.tx.QueryRow(ctx, c.e.sql(roomSQL), c.id, c.e.limits.Capacity, []string{}, []string{}).Scan(&room, &known, &held)
	if err == nil && room == 0 {
		return queue.ErrFull
	}
	return err
}

// Pause implements queue.Admin.
func (e *engine) Pause(ctx context.Context) error { return e.hold(ctx, true) }

// Resume implements queue.Admin.
func (e *engine) Resume(ctx context.Context) error { return e.hold(ctx, false) }

func (e *engine) hold(ctx context.Context, paused bool) error {
	return e.with(ctx, func(ctx context.Context, id int32) error {
		err := e.do(ctx, func(ctx context.Context) error {
			_, err := e.pool.Exec(ctx, e.sql(pauseSQL), id, paused)
			return err
		})
		if err == nil && !paused {
			e.mu.Lock()
			n := len(e.receivers)
			e.mu.Unlock()
			e.news(n)
		}
		return err
	})
}

// pagination is what is still to be looked at of a selection: these IDs, or all in these states behind an ID.
type pagination struct {
	ids    []string
	states []int16
	after  string
}

func selected(sel queue.Selection) pagination {
	if len(sel.IDs) == 0 {
		return pagination{states: statesNamed(sel.States)}
	}
	ids := slices.Clone(sel.IDs)
	slices.Sort(ids)
	return pagination{ids: slices.Compact(ids)}
}

func (p pagination) finished() bool { return len(p.ids) == 0 && len(p.states) == 0 }

// page gives the next portion.
func (e *engine) page(ctx context.Context, id int32, p pagination) (ids []string, next pagination, err error) {
	if n := min(len(p.ids), portion); n > 0 {
		return p.ids[:n], pagination{ids: p.ids[n:]}, nil
	}
	err = e.do(ctx, func(ctx context.Context) (err error) {
		ids, err = collect[string](e.pool.Query(ctx, e.sql(selectedStatesSQL), id, p.states, p.after, portion))
		return err
	})
	if err != nil || len(ids) < portion {
		return ids, pagination{}, err
	}
	p.after = ids[len(ids)-1]
	return ids, p, nil
}

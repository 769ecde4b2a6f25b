package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

// change is what happens to some tasks in one transaction: they are locked, moved here, and written back, and what hangs on them follows: unique
// keys, checkpoints, and the groups that let others go.
type change struct {
	e   *engine
	tx  pgx.Tx
	id  int32
	now time.Time

	rows    []*locked
	wakes   int // tasks that can be claimed now
	changed bool
}

// locked is a task in a change.
type locked struct {
	row
	old      row
	fresh    int64 // a new place, behind all others
	undoable bool
	note     *queue.Failure
	touched  bool
	gone     bool // forgotten
}

// change locks the tasks of these IDs, in their order, lets f change them, and writes what it did. f may be called again, after a deadlock.
func (e *engine) change(ctx context.Context, id int32, ids func(context.Context, pgx.Tx) ([]string, error), f func(*change) error) error {
	var c *change
	err := e.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		c = &change{e: e, tx: tx, id: id}
		which, err := ids(ctx, tx)
		if err != nil || len(which) == 0 {
			return err
		}
		if err := c.lock(ctx, which); err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
		return c.write(ctx)
	})
	if err == nil && c.wakes > 0 {
		e.news(c.wakes)
	}
	if err == nil && c.changed {
		e.wakeFillers()
	}
	return err
}

// these are IDs that are known.
func these(ids []string) func(context.Context, pgx.Tx) ([]string, error) {
	return func(context.Context, pgx.Tx) ([]string, error) { return ids, nil }
}

func (c *change) lock(ctx context.Context, ids []string) error {
	rows, err := c.tx.Query(ctx, c.e.sql(lockSQL), c.id, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	var places []int64
	for rows.Next() {
		t := new(locked)
		if err := t.scan(rows, &t.fresh, &c.now, &t.undoable); err != nil {
			return err
		}
		t.old = t.row
		places = append(places, t.fresh)
		c.rows = append(c.rows, t)
	}
	slices.Sort(places) // the database may have numbered them before it ordered them
	for i, t := range c.rows {
		t.fresh = places[i]
	}
	return rows.Err()
}

// wait puts the task away until then, behind all that become due before or at that instant. An undoing one stays that.
func (c *change) wait(t *locked, until state, due time.Time) {
	t.due, t.seq, t.until = due, t.fresh, nil
	if !due.After(c.now) {
		c.becomeReady(t)
		return
	}
	if t.state != undoing {
		t.state = until
	}
	t.stand = waiting
	c.e.expect(time.Now().Add(due.Sub(c.now)))
}

// becomeReady lets a task be claimed, at its place. Whether its group admits it shows then.
func (c *change) becomeReady(t *locked) {
	t.until = nil
	if t.state != undoing {
		t.state = ready
	}
	t.stand = open
	c.wakes++
}

// fail uses up the attempt.
func (c *change) fail(t *locked, cause string) {
	t.failed++
	c.record(t, t.failed, t.state == undoing, cause)
}

// record adds to a task's history.
func (c *change) record(t *locked, attempt int, undo bool, cause string) {
	t.note = &queue.Failure{Attempt: attempt, At: c.now, Error: cause, Undo: undo}
}

// succeed ends a task that is done, or whose effects are undone.
func (c *change) succeed(t *locked) {
	as := done
	if t.state == undoing {
		as = t.endsAs
	}
	c.conclude(t, as)
	t.kept = false
}

// giveUp ends a task. One that has effects to be undone becomes due once more, for that alone; if that fails, it is dead.
func (c *change) giveUp(t *locked, as state, cause string) {
	switch {
	case t.state == undoing:
		c.conclude(t, dead)
	case t.undoable:
		t.state, t.endsAs, t.cancelling, t.failed, t.cause = undoing, as, false, 0, &cause
		if as == cancelled {
			t.cause = &cancelledCause
		}
		c.wait(t, undoing, c.now)
	default:
		c.conclude(t, as)
	}
}

// conclude ends a task, for now or for good.
func (c *change) conclude(t *locked, as state) {
	t.state, t.stand, t.begun, t.cancelling, t.until = as, nowhere, false, false, nil
	t.ended, t.seq = &c.now, t.fresh
}

// write brings into the database what was done.
func (c *change) write(ctx context.Context) error {
	var w writing
	var gone, unkept []string
	var ended keyEnds
	groups := map[string]bool{}
	for _, t := range c.rows {
		if !t.touched {
			continue
		}
		c.changed = true
		forget := t.gone || t.state == done && c.e.limits.KeepDone == 0
		if forget {
			gone = append(gone, t.id)
		} else if err := w.add(t); err != nil {
			return err
		}
		if t.old.kept && (forget || !t.kept) {
			unkept = append(unkept, t.id)
		}
		if t.old.state.living() && (forget || !t.state.living()) {
			ended.add(t)
		}
		if t.group != nil {
			groups[*t.group] = true
		}
	}
	if !c.changed {
		return nil
	}
	if err := c.send(ctx, w, gone, unkept, ended); err != nil {
		return err
	}
	return c.regroup(ctx, groups)
}

// send sends the changes in one round.
func (c *change) send(ctx context.Context, w writing, gone, unkept []string, ended keyEnds) error {
	var b pgx.Batch
	if len(w.ids) > 0 {
		b.Queue(c.e.sql(writeSQL), w.args(c.id)...)
	}
	if len(gone) > 0 {
		b.Queue(c.e.sql(forgetSQL), c.id, gone)
	}
	if len(unkept) > 0 {
		b.Queue(c.e.sql(dropCheckpointsSQL), c.id, unkept)
	}
	if len(ended.keys) > 0 {
		b.Queue(c.e.sql(endKeysSQL), c.id, ended.keys, ended.ids)
	}
	return c.tx.SendBatch(ctx, &b).Close()
}

// regroup lets those go that their groups have room for now.
func (c *change) regroup(ctx context.Context, groups map[string]bool) error {
	if len(groups) == 0 {
		return nil
	}
	if err := c.e.lockLimits(ctx, c.tx, c.id); err != nil {
		return err
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	tag, err := c.tx.Exec(ctx, c.e.sql(unparkSQL), c.id, names, c.e.order == queue.Strict, c.e.limits.GroupLimit(c.e.order))
	c.wakes += int(tag.RowsAffected())
	return err
}

// keyEnds are unique keys whose tasks have ended.
type keyEnds struct{ keys, ids []string }

func (k *keyEnds) add(t *locked) {
	if t.unique != nil {
		k.keys, k.ids = append(k.keys, *t.unique), append(k.ids, t.id)
	}
}

// writing is rows as the arguments of writeSQL.
type writing struct {
	ids               []string
	states, stands    []int16
	dues              []time.Time
	seqs              []int64
	untils            []*time.Time
	attempts, failed  []int32
	undo, begun, ends []bool
	endsAs            []int16
	causes            []*string
	ended             []*time.Time
	kept              []bool
	notes             []*string
}

func (w *writing) add(t *locked) error {
	w.ids = append(w.ids, t.id)
	w.states, w.stands = append(w.states, int16(t.state)), append(w.stands, int16(t.stand))
	w.dues, w.seqs, w.untils = append(w.dues, t.due), append(w.seqs, t.seq), append(w.untils, t.until)
	w.attempts, w.failed = append(w.attempts, int32(t.attempt)), append(w.failed, int32(t.failed)) //nolint:gosec // they were read as such
	w.undo, w.begun, w.ends = append(w.undo, t.undo), append(w.begun, t.begun), append(w.ends, t.cancelling)
	w.endsAs, w.causes = append(w.endsAs, int16(t.endsAs)), append(w.causes, t.cause)
	w.ended, w.kept = append(w.ended, t.ended), append(w.kept, t.kept)
	if t.note == nil {
		w.notes = append(w.notes, nil)
		return nil
	}
	data, err := json.Marshal(t.note)
	note := string(data)
	w.notes = append(w.notes, &note)
	return err
}

func (w *writing) args(id int32) []any {
	return []any{
		id, w.ids, w.states, w.stands, w.dues, w.seqs, w.untils, w.attempts, w.failed, w.undo, w.begun, w.ends, w.endsAs, w.causes, w.ended, w.kept, w.notes,
	}
}

package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/plba/plba/queue"
)

// read gives f a connection that sees what has been committed. A commit is in the database a moment before it is in memory, and read bridges that moment:
// what it has shown, Stats shows too from then on.
func (e *engine) read(ctx context.Context, f func(c *conn) error) error {
	err := e.readers.snapshot(ctx, func(c *conn) error {
		version, err := c.number("SELECT clock FROM store")
		if err != nil {
			return err
		}
		e.awaitVersion(version)
		return f(c)
	})
	err = explain(e.path, err)
	e.note(err)
	return err
}

// Stats implements queue.Admin. The counts are those of the last commit.
func (e *engine) Stats(ctx context.Context) (queue.Stats, error) {
	if err := e.usable(ctx); err != nil {
		return queue.Stats{}, err
	}
	e.mu.Lock()
	k := e.shown
	e.mu.Unlock()
	s := queue.Stats{
		Ready: k.counts[ready], Scheduled: k.counts[scheduled], Running: k.counts[running], Retrying: k.counts[retrying], Undoing: k.counts[undoing],
		Dead: k.counts[dead], Cancelled: k.counts[cancelled], Done: k.counts[done],
		Published: k.published, Completed: k.completed, Capacity: int64(e.limits.Capacity), Paused: k.paused,
	}
	if s.Ready == 0 {
		return s, nil
	}
	oldest, err := e.oldest(ctx)
	if err == nil && oldest != never {
		s.OldestReady = time.Duration(max(0, e.clock.now()-oldest))
	}
	return s, err
}

const (
	nextPriority = "SELECT priority FROM tasks INDEXED BY tasks_open WHERE queue = ? AND stand = 2 AND priority < ? ORDER BY priority DESC LIMIT 1"
	oldestOpen   = "SELECT due FROM tasks INDEXED BY tasks_open WHERE queue = ? AND stand = 2 AND priority = ? AND state = 2 ORDER BY due LIMIT 1"
	oldestParked = "SELECT due FROM tasks INDEXED BY tasks_parked_due WHERE queue = ? AND stand = 3 AND state = 2 ORDER BY due LIMIT 1"
)

// oldest is since when the first ready task has been due. Each priority has its own order, and there are only so many of them.
func (e *engine) oldest(ctx context.Context) (first int64, err error) {
	first = never
	err = e.read(ctx, func(c *conn) error {
		consider := func(row columns) error {
			first = min(first, row.int(0))
			return nil
		}
		err := c.each(ctx, oldestParked, []driver.Value{e.id}, consider)
		for priority, more := int64(queue.MaxPriority+1), true; more && err == nil; {
			more = false
			err = c.each(ctx, nextPriority, []driver.Value{e.id, priority}, func(row columns) error {
				priority, more = row.int(0), true
				return nil
			})
			if more && err == nil {
				err = c.each(ctx, oldestOpen, []driver.Value{e.id, priority}, consider)
			}
		}
		return err
	})
	return first, err
}

// Task implements queue.Admin.
func (e *engine) Task(ctx context.Context, id string) (v queue.Task, err error) {
	if err := e.usable(ctx); err != nil {
		return queue.Task{}, err
	}
	err = e.read(ctx, func(c *conn) error {
		ts, err := readRows(ctx, c, rowByID, e.id, id)
		if err != nil {
			return err
		}
		if len(ts) == 0 {
			return notFound(id)
		}
		v, err = e.view(ctx, c, &ts[0], queue.MaxFailures)
		return err
	})
	return v, err
}

func readRows(ctx context.Context, c *conn, sql string, args ...driver.Value) (ts []row, err error) {
	err = c.each(ctx, sql, args, func(values columns) error {
		t, err := readRow(values)
		ts = append(ts, t)
		return err
	})
	return ts, err
}

// view is what people see of a task, with its last failures.
func (e *engine) view(ctx context.Context, c *conn, t *row, failures int64) (v queue.Task, err error) {
	v = queue.Task{Info: t.info(e.name, e.clock), State: stateNames[t.state], Cancelling: t.cancelling}
	if t.leased() {
		v.LeasedUntil = e.clock.show(e.leases.until(t.id, e.clock.now()))
	}
	if t.state == undoing {
		v.EndsAs = stateNames[t.endsAs]
	}
	if !t.state.living() {
		v.EndedAt = e.clock.show(t.ended)
	}
	if v.Failures, err = e.history(ctx, c, t, failures); err != nil {
		return v, err
	}
	err = c.each(ctx, selectBody, []driver.Value{t.n}, func(row columns) error {
		content, err := readBody(row)
		v.Info.Metadata, v.Payload = content.metadata, queue.Payload{Bytes: content.payload}
		return err
	})
	return v, err
}

const (
	rowsBefore        = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_id WHERE queue = ? AND id < ? ORDER BY id DESC LIMIT ?"
	rowsInStateBefore = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_state WHERE queue = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?"
)

// beyond is above all IDs.
const beyond = "\xff"

// Tasks implements queue.Admin.
func (e *engine) Tasks(ctx context.Context, q queue.Query) (page queue.Page, err error) {
	if err := e.usable(ctx); err != nil {
		return queue.Page{}, err
	}
	size := q.Size()
	err = e.read(ctx, func(c *conn) error {
		ts, err := e.newest(ctx, c, q, size+1) // one more, to know whether that is all
		if err != nil {
			return err
		}
		if len(ts) > size {
			ts = ts[:size]
			page.Next = ts[size-1].id
		}
		for i := range ts {
			v, err := e.view(ctx, c, &ts[i], 1)
			if err != nil {
				return err
			}
			v.Payload = queue.Payload{}
			page.Tasks = append(page.Tasks, v)
		}
		return nil
	})
	return page, err
}

// newest are the first tasks that the query selects. Each state has its own order.
func (e *engine) newest(ctx context.Context, c *conn, q queue.Query, most int) (ts []row, err error) {
	before := cmp.Or(q.After, beyond)
	if len(q.States) == 0 {
		return readRows(ctx, c, rowsBefore, e.id, before, int64(most))
	}
	for _, s := range selected(queue.Selection{States: q.States}).states {
		more, err := readRows(ctx, c, rowsInStateBefore, e.id, int64(s), before, int64(most))
		if err != nil {
			return nil, err
		}
		ts = append(ts, more...)
	}
	slices.SortFunc(ts, func(a, b row) int { return cmp.Compare(b.id, a.id) })
	return ts[:min(len(ts), most)], nil
}

package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/plba/plba/queue"
)

// failure is an entry in a task's history.
type failure struct {
	attempt int64
	at      int64
	undo    bool
	text    string
}

const failureColumns = "n, i, attempt, at, undo, error, sum"

func (f *failure) values(t *row) []driver.Value {
	v := append(make([]driver.Value, 0, 7), t.n, t.failures, f.attempt, f.at, number(f.undo), f.text)
	return append(v, sumOf(v...))
}

func readFailure(c columns) (failure, error) {
	f := failure{attempt: c.int(2), at: c.int(3), undo: c.bool(4), text: c.text(5)}
	return f, checkSum(c, 6, func() string { return fmt.Sprintf("failure %d of task number %d", c.int(1), c.int(0)) })
}

// record adds to a task's history, and forgets the oldest entry if there are too many.
func (e *engine) record(b *batch, t *row, f failure) {
	b.exec("INSERT INTO failures ("+failureColumns+") VALUES (?,?,?,?,?,?,?)", f.values(t)...)
	t.failures++
	if t.failures > queue.MaxFailures {
		b.exec("DELETE FROM failures WHERE n = ? AND i = ?", t.n, t.failures-1-queue.MaxFailures)
	}
}

// history reads the last entries of a task's history, in order.
func (e *engine) history(ctx context.Context, c *conn, t *row, most int64) (fs []queue.Failure, err error) {
	const query = "SELECT " + failureColumns + " FROM failures WHERE n = ? AND i >= ? ORDER BY i"
	if t.failures == 0 {
		return nil, nil
	}
	err = c.each(ctx, query, []driver.Value{t.n, t.failures - most}, func(c columns) error {
		f, err := readFailure(c)
		fs = append(fs, queue.Failure{Attempt: int(f.attempt), At: e.clock.show(f.at), Error: f.text, Undo: f.undo})
		return err
	})
	return fs, err
}

package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// checkpoints are what is kept with a task, for the holder of one lease.
type checkpoints struct {
	e   *engine
	tok queue.Token
}

// Checkpoints implements queue.Engine.
func (e *engine) Checkpoints(tok queue.Token) task.Checkpoints { return &checkpoints{e, tok} }

const checkpointColumns = "n, path, value, sum"

// held is the task, if the lease is held.
func (c *checkpoints) held() (row, error) {
	t, ok := c.e.leases.task(c.tok, c.e.clock.now())
	if !ok {
		return row{}, fmt.Errorf("task %s: %w", c.tok.ID, task.ErrLeaseLost)
	}
	return t, nil
}

func (c *checkpoints) Load(ctx context.Context, path string, into any) (found bool, err error) {
	var data []byte
	err = c.look(ctx, func(read *conn, t *row) error {
		return read.each(ctx, "SELECT "+checkpointColumns+" FROM checkpoints WHERE n = ? AND path = ?", []driver.Value{t.n, path}, func(row columns) error {
			found, data = true, row.bytes(2)
			return checkCheckpoint(row)
		})
	})
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return true, fmt.Errorf("task %s: checkpoint %q cannot be decoded as %T: %w", c.tok.ID, path, into, err)
	}
	return true, nil
}

func checkCheckpoint(row columns) error {
	return checkSum(row, 3, func() string { return fmt.Sprintf("checkpoint %q of task number %d", row.text(1), row.int(0)) })
}

// List gives the paths in the order of SQLite's texts, which is that of their bytes.
func (c *checkpoints) List(ctx context.Context, prefix string) (paths []string, err error) {
	low, high := span(prefix)
	err = c.look(ctx, func(read *conn, t *row) error {
		return read.each(ctx, "SELECT path FROM checkpoints WHERE n = ? AND path >= ? AND path < ? ORDER BY path", []driver.Value{t.n, low, high},
			func(row columns) error {
				paths = append(paths, row.text(0))
				return nil
			})
	})
	return paths, err
}

// look reads, if the lease is held.
func (c *checkpoints) look(ctx context.Context, f func(read *conn, t *row) error) error {
	if err := c.e.usable(ctx); err != nil {
		return err
	}
	t, err := c.held()
	if err != nil {
		return err
	}
	return c.e.read(ctx, func(read *conn) error { return f(read, &t) })
}

func (c *checkpoints) Save(ctx context.Context, path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("task %s: checkpoint %q: %T cannot be encoded: %w", c.tok.ID, path, v, err)
	}
	if len(data) > queue.MaxCheckpoint {
		return fmt.Errorf("task %s: checkpoint %q: %w: %d bytes, allowed are %d",
			c.tok.ID, path, queue.ErrTooLarge, len(data), queue.MaxCheckpoint)
	}
	return c.change(ctx, len(data), func(b *batch, t row) {
		const save = "INSERT INTO checkpoints (" + checkpointColumns + ") VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET (value, sum) = (excluded.value, excluded.sum)"
		b.exec(save, t.n, path, data, sumOf(t.n, path, data))
		if old := t; !t.kept {
			t.kept = true
			c.e.put(b, &old, &t)
		}
	})
}

func (c *checkpoints) Forget(ctx context.Context, prefix string) error {
	low, high := span(prefix)
	return c.change(ctx, 0, func(b *batch, t row) {
		b.exec("DELETE FROM checkpoints WHERE n = ? AND path >= ? AND path < ?", t.n, low, high)
	})
}

// change changes something, if the lease is held.
func (c *checkpoints) change(ctx context.Context, weight int, do func(b *batch, t row)) error {
	return c.e.ask(ctx, &request{engine: c.e, weight: weight, do: func(b *batch) (bool, error) {
		t, err := c.held()
		if err == nil {
			do(b, t)
		}
		return true, err
	}})
}

// span are the bounds of all texts that begin with prefix: from low on, and below high. A byte of 0xff is in no UTF-8 text.
func span(prefix string) (low, high string) { return prefix, prefix + "\xff" }

// undoable says whether the task has effects that can be undone.
func (e *engine) undoable(b *batch, t *row) bool {
	low, high := span(task.UndoPrefix)
	return t.kept && b.exists("SELECT 1 FROM checkpoints WHERE n = ? AND path >= ? AND path < ? LIMIT 1", t.n, low, high)
}

// dropCheckpoints forgets everything that is kept with the task.
func (e *engine) dropCheckpoints(b *batch, t *row) {
	if t.kept {
		b.exec("DELETE FROM checkpoints WHERE n = ?", t.n)
		t.kept = false
	}
}

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// checkpoints are kept in a table of their own, encoded as JSON; each call is one statement that holds the lease against the fence.
type checkpoints struct {
	e   *engine
	tok queue.Token
}

// Checkpoints implements queue.Engine.
func (e *engine) Checkpoints(tok queue.Token) task.Checkpoints { return &checkpoints{e, tok} }

func (c *checkpoints) lost() error { return fmt.Errorf("task %s: %w", c.tok.ID, task.ErrLeaseLost) }

// do runs f with the queue's number.
func (c *checkpoints) do(ctx context.Context, f func(ctx context.Context, id int32) error) error {
	return c.e.with(ctx, func(ctx context.Context, id int32) error {
		return c.e.do(ctx, func(ctx context.Context) error { return f(ctx, id) })
	})
}

// Load implements task.Checkpoints.
func (c *checkpoints) Load(ctx context.Context, path string, into any) (found bool, err error) {
	var data []byte
	err = c.do(ctx, func(ctx context.Context, id int32) error {
		err := c.e.pool.QueryRow(ctx, c.e.sql(loadCheckpointSQL), id, c.tok.ID, c.tok.Lease, path).Scan(&data)
		if errors.Is(err, pgx.ErrNoRows) {
			return c.lost()
		}
		return err
	})
	if err != nil || data == nil {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return true, fmt.Errorf("task %s: checkpoint %q cannot be decoded as %T: %w", c.tok.ID, path, into, err)
	}
	return true, nil
}

// Save implements task.Checkpoints.
func (c *checkpoints) Save(ctx context.Context, path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("task %s: checkpoint %q: %T cannot be encoded: %w", c.tok.ID, path, v, err)
	}
	if len(data) > queue.MaxCheckpoint {
		return fmt.Errorf("task %s: checkpoint %q: %w: %d bytes, allowed are %d", c.tok.ID, path, queue.ErrTooLarge, len(data), queue.MaxCheckpoint)
	}
	return c.do(ctx, func(ctx context.Context, id int32) error {
		tag, err := c.e.pool.Exec(ctx, c.e.sql(saveCheckpointSQL), id, c.tok.ID, c.tok.Lease, path, data)
		if err == nil && tag.RowsAffected() == 0 {
			return c.lost()
		}
		return err
	})
}

// List implements task.Checkpoints.
func (c *checkpoints) List(ctx context.Context, prefix string) (paths []string, err error) {
	err = c.fenced(ctx, func(ctx context.Context, tx pgx.Tx, id int32) (err error) {
		paths, err = collect[string](tx.Query(ctx, c.e.sql(listCheckpointsSQL), id, c.tok.ID, prefix))
		return err
	})
	return paths, err
}

// Forget implements task.Checkpoints.
func (c *checkpoints) Forget(ctx context.Context, prefix string) error {
	return c.fenced(ctx, func(ctx context.Context, tx pgx.Tx, id int32) error {
		_, err := tx.Exec(ctx, c.e.sql(forgetCheckpointsSQL), id, c.tok.ID, prefix)
		return err
	})
}

// fenced runs f in a transaction in which the lease is held.
func (c *checkpoints) fenced(ctx context.Context, f func(ctx context.Context, tx pgx.Tx, id int32) error) error {
	return c.e.with(ctx, func(ctx context.Context, id int32) error {
		return c.e.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			held, err := collect[int](tx.Query(ctx, c.e.sql(heldSQL), id, c.tok.ID, c.tok.Lease))
			if err != nil {
				return err
			}
			if len(held) == 0 {
				return c.lost()
			}
			return f(ctx, tx, id)
		})
	})
}

package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// checkpoints are kept with the task, encoded, so that a value that is changed later is not changed here.
type checkpoints struct {
	e   *engine
	tok queue.Token
}

// Checkpoints implements queue.Engine.
func (e *engine) Checkpoints(tok queue.Token) task.Checkpoints { return &checkpoints{e, tok} }

// with calls do with the task, under the lock, if the lease is still held.
func (c *checkpoints) with(do func(t *entry)) error {
	if err := c.e.enter(); err != nil {
		return err
	}
	defer c.e.leave()
	t := c.e.held(c.tok)
	if t == nil {
		return fmt.Errorf("task %s: %w", c.tok.ID, task.ErrLeaseLost)
	}
	do(t)
	return nil
}

func (c *checkpoints) Load(_ context.Context, path string, into any) (found bool, err error) {
	var data []byte
	if err := c.with(func(t *entry) { data, found = t.checkpoints[path] }); err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return true, fmt.Errorf("task %s: checkpoint %q cannot be decoded as %T: %w", c.tok.ID, path, into, err)
	}
	return true, nil
}

func (c *checkpoints) Save(_ context.Context, path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("task %s: checkpoint %q: %T cannot be encoded: %w", c.tok.ID, path, v, err)
	}
	if len(data) > queue.MaxCheckpoint {
		return fmt.Errorf("task %s: checkpoint %q: %w: %d bytes, allowed are %d",
			c.tok.ID, path, queue.ErrTooLarge, len(data), queue.MaxCheckpoint)
	}
	return c.with(func(t *entry) {
		if t.checkpoints == nil {
			t.checkpoints = map[string][]byte{}
		}
		t.checkpoints[path] = data
	})
}

func (c *checkpoints) Forget(_ context.Context, prefix string) error {
	return c.with(func(t *entry) {
		maps.DeleteFunc(t.checkpoints, func(path string, _ []byte) bool { return strings.HasPrefix(path, prefix) })
	})
}

func (c *checkpoints) List(_ context.Context, prefix string) (paths []string, err error) {
	err = c.with(func(t *entry) {
		for path := range t.checkpoints {
			if strings.HasPrefix(path, prefix) {
				paths = append(paths, path)
			}
		}
	})
	slices.Sort(paths)
	return paths, err
}

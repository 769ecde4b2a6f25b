package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/plba/plba/task"
)

// Collected is a stage for tests that keeps what it gets. Put its Sink where values arrive that a test wants to
// see: behind the stages under test, or with Pipeline.Replace in the place of a rejected path. The zero value is
// ready, and safe for concurrent use.
type Collected[T any] struct {
	mu     sync.Mutex
	values []T
}

// Sink is the stage.
func (c *Collected[T]) Sink(name string) *Step[T, Done] {
	return Sink(name, func(_ context.Context, v T) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.values = append(c.values, v)
		return nil
	})
}

// Values are those that have arrived, in the order they did.
func (c *Collected[T]) Values() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.values)
}

// Drop is a value, or an element of a fan-out, that was dropped.
type Drop struct {
	Path   string // of the stage that dropped it
	Reason error  // that stage's own error; errors.As finds a *RejectedError in it if a Validate refused the value
}

// Drops collects for tests what runs drop, also the elements that fan-outs leave out without a word. The zero
// value is ready, and safe for concurrent use.
type Drops struct {
	mu  sync.Mutex
	all []Drop
}

type dropsKey struct{}

// Watch gives a context for the runs whose drops are to be collected.
func (d *Drops) Watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, dropsKey{}, d)
}

// All gives the drops in the order they happened.
func (d *Drops) All() []Drop {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

// noteDrop tells whoever watches that the stage at has dropped the value; not so when a stage further inside did.
func noteDrop(at context.Context, err error) {
	d, watched := at.Value(dropsKey{}).(*Drops)
	if !watched {
		return
	}
	var inner *StageError
	if outcome, _ := task.Classify(err); outcome != task.Dropped || errors.As(err, &inner) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, Drop{pathAt(at), err})
}

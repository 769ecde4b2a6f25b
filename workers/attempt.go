package workers

import (
	"context"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// attempt is a task from when it was received until it is answered. It is the context of its handler, which tells of the task, and what is kept with the task:
// so a task costs no more than its lease. A handler may keep its context, so no attempt is used twice.
type attempt[T any] struct {
	context.Context // around it
	*queue.Lease
	slot *slot[T]
}

var (
	_ context.Context  = (*attempt[int])(nil)
	_ task.Scope       = (*attempt[int])(nil)
	_ task.Checkpoints = (*attempt[int])(nil)
)

// Value finds the task at hand, and else what the context around it has.
func (a *attempt[T]) Value(key any) any {
	if task.IsScopeKey(key) {
		return a
	}
	return a.Context.Value(key)
}

// Task implements task.Scope.
func (a *attempt[T]) Task() *task.Info { return &a.Info }

// Slots implements task.Scope.
func (a *attempt[T]) Slots() task.Slots { return a.slot }

// Kept implements task.Scope.
func (a *attempt[T]) Kept() task.Checkpoints {
	if a.kept() == nil {
		return nil
	}
	return a
}

// kept is asked for anew each time: the queue may be bound to another engine meanwhile.
func (a *attempt[T]) kept() task.Checkpoints { return a.slot.crew.c.queue.Checkpoints(a.Token) }

// Load implements task.Checkpoints.
func (a *attempt[T]) Load(ctx context.Context, path string, into any) (found bool, err error) {
	return a.kept().Load(ctx, path, into)
}

// Save implements task.Checkpoints.
func (a *attempt[T]) Save(ctx context.Context, path string, v any) error {
	return a.kept().Save(ctx, path, v)
}

// Forget implements task.Checkpoints.
func (a *attempt[T]) Forget(ctx context.Context, prefix string) error {
	return a.kept().Forget(ctx, prefix)
}

// List implements task.Checkpoints.
func (a *attempt[T]) List(ctx context.Context, prefix string) ([]string, error) {
	return a.kept().List(ctx, prefix)
}

package queue

import (
	"errors"
	"fmt"
)

// What a queue refuses. Every error of a [Queue] begins with the queue's name and wraps one of these, a [StateError], task.ErrLeaseLost,
// the context's error, or an error of its engine.
var (
	// ErrNotOpen: the queue has no engine; it gets one when the runtime starts and loses it when the runtime stops.
	ErrNotOpen = errors.New("not open: the runtime has not started it")
	// ErrFull: as many unfinished tasks as the queue may hold; only TrySend and Requeue answer so, the others wait.
	ErrFull = errors.New("full: it holds as many unfinished tasks as its capacity allows")
	// ErrClosed: the engine was closed; nothing was changed.
	ErrClosed = errors.New("closed")
	// ErrTooLarge: payload, metadata, unique key, group key or checkpoint is larger than the queue takes.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid: an argument that no queue can take, such as a priority out of range or metadata with a NUL.
	ErrInvalid = errors.New("invalid")
	// ErrUnknownKind: the task was published with a kind that this queue's type does not read. It must be kept and
	// retried, because a newer version of the program may read it.
	ErrUnknownKind = errors.New("unknown kind")
	// ErrNotFound: the queue has no such task; it never had, or the task has ended and is not kept.
	ErrNotFound = errors.New("not found")
	// ErrKeyTaken: a task was not requeued, because another one has its unique key by now.
	ErrKeyTaken = errors.New("its unique key is taken")
)

// StateError says that a task cannot be cancelled in the state that it is in.
type StateError struct {
	ID    string
	State State
}

func (e *StateError) Error() string {
	return fmt.Sprintf("task %s is %s: only a scheduled, ready, running or retrying one can be cancelled", e.ID, e.State)
}

// named puts the queue's name in front of an error of its engine or of this package.
func named(queue string, err error) error {
	switch err {
	case nil:
		return nil
	case ErrNotOpen, ErrFull, ErrClosed:
		return fmt.Errorf("queue %s is %w", queue, err)
	default:
		return fmt.Errorf("queue %s: %w", queue, err)
	}
}

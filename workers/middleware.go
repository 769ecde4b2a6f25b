package workers

import (
	"context"
	"errors"
	"fmt"
)

// Middleware makes a handler of another one: it may look at the task before and after (task.From tells which it is), change the context, the value or the
// error, or answer by itself and not call next at all. A handler may be called by many goroutines at once, and so may what a middleware makes.
//
// A panic in a handler passes through its middleware like any other; a middleware that must know of it defers.
type Middleware[T any] func(next Handler[T]) Handler[T]

// Wrap puts middleware around a handler, in the order given: the first is the outermost, it sees the task first and the error last. It takes the handler's
// place:
//
//	workers.Consume("mails", q, workers.Wrap(h, audit, limit), workers.Concurrency(3))
//
// A handler or middleware that is nil, and a middleware that returns nil, are faults that Consume reports. A handler that is a task.Attacher stays one, and so
// does what a middleware made: the worker attaches each of them, the innermost first, so a middleware attaches nothing but itself.
func Wrap[T any](h Handler[T], mw ...Middleware[T]) Handler[T] {
	if isNil(h) {
		return nil
	}
	if f, ok := h.(faulty[T]); ok {
		return f
	}
	parts := attachersOf(h)
	for i := len(mw) - 1; i >= 0; i-- {
		if mw[i] == nil {
			return faulty[T]{fmt.Errorf("middleware %d of %d is nil", i+1, len(mw))}
		}
		if h = mw[i](show(h, parts)); isNil(h) {
			return faulty[T]{fmt.Errorf("middleware %d of %d returned no handler", i+1, len(mw))}
		}
		parts = with(parts, h)
	}
	return show(h, parts)
}

// faulty is a handler that could not be made. It refuses every task, for those who do not look.
type faulty[T any] struct{ error }

func (f faulty[T]) Handle(context.Context, T) error { return f.error }

// faultOf is why the handler cannot be used.
func faultOf[T any](h Handler[T]) error {
	if isNil(h) {
		return errors.New("the handler is nil")
	}
	if f, ok := h.(faulty[T]); ok {
		return f.error
	}
	return nil
}

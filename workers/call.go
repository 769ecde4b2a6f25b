package workers

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// callOnce makes one call of an author's function that is a piece of work of its own: in flight and in a trace of its own while it lasts,
// bounded by the timeout (0: none). A panic is its error. settle is told of the end within the trace, also after runtime.Goexit, which then
// ends the worker's life with an error (life.drive).
func (l *life) callOnce(r *run, span string, timeout time.Duration, fn func(context.Context) error, settle func(context.Context, error)) (err error) {
	r.act.begin()
	ctx, end := l.env.Tracing.Create(r.ctx, span, attribute.String("worker.name", l.name))
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, &TimeoutError{l.name, timeout})
		defer cancel()
	}
	err = errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
		l.count(r, err)
		settle(ctx, err)
		end(err)
	}()
	return fn(ctx)
}

// failure is what the log says of a failed call: the error, and the stack if it panicked.
func (l *life) failure(err error) []any {
	args := []any{"worker", l.name, "error", err}
	if stack := stackOf(err); stack != "" {
		args = append(args, "stack", stack)
	}
	return args
}

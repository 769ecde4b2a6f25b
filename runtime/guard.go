package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/plba/plba/workers"
)

// answerGrace is how long a function may still answer after its context has ended: one that heeds its context has answered by then.
const answerGrace = time.Second

var errGoexit = errors.New("runtime.Goexit was called instead of returning")

// answer is what a guarded call came to.
type answer[T any] struct {
	value T
	err   error
	left  bool // it has not answered and is left behind
}

// call runs foreign code in a goroutine of its own and waits for its answer until a moment after ctx has ended. A panic or runtime.Goexit is an
// error, and logged with its stack. What ignores its context is left behind; late (may be nil) gets its answer if it comes after all.
func call[T any](ctx context.Context, log *slog.Logger, what string, f func(context.Context) (T, error), late func(T, error)) answer[T] {
	answered := make(chan answer[T], 1)
	var settled atomic.Bool // by the answer or by the end of the patience, whichever is first
	go func() {
		a := answer[T]{err: errGoexit}
		defer func() {
			if v := recover(); v != nil {
				a.err = panicked(log, what, v)
			}
			if settled.CompareAndSwap(false, true) {
				answered <- a
			} else if late != nil {
				late(a.value, a.err)
			}
		}()
		a.value, a.err = f(ctx)
	}()
	select {
	case a := <-answered:
		return a
	case <-ctx.Done():
	}
	patience := time.NewTimer(answerGrace)
	defer patience.Stop()
	select {
	case a := <-answered:
		return a
	case <-patience.C:
	}
	if !settled.CompareAndSwap(false, true) {
		return <-answered
	}
	return answer[T]{left: true, err: fmt.Errorf("no answer, it is left behind: %w", context.Cause(ctx))}
}

// do is call for functions that answer with nothing but an error.
func do(ctx context.Context, log *slog.Logger, what string, f func(context.Context) error) error {
	return call(ctx, log, what, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }, nil).err
}

// panicked is called while the stack of the panic is still there to be logged.
func panicked(log *slog.Logger, what string, v any) error {
	err := workers.NewPanicError(v)
	log.Error("panic", "in", what, "error", err, "stack", err.Stack())
	return err
}

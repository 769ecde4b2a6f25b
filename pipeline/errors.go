package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// StageError says which stage of a run failed, or dropped the value. Every error of a run is one.
type StageError struct {
	Path     string // "pipeline/stage", with the parts of nested pipelines and elements in between
	Index    int    // index of the element in the innermost fan-out around the stage; -1 outside of one
	Attempts int    // how often the stage ran; 0 when the run was cancelled before it
	Err      error  // the stage's own error
}

// Error is the path, the number of attempts when there were several, and the stage's own error. Paths of stages inside
// of it are told relative to it: "orders/lines: after 3 attempts: 2/price: no such article".
func (e *StageError) Error() string { return e.told(e.Path) }

// Unwrap gives the stage's own error.
func (e *StageError) Unwrap() error { return e.Err }

// located tells at which stage err happened, unless it comes from further inside, says so itself, and there
// is nothing to add.
func located(at context.Context, attempts int, err error) error {
	path := pathAt(at)
	if inner, ok := err.(*StageError); ok && attempts <= 1 && strings.HasPrefix(inner.Path, path+"/") {
		return err
	}
	return &StageError{Path: path, Index: indexIn(at), Attempts: attempts, Err: withCause(at, err)}
}

// PanicError is a panic of a stage's function. It deliberately does not unwrap to the value of the panic: a
// panic is a defect whatever was thrown, and a thrown task.Drop must not acknowledge a task.
type PanicError struct {
	Value any    // what was thrown
	stack string // where
}

// newPanicError is called by the deferred function that recovered value.
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, stack: string(debug.Stack())}
}

// Error is the value alone; see Stack for the place.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Stack is the stack of the goroutine that panicked, as debug.Stack formats it.
func (e *PanicError) Stack() string { return e.stack }

// ErrGoexit is the error of a fan-out's element that ended its goroutine with runtime.Goexit, as the FailNow
// of a test does.
var ErrGoexit = errors.New("the stage ended its goroutine (runtime.Goexit)")

// TimeoutError says that an attempt ran longer than the Timeout of its stage. Its result, if it had one, is
// discarded. errors.Is(err, context.DeadlineExceeded) holds.
type TimeoutError struct {
	After time.Duration // the stage's Timeout
	Err   error         // what the attempt itself returned; nil when it ignored the deadline and succeeded or dropped
}

// Error names the limit and, if it says more than that, the attempt's own error.
func (e *TimeoutError) Error() string {
	if e.Err == nil || e.Err == context.DeadlineExceeded {
		return fmt.Sprintf("timed out after %s", e.After)
	}
	return fmt.Sprintf("timed out after %s: %v", e.After, e.Err)
}

// Unwrap gives the attempt's own error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Is reports true for context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout reports true, like the errors of package net.
func (e *TimeoutError) Timeout() bool { return true }

// twofold is two errors with one text. It unwraps to the one that decides the outcome; errors.Is and errors.As
// find the other one as well.
type twofold struct {
	error
	also error
	text string
}

func (e *twofold) Error() string        { return e.text }
func (e *twofold) Unwrap() error        { return e.error }
func (e *twofold) Is(target error) bool { return errors.Is(e.also, target) }
func (e *twofold) As(target any) bool   { return errors.As(e.also, target) }

// interrupted is the error of a run whose context is done: its cause.
func interrupted(ctx context.Context) error {
	cause, err := context.Cause(ctx), ctx.Err()
	if errors.Is(cause, err) {
		return cause
	}
	return &twofold{error: cause, also: err, text: fmt.Sprint(cause)}
}

// cutShort is the error of a stage that would be retried if its context were not done.
func cutShort(ctx context.Context, err error) error {
	why := interrupted(ctx)
	return &twofold{error: err, also: why, text: fmt.Sprintf("%v; not tried again: %v", err, why)}
}

// withCause adds the context's cause to an error that only says that the context is done.
func withCause(ctx context.Context, err error) error {
	done := ctx.Err()
	if done == nil || !errors.Is(err, done) {
		return err
	}
	cause := context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return &twofold{error: err, also: cause, text: fmt.Sprintf("%v: %v", err, cause)}
}

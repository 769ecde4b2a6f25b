package workers

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errGoexit stands for the answer of a function that called runtime.Goexit instead of returning.
var errGoexit = errors.New("runtime.Goexit was called instead of returning")

// PanicError is a recovered panic. It does not unwrap to the thrown value: whatever was thrown, a panic is a failed attempt, never a
// task.Drop or a task.Permanent.
type PanicError struct {
	Value any
	stack []byte
}

// NewPanicError wraps a recovered value; it is called in the deferred function, while the stack of the panic is still there.
func NewPanicError(value any) *PanicError { return &PanicError{Value: value, stack: debug.Stack()} }

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Stack is the stack of the goroutine at the place of the panic.
func (e *PanicError) Stack() string { return string(e.stack) }

// guarded calls foreign code and turns its panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
	}()
	return f()
}

// stackOf finds the stack in an error of this package, of a pipeline, or of anybody who offers one in the same way; "" without one.
func stackOf(err error) string {
	var s interface {
		error
		Stack() string
	}
	if errors.As(err, &s) {
		return s.Stack()
	}
	return ""
}

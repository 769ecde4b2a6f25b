package workers

import (
	"errors"
	"fmt"
)

// errGoexit stands for the answer of a function that called runtime.Goexit instead of returning.
var errGoexit = errors.New("runtime.Goexit was called instead of returning")

// PanicError is a recovered panic with the stack of the place where it happened.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the value when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

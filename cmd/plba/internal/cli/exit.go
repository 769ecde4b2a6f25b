package cli

import (
	"errors"
	"fmt"

	"github.com/plba/plba/cmd/plba/internal/target"
	"github.com/plba/plba/openapi/client"
)

// Code is how the command ends, for scripts.
type Code int

// The codes.
const (
	OK          Code = 0   // it was done, or shown
	Refused     Code = 1   // the application refused it, or it failed
	Usage       Code = 2   // the command line, a variable or the configuration file is at fault; nothing was asked
	Unreachable Code = 3   // no application answers at the address
	NotAllowed  Code = 4   // a token is missing or wrong, or its role does not suffice
	Unhealthy   Code = 5   // health, or status --check: the answer is no
	Interrupted Code = 130 // ended by Ctrl-C before the end of what was waited for
)

// Codes are all of them, with what each means.
func Codes() map[Code]string {
	return map[Code]string{
		OK:          "it was done, or shown",
		Refused:     "the application refused it, or it failed",
		Usage:       "the command line, a variable or the configuration file is at fault; nothing was asked",
		Unreachable: "no application answers at the address",
		NotAllowed:  "a token is missing or wrong, or its role does not suffice",
		Unhealthy:   "of `health` and `status --check`: the answer is no",
		Interrupted: "ended by Ctrl-C before the end of what was waited for",
	}
}

// errNo ends a command whose answer is no; what there is to say has been printed.
var errNo = errors.New("no")

// usageError is a fault of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// failedError is an operation that has ended badly.
type failedError struct{ operation *client.Operation }

func (e *failedError) Error() string {
	text := e.operation.Asked
	if e.operation.Target != "" {
		text += " " + e.operation.Target
	}
	return text + " failed: " + e.operation.Error
}

// interruptedError is an end by Ctrl-C.
type interruptedError struct{ operation string } // that goes on; "" when it is not known

func (e *interruptedError) Error() string {
	if e.operation == "" {
		return "interrupted; what was asked for may go on, as plba operations shows"
	}
	return fmt.Sprintf("interrupted; the operation goes on: plba operations show %s --wait waits for its end", e.operation)
}

// interrupted is err, or what is to be said of it when it came from an interruption.
func interrupted(err error) error {
	if known := (*interruptedError)(nil); errors.As(err, &known) {
		return known
	}
	return &interruptedError{}
}

func codeOf(err error) Code {
	var (
		ended       *interruptedError
		usage       *usageError
		fault       *target.Error
		unreachable *client.UnreachableError
	)
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errNo):
		return Unhealthy
	case errors.As(err, &ended):
		return Interrupted
	case errors.As(err, &usage), errors.As(err, &fault):
		return Usage
	case errors.As(err, &unreachable):
		return Unreachable
	case errors.Is(err, client.ErrUnauthenticated), errors.Is(err, client.ErrDenied), errors.Is(err, client.ErrTooMany):
		return NotAllowed
	}
	return Refused
}

package control

import (
	"errors"
	"fmt"
	"strings"
)

// What an operation can refuse with. Every *Error is one of these, for errors.Is.
var (
	// ErrNotFound: nothing has that name.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the operation does not apply in the present state.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: what was asked makes no sense in any state.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: the answer is no, or what would give one does not answer.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnauthenticated: it is not known who asks.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrDenied: who asks may not do this.
	ErrDenied = errors.New("denied")
	// ErrTooMany: as many as there may be at once; try again later.
	ErrTooMany = errors.New("too many")
)

// Error is how an operation of the Service refuses. Detail and the rest are for the one who asked.
type Error struct {
	Kind    error    // one of those above
	Detail  string   // a sentence: what, why, what to do
	Field   string   // of an invalid one: what of the input it is about, or ""
	State   string   // of a conflict: the present state, or ""
	Allowed []string // of a conflict: the states, or the requests, that would do
}

func (e *Error) Error() string { return e.Detail }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// maxEcho bounds what an answer repeats of a request.
const maxEcho = 100

// noSuch refuses a name, and tells the ones there are if they are few.
func noSuch(what, name string, known []string) *Error {
	detail := fmt.Sprintf("there is no %s %q", what, cut(name))
	if n := len(known); n > 0 && n <= 20 {
		detail += " (there are: " + strings.Join(known, ", ") + ")"
	}
	return &Error{Kind: ErrNotFound, Detail: detail}
}

// cut bounds a text to maxEcho characters.
func cut(s string) string { return cutTo(s, maxEcho) }

func cutTo(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

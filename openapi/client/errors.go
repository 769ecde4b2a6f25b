package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The kinds of refusals. Every *Error of a known status is one of these, for errors.Is.
var (
	// ErrInvalid: what was asked makes no sense in any state. (400, 413, 415, 421, 422)
	ErrInvalid = errors.New("invalid")
	// ErrUnauthenticated: it is not known who asks; a token is missing or wrong. (401)
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrDenied: who asks may not do this. (403)
	ErrDenied = errors.New("denied")
	// ErrNotFound: nothing has that name. (404)
	ErrNotFound = errors.New("not found")
	// ErrConflict: the operation does not apply in the present state. (409)
	ErrConflict = errors.New("conflict")
	// ErrTooMany: too many wrong tokens, or connections; try again later. (429)
	ErrTooMany = errors.New("too many")
	// ErrUnavailable: the answer is no, or what would give one does not answer. (503)
	ErrUnavailable = errors.New("unavailable")
	// ErrFailed: the operation failed; the log of the application says why. (500)
	ErrFailed = errors.New("failed")
)

// Error is a refusal of the application. Its problem says what, why and what to do; State and Allowed are those of a conflict.
type Error struct {
	Problem
	RetryAfter time.Duration // of too many; 0 when it was not told
}

// Error is the detail, with what is wrong in the places of the request.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	for i, p := range e.Errors {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		text += sep + strings.TrimPrefix(p.Location+": ", ": ") + p.Message
	}
	return text
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusMisdirectedRequest, http.StatusUnprocessableEntity:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusTooManyRequests:
		return ErrTooMany
	case http.StatusServiceUnavailable:
		return ErrUnavailable
	case http.StatusInternalServerError:
		return ErrFailed
	}
	return nil
}

// UnreachableError says that there was no answer, or none of a control plane.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("%s: %v", e.Address, e.Err) }

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

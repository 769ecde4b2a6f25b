package pipeline

import (
	"errors"
	"fmt"
	"strings"
)

// Messages name a place once. What happened inside of a stage is told relative to it, however it was marked, wrapped
// or joined on the way:
//
//	orders/lines: after 3 attempts: 2/price: no such article

// told is the message of the error with its place written as given.
func (e *StageError) told(place string) string {
	if e.Attempts > 1 {
		return fmt.Sprintf("%s: after %d attempts: %s", place, e.Attempts, relative(e.Err, e.Path))
	}
	if inner, ok := unmarked(e.Err).(*StageError); ok {
		if inside, ok := strings.CutPrefix(inner.Path, e.Path+"/"); ok {
			return inner.told(place + "/" + inside)
		}
	}
	return place + ": " + relative(e.Err, e.Path)
}

// relative is the message of err as it stands behind path: places inside of that are told without it.
func relative(err error, path string) string {
	if e, ok := err.(*StageError); ok {
		if inside, ok := strings.CutPrefix(e.Path, path+"/"); ok {
			return e.told(inside)
		}
	}
	text := fmt.Sprint(err)
	for _, part := range toldIn(err) {
		if part == nil {
			continue
		}
		if whole, behind := fmt.Sprint(part), relative(part, path); behind != whole {
			text = strings.Replace(text, whole, behind, 1)
		}
	}
	return text
}

// toldIn are the errors whose messages that of err holds, or may hold.
func toldIn(err error) []error {
	switch e := err.(type) {
	case *ElementsError:
		return e.Errs[:min(len(e.Errs), shownErrors)]
	case *CompensationError:
		return []error{e.Cause, e.Err}
	case *twofold:
		return []error{e.error, e.also}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	}
	return nil
}

// unmarked is err without what changes only its meaning and not its message, as task.Permanent does.
func unmarked(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || fmt.Sprint(inner) != fmt.Sprint(err) {
			return err
		}
		err = inner
	}
}

package config

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fault is one mistake in the configuration. Faults never hold the value of a secret.
type Fault struct {
	Where   string // "cfg.yaml:6", "environment variable PLBA_LOG__LEVEL", or "" when no source says anything about it
	Key     string // the full key with dots, as in "platform.queues.mails.capacity"; "" for a source as a whole
	Problem string // what is wrong
	Hint    string // what to do, or ""

	cause error // what Problem was made from, for errors.Is
}

// Error returns the fault on one line: place, key, problem and hint.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Where != "" {
		b.WriteString(f.Where + ": ")
	}
	if f.Key != "" && !strings.Contains(f.Problem, strconv.Quote(f.Key)) {
		b.WriteString(printable(f.Key) + ": ")
	}
	b.WriteString(f.Problem)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the error that the fault was made from, or nil.
func (f *Fault) Unwrap() error { return f.cause }

// Join joins errors like [errors.Join] and puts the faults in them in order: by file and line, each only once.
// Errors that are not faults follow in the order given. It returns nil when there is no error.
func Join(errs ...error) error {
	var faults []*Fault
	var others []error
	for _, err := range errs {
		faults, others = split(err, faults, others)
	}
	slices.SortStableFunc(faults, compareFaults)
	faults = slices.CompactFunc(faults, func(a, b *Fault) bool { return a.Error() == b.Error() })

	all := make([]error, 0, len(faults)+len(others))
	for _, f := range faults {
		all = append(all, f)
	}
	return errors.Join(append(all, others...)...)
}

// split takes joined errors apart. A fault that somebody wrapped stays wrapped: the words around it matter.
func split(err error, faults []*Fault, others []error) ([]*Fault, []error) {
	if err == nil {
		return faults, others
	}
	if f, ok := err.(*Fault); ok {
		return append(faults, f), others
	}
	parts := Parts(err)
	if parts == nil {
		return faults, append(others, err)
	}
	for _, part := range parts {
		faults, others = split(part, faults, others)
	}
	return faults, others
}

// Parts returns the errors that were put together by [errors.Join] or [Join], or nil. Errors that say more than their
// parts are left alone.
func Parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	parts := joined.Unwrap()
	if err.Error() != errors.Join(parts...).Error() {
		return nil
	}
	return parts
}

func compareFaults(a, b *Fault) int {
	fileA, lineA := splitWhere(a.Where)
	fileB, lineB := splitWhere(b.Where)
	return cmp.Or(
		strings.Compare(fileA, fileB),
		cmp.Compare(lineA, lineB),
		strings.Compare(a.Key, b.Key),
		strings.Compare(a.Problem, b.Problem),
	)
}

// splitWhere splits "cfg.yaml:6" so that line 6 sorts before line 10.
func splitWhere(where string) (file string, line int) {
	i := strings.LastIndexByte(where, ':')
	if i < 0 {
		return where, 0
	}
	line, err := strconv.Atoi(where[i+1:])
	if err != nil {
		return where, 0
	}
	return where[:i], line
}

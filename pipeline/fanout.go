package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sourcegraph/conc"

	"github.com/plba/plba/task"
)

// ElementsError holds the errors of a fan-out that collects them, in the order of the elements. It is joined:
// task.Classify sees one outcome only when all elements have the same.
type ElementsError struct {
	Elements int     // how many there were
	Errs     []error // each a *StageError; a last one for elements that were not begun when the run was cancelled
}

// shownErrors is how many errors of elements a message spells out.
const shownErrors = 5

// Error counts the failed elements and shows the first few errors.
func (e *ElementsError) Error() string {
	texts := make([]string, 0, shownErrors+1)
	for _, err := range e.Errs[:min(len(e.Errs), shownErrors)] {
		texts = append(texts, err.Error())
	}
	if more := len(e.Errs) - shownErrors; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d errors in %d elements: %s", len(e.Errs), e.Elements, strings.Join(texts, "; "))
}

// Unwrap gives all errors.
func (e *ElementsError) Unwrap() []error { return e.Errs }

// fan is one run of a fan-out. Its workers take the next element until none is left; they are goroutines of
// this run alone: on a shared bounded pool a fan-out inside of a fan-out could wait for places that its own
// parents hold.
type fan[A, B any] struct {
	*each[A, B]
	ctx     context.Context
	cancel  context.CancelCauseFunc
	run     run
	in      []A
	out     []B
	state   []elementState // each entry belongs to the worker that took the element
	places  []element
	cursors []cursor
	next    atomic.Int64 // the element that nobody has taken yet
	workers conc.WaitGroup

	branches *branches

	mu     sync.Mutex
	failed []failedElement // in the order of failing
}

type elementState uint8

const (
	notBegun elementState = iota
	begun
	succeeded
	dropped
)

type failedElement struct {
	index int
	err   error
}

func fanOut[A, B any](ctx context.Context, r run, b *each[A, B], in []A) ([]B, error) {
	if len(in) == 0 {
		return []B{}, nil
	}
	f, err := newFan(ctx, r, b, in)
	if err != nil {
		return nil, err
	}
	defer f.cancel(nil)
	work, n := f.work, min(b.atOnce, len(in))
	f.branches = r.party.fork(n)
	for range n {
		f.workers.Go(work)
	}
	f.workers.Wait()
	if err := f.failure(ctx); err != nil {
		return nil, err
	}
	return f.results(), nil
}

func newFan[A, B any](ctx context.Context, r run, b *each[A, B], in []A) (*fan[A, B], error) {
	f := &fan[A, B]{
		each: b, run: r, in: in,
		out:     make([]B, len(in)),
		state:   make([]elementState, len(in)),
		places:  make([]element, len(in)),
		cursors: make([]cursor, len(in)),
	}
	if b.key != nil { // the author's function may panic: before there is anything to cancel
		keys := elementKeys{}
		for i := range in {
			name, unique := keys.name(b.key(in[i]))
			if b.once && !unique {
				return nil, repeatedKey(i, name)
			}
			f.places[i].key = name
		}
	}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	for i := range in {
		f.places[i].Context, f.places[i].index = f.ctx, i
		f.cursors[i] = cursor{&f.places[i], b.name}
	}
	return f, nil
}

// work runs elements until none is left or the run is cancelled. When an element panics or
// ends the goroutine, that element has failed and, unless this cancels the others, a new worker takes over.
func (f *fan[A, B]) work() {
	i, returned := 0, false
	defer func() {
		if returned {
			f.branches.join()
			return
		}
		err := ErrGoexit
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
		f.stage.count().lost()
		f.fail(i, located(&f.cursors[i], 1, err))
		f.workers.Go(f.work)
	}()
	for f.ctx.Err() == nil {
		if i = int(f.next.Add(1)) - 1; i >= len(f.in) {
			break
		}
		f.one(i)
	}
	returned = true
}

func (f *fan[A, B]) one(i int) {
	f.state[i] = begun
	err := f.stage.do(&f.cursors[i], f.run, &f.in[i], &f.out[i])
	if err == nil {
		f.state[i] = succeeded
	} else if outcome, _ := task.Classify(err); outcome == task.Dropped {
		f.state[i] = dropped
	} else {
		f.fail(i, err)
	}
}

func (f *fan[A, B]) fail(i int, err error) {
	f.mu.Lock()
	f.failed = append(f.failed, failedElement{i, err})
	f.mu.Unlock()
	if !f.collect {
		f.cancel(err)
	}
}

// failure is the error of the whole fan-out once every worker has ended.
func (f *fan[A, B]) failure(ctx context.Context) error {
	cut := slices.Contains(f.state, notBegun)
	switch {
	case len(f.failed) == 0 && !cut:
		return nil
	case len(f.failed) == 0:
		return interrupted(ctx)
	case !f.collect:
		return f.failed[0].err
	}
	slices.SortFunc(f.failed, func(a, b failedElement) int { return a.index - b.index })
	all := &ElementsError{Elements: len(f.in)}
	for _, e := range f.failed {
		all.Errs = append(all.Errs, e.err)
	}
	if cut {
		all.Errs = append(all.Errs, interrupted(ctx))
	}
	return all
}

// results closes the gaps that dropped elements left.
func (f *fan[A, B]) results() []B {
	kept := f.out[:0]
	for i, s := range f.state {
		if s == succeeded {
			kept = append(kept, f.out[i])
		}
	}
	clear(f.out[len(kept):])
	return kept
}

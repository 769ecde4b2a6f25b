package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// ItemErrors is what the function of a Batch returns when some of its items failed: one error for each item, in
// order, nil for those that succeeded. It must be the error itself, or wrapped by fmt.Errorf with one %w.
type ItemErrors []error

// Error counts the failed items and shows the first error.
func (e ItemErrors) Error() string {
	failed, first := 0, error(nil)
	for _, err := range e {
		if err != nil {
			if failed++; first == nil {
				first = err
			}
		}
	}
	if first == nil {
		return fmt.Sprintf("none of %d items failed", len(e))
	}
	return fmt.Sprintf("%d of %d items failed, the first with: %v", failed, len(e), first)
}

// Unwrap gives the errors of the items that failed.
func (e ItemErrors) Unwrap() []error {
	return slices.DeleteFunc(slices.Clone(e), func(err error) bool { return err == nil })
}

// ErrBatchResults says that the function of a Batch did not answer for every item: it gave more or fewer outputs,
// or ItemErrors, than it got items.
var ErrBatchResults = errors.New("the function of the batch did not answer for every item")

// Batch makes a stage of fn, which works on the values of up to size tasks at once: one insert of a hundred rows, one
// call for fifty customers. fn gets them in the order in which they came and gives one output for each.
//
// A task that arrives waits for others in its slot. fn runs when the batch is full, when the first of its tasks has waited
// that long, or when no slot of the worker can bring another one; elements of fan-outs count one by one. It runs on the
// goroutine of one of the tasks. Its context is the batch's own: it carries no task (no task.From, no task.Key),
// its span is linked to those of the tasks, and it ends when the contexts of all of them have.
//
// An error of fn is that of every task in the batch, and so is its panic, or that it ended its goroutine (ErrGoexit); with
// ItemErrors each task gets its own. A task whose context ends while it waits leaves the batch with the cause; one
// that is in the batch already is waited for, as with any stage. The stage's Timeout and its Retry are those of each task, the
// time it waits for others included.
//
// All runs of a built pipeline share its batches; a stage that runs alone has its own.
func Batch[In, Out any](name string, size int, wait time.Duration, fn func(context.Context, []In) ([]Out, error)) *Step[In, Out] {
	n := newNode[In, Out](kindBatch, name)
	n.batch = size
	n.settings = []setting{{"size", strconv.Itoa(size)}, {"wait", wait.String()}}
	if size < 1 {
		n.faults = append(n.faults, fmt.Sprintf("size %d: there must be at least 1 item in a batch", size))
	}
	if wait <= 0 {
		n.faults = append(n.faults, fmt.Sprintf("wait %s: it must be longer than nothing", wait))
	}
	if fn == nil {
		n.faults = append(n.faults, "its function is nil")
	}
	return newStep(n, &batch[In, Out]{name: name, size: size, wait: wait, fn: fn})
}

// batch is the body of a Batch.
type batch[In, Out any] struct {
	name string
	size int
	wait time.Duration
	fn   func(context.Context, []In) ([]Out, error)

	mu   sync.Mutex
	open *gathering[In, Out] // takes members; nil when nobody waits
}

func (b *batch[In, Out]) place(at site) body[In, Out] {
	if at.nested {
		return b
	}
	return &batch[In, Out]{name: b.name, size: b.size, wait: b.wait, fn: b.fn}
}

func (b *batch[In, Out]) run(ctx context.Context, r run, in *In, out *Out) error {
	m := &member{party: r.party, span: trace.SpanContextFromContext(ctx)}
	g, full := b.join(m, r, *in)
	if full {
		g.work(ctx, m)
	} else if err := g.await(ctx, m); err != nil {
		return err
	}
	if r.tracer != nil {
		trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: g.span})
	}
	return g.answer(m, out)
}

// join puts an item into the open gathering. Whoever fills it has claimed it.
func (b *batch[In, Out]) join(m *member, r run, in In) (g *gathering[In, Out], full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = newGathering(b)
	}
	g = b.open
	m.index = len(g.ins)
	g.ins, g.members = append(g.ins, in), append(g.members, m)
	if g.tracer == nil {
		g.tracer = r.tracer
	}
	if len(g.ins) == b.size {
		g.claim()
		return g, true
	}
	g.listen(m)
	return g, false
}

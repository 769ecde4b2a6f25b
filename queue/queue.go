package queue

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Queue is the typed face of an [Engine]: values of type T go in and come out. The registry makes it with [For]; the runtime
// binds it to an engine at every start. All methods are safe for concurrent use; before the start and after the stop they
// return [ErrNotOpen].
type Queue[T any] struct {
	name    string
	spec    Spec[T]
	more    []requirement  // what users of the queue require besides the spec
	publish PublishFunc[T] // the middleware around publishing; nil without
	bound   atomic.Pointer[binding]
	cancels listeners
}

// binding is what a queue has between Bind and Unbind.
type binding struct {
	Binding
	engine Engine
	clock  clock
}

// requirement is what one user of a queue requires of its engine.
type requirement struct {
	by   string
	what Capabilities
}

// Binding is what the runtime decides about a queue.
type Binding struct {
	// Tracer makes the spans of publishing; nil: none.
	Tracer trace.Tracer
	// MaxPayload is how many bytes an encoded payload may have; 0: [MaxPayload].
	MaxPayload int
	// Encode says that the engine takes bytes. It may be false only for engines with the capability [InProcess].
	Encode bool
}

// Handle is the untyped side of a [Queue], for the runtime and the control plane.
type Handle interface {
	Name() string
	// Type is T.
	Type() reflect.Type
	// Order is how tasks of one group follow each other.
	Order() Order
	// Requires is what the engine must be able to do.
	Requires() Capabilities
	// RequiredBy names the users of the queue that require one of these; what the spec requires has no name.
	RequiredBy(Capabilities) []string
	// Bind opens the queue on the engine, in place of an earlier one.
	Bind(Engine, Binding)
	// Unbind takes the engine away and returns it; nil if there was none. Closing it is the caller's.
	Unbind() Engine
	// Show renders a task's payload for people.
	Show(Task) Shown
	Admin
}

var _ Handle = (*Queue[struct{}])(nil)

// For makes the queue of that name for values of type T; the registry calls it. There is at most one spec.
//
// The error joins all faults: a bad name or spec, or every part of T that cannot be encoded. The queue is returned also then, not
// usable, so that registration can go on and collect the faults of everything.
func For[T any](name string, spec ...Spec[T]) (*Queue[T], error) {
	q := &Queue[T]{name: name}
	var faults []error
	if !validName(name) {
		faults = append(faults, fmt.Errorf("queue %q: %s", name, nameRule))
	}
	if len(spec) > 1 {
		faults = append(faults, fmt.Errorf("queue %s: %d specs given, at most one is allowed", name, len(spec)))
	}
	if len(spec) > 0 {
		q.spec = spec[0]
	}
	if err := q.spec.check(cmp.Or(q.spec.Kind, name)); err != nil {
		faults = append(faults, named(name, err))
	}
	q.spec.Kind = cmp.Or(q.spec.Kind, name)
	var err error
	if q.publish, err = q.around(); err != nil {
		faults = append(faults, named(name, err))
	}
	return q, errors.Join(faults...)
}

// Name returns the queue's name.
func (q *Queue[T]) Name() string { return q.name }

// Type returns T.
func (q *Queue[T]) Type() reflect.Type { return reflect.TypeFor[T]() }

// Order returns how tasks of one group follow each other.
func (q *Queue[T]) Order() Order { return q.spec.Order }

// Requires returns what the spec and the queue's users require of the engine.
func (q *Queue[T]) Requires() Capabilities {
	c := q.spec.Requires
	for _, r := range q.more {
		c |= r.what
	}
	if q.spec.Group != nil || q.spec.Order == Strict {
		c |= Grouped
	}
	return c
}

// Require adds to what the engine must be able to do. by says who needs it, as the fault of an engine that lacks it will: `worker "charge"`. Who needs
// more than the spec says calls it while it is made, so before the runtime chooses the engine; it is not safe for concurrent use.
func (q *Queue[T]) Require(c Capabilities, by string) { q.more = append(q.more, requirement{by, c}) }

// RequiredBy names those who called Require for one of these, in order.
func (q *Queue[T]) RequiredBy(c Capabilities) []string {
	var by []string
	for _, r := range q.more {
		if r.what&c != 0 {
			by = append(by, r.by)
		}
	}
	return by
}

// Bind opens the queue on an engine, in place of an earlier one; the runtime calls it.
func (q *Queue[T]) Bind(e Engine, b Binding) {
	if _, none := b.Tracer.(noop.Tracer); none {
		b.Tracer = nil
	}
	if b.MaxPayload <= 0 {
		b.MaxPayload = MaxPayload
	}
	q.bound.Store(&binding{Binding: b, engine: e})
}

// Unbind takes the engine away and returns it, or nil; the runtime calls it, and closes the engine.
func (q *Queue[T]) Unbind() Engine {
	if b := q.bound.Swap(nil); b != nil {
		return b.engine
	}
	return nil
}

// InProcess says whether values travel as they are, to an engine that lives and ends with this process: nothing in it survives what ends its workers.
func (q *Queue[T]) InProcess() bool {
	b := q.bound.Load()
	return b != nil && !b.Encode
}

// open returns what the queue is bound to.
func (q *Queue[T]) open() (*binding, error) {
	if b := q.bound.Load(); b != nil {
		return b, nil
	}
	return nil, named(q.name, ErrNotOpen)
}

package workers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
)

// Route says who handles the tasks of one kind; On makes it.
type Route struct {
	kind   string
	fault  error
	handle func(context.Context, queue.Message) error
}

// On routes the tasks of a kind to h.
func On[T any](kind queue.Kind[T], h Handler[T]) Route {
	r := Route{kind: kind.Name(), fault: kind.Check()}
	if isNil(h) {
		r.fault = fmt.Errorf("the handler of kind %q is nil", r.kind)
	}
	r.handle = func(ctx context.Context, m queue.Message) error {
		v, err := kind.Value(m)
		if err != nil {
			return err // kept and retried: a newer version of the program may read it
		}
		return h.Handle(ctx, v)
	}
	return r
}

// Mux is Consume for a queue of several kinds, each with a payload type and a handler of its own. A task of a kind that is not routed fails with
// queue.ErrUnknownKind: it is retried, because a newer version of the program may know it, and kept as a dead letter when its attempts are
// used up.
func Mux(name string, q *queue.Queue[queue.Message], routes []Route, opts ...ConsumeOption) Worker {
	m := mux{}
	w := Consume(name, q, m, opts...).(*consumer[queue.Message])
	if len(routes) == 0 {
		w.fault("no kind is routed")
	}
	for _, r := range routes {
		if r.fault != nil {
			w.fault("%w", r.fault)
		}
		if _, dup := m[r.kind]; dup {
			w.fault("kind %q is routed twice", r.kind)
		}
		m[r.kind] = r.handle
	}
	return w
}

// mux finds the handler of a kind.
type mux map[string]func(context.Context, queue.Message) error

func (m mux) Handle(ctx context.Context, msg queue.Message) error {
	if handle, ok := m[msg.Kind]; ok {
		return handle(ctx, msg)
	}
	known := make([]string, 0, len(m))
	for kind := range m {
		known = append(known, kind)
	}
	slices.Sort(known)
	return fmt.Errorf("%w %q, known are: %s", queue.ErrUnknownKind, msg.Kind, strings.Join(known, ", "))
}

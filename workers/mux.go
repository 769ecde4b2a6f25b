package workers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// Route says who handles the tasks of one kind; On makes it.
type Route struct {
	kind      string
	fault     error
	handle    func(context.Context, queue.Message) error
	attachers attachers
}

// On routes the tasks of a kind to h.
func On[T any](kind queue.Kind[T], h Handler[T]) Route {
	r := Route{kind: kind.Name(), fault: kind.Check()}
	if isNil(h) {
		r.fault = fmt.Errorf("the handler of kind %q is nil", r.kind)
	} else if err := faultOf(h); err != nil {
		r.fault = fmt.Errorf("the handler of kind %q: %w", r.kind, err)
	} else {
		r.attachers = attachersOf(h)
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
	m := mux{routes: map[string]Route{}}
	var faults []error
	for _, r := range routes {
		if _, dup := m.routes[r.kind]; dup {
			faults = append(faults, fmt.Errorf("kind %q is routed twice", r.kind))
		}
		faults = append(faults, r.fault)
		m.routes[r.kind] = r
		m.attachers = append(m.attachers, r.attachers...)
	}
	w := Consume(name, q, m, opts...).(*consumer[queue.Message])
	if len(routes) == 0 {
		w.fault("no kind is routed")
	}
	for _, err := range faults {
		if err != nil {
			w.fault("%w", err)
		}
	}
	return w
}

// mux finds the handler of a kind.
type mux struct {
	routes map[string]Route
	attachers
}

func (m mux) Handle(ctx context.Context, msg queue.Message) error {
	if r, ok := m.routes[msg.Kind]; ok {
		if info, _ := task.From(ctx); info.Undo && !r.attachers.Compensates() {
			return errNoUndo(fmt.Sprintf("the handler of kind %q", msg.Kind))
		}
		return r.handle(ctx, msg)
	}
	known := make([]string, 0, len(m.routes))
	for kind := range m.routes {
		known = append(known, kind)
	}
	slices.Sort(known)
	return fmt.Errorf("%w %q, known are: %s", queue.ErrUnknownKind, msg.Kind, strings.Join(known, ", "))
}

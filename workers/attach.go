package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plba/plba/task"
)

// attachers are the parts of a handler that want to know of their worker's life: the handler itself, middleware around it, the handlers of a Mux. They are one
// task.Attacher.
type attachers []task.Attacher

// attachersOf finds the parts of a handler.
func attachersOf(h any) attachers {
	switch a := h.(type) {
	case partial:
		return a.parts()
	case task.Attacher:
		return attachers{a}
	default:
		return nil
	}
}

func (as attachers) parts() attachers { return as }

// Attach attaches each, in order. When one refuses or panics, those before it are detached again.
func (as attachers) Attach(slots task.Slots) (detach func(context.Context) error, err error) {
	var attached []func(context.Context) error
	detachAll := func(ctx context.Context) (err error) {
		for _, detach := range slices.Backward(attached) {
			err = errors.Join(err, guarded(func() error { return detach(ctx) }))
		}
		return err
	}
	complete := false
	defer func() {
		if !complete {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			err = errors.Join(err, detachAll(ctx))
		}
	}()
	for _, a := range as {
		detach, err := a.Attach(slots)
		if err != nil {
			return nil, err
		}
		if detach != nil {
			attached = append(attached, detach)
		}
	}
	complete = true
	return detachAll, nil
}

// Compensates implements task.Attacher.
func (as attachers) Compensates() bool { return slices.ContainsFunc(as, task.Attacher.Compensates) }

// NeedsCheckpoints implements task.Attacher: what is to be undone is known by its checkpoints.
func (as attachers) NeedsCheckpoints() bool {
	return as.Compensates() || slices.ContainsFunc(as, task.Attacher.NeedsCheckpoints)
}

// CheckSlots implements task.SlotsChecker.
func (as attachers) CheckSlots(size int) error {
	var faults []error
	for _, a := range as {
		if c, ok := a.(task.SlotsChecker); ok {
			faults = append(faults, c.CheckSlots(size))
		}
	}
	return errors.Join(faults...)
}

// attached is a handler that shows the attachers among its layers.
type attached[T any] struct {
	Handler[T]
	attachers
}

// partial is what shows the attachers that it consists of.
type partial interface{ parts() attachers }

func show[T any](h Handler[T], parts attachers) Handler[T] {
	if _, shows := h.(partial); shows || len(parts) == 0 {
		return h
	}
	return attached[T]{h, parts}
}

// with adds a layer that was put around a handler with these parts. One that shows parts shows those of what it was put around too.
func with(parts attachers, layer any) attachers {
	if p, shows := layer.(partial); shows {
		return p.parts()
	}
	return slices.Concat(parts, attachersOf(layer))
}

// attach tells the handler of the life that begins.
func (k *crew[T]) attach() (err error) {
	if len(k.c.attachers) == 0 {
		return nil
	}
	if k.detach, err = k.c.attachers.Attach(k); err != nil {
		return fmt.Errorf("the handler cannot be attached: %w", err)
	}
	return nil
}

// leave tells the handler that the life is over: its last task has ended. The context ends when the stop is forced, like that of a task.
func (k *crew[T]) leave() error {
	if k.detach == nil {
		return nil
	}
	if err := k.detach(k.r.ctx); err != nil {
		return fmt.Errorf("detaching the handler: %w", err)
	}
	return nil
}

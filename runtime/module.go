package runtime

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plba/plba/config"
)

// Module is a business application, or a part of one, as the runtime sees it.
type Module interface {
	// Name is unique among the modules of an application.
	Name() string
	// Register declares workers, queues, resources and checks. It does no I/O: it runs for -check and -print-graph too. It is called
	// once; Start and Stop may follow many times. A returned error is a fault, reported with all others.
	Register(*Registry) error
}

// Modules makes one module of several. They register in the given order.
func Modules(ms ...Module) Module { return modules(ms) }

type modules []Module

func (ms modules) Name() string {
	names := make([]string, 0, len(ms))
	for _, m := range ms {
		if m != nil {
			names = append(names, m.Name())
		}
	}
	return strings.Join(names, "+")
}

func (ms modules) Register(r *Registry) error {
	for _, m := range ms {
		r.module(m)
	}
	return nil
}

// module runs one module's Register. What goes wrong in it, a panic too, is a fault of that module, not the end of the process.
func (r *Registry) module(m Module) {
	if ms, ok := m.(modules); ok {
		_ = ms.Register(r) // its modules report for themselves
		return
	}
	if m == nil {
		r.fail(errors.New("a module is nil"))
		return
	}
	name := m.Name()
	if name == "" {
		r.fail(fmt.Errorf("a module (%T) has no name", m))
		return
	}
	if r.modules[name] {
		r.fail(fmt.Errorf("module %q is given twice", name))
		return
	}
	r.modules[name] = true
	r.current = name
	defer func() {
		if v := recover(); v != nil {
			r.fail(fmt.Errorf("module %q: Register: %w", name, panicked(r.app.log, fmt.Sprintf("Register of module %q", name), v)))
		}
	}()
	if err := m.Register(r); err != nil {
		r.failIn(name, err)
	}
}

// fail records the fault of a module that has not registered everything.
func (r *Registry) fail(err error) {
	r.incomplete = true
	r.faults.add(err)
}

// failIn records what a Register returned and says in which module, except for faults of the configuration, which say better where.
func (r *Registry) failIn(module string, err error) {
	for _, part := range config.Parts(err) {
		r.failIn(module, part)
	}
	switch fault := (*config.Fault)(nil); {
	case config.Parts(err) != nil:
	case errors.As(err, &fault):
		r.fail(err)
	default:
		r.fail(&moduleError{module, err})
	}
}

// moduleError says in which module a Register failed. Its text is made when it is read: a *ServiceError knows more once all modules have registered.
type moduleError struct {
	module string
	err    error
}

func (e *moduleError) Error() string { return fmt.Sprintf("module %q: %v", e.module, e.err) }
func (e *moduleError) Unwrap() error { return e.err }

package runtime

import (
	"fmt"
	"reflect"
)

// service is a value that one module provides to others.
type service struct {
	value  any
	module string // that provides it
}

// Provide gives v to modules that register later; they find it with Use, by the type T. What others should see of it is best said by an interface of their
// own need: Provide[Clock](r, systemClock{}). Each T is provided once in an application; a second time and a nil are faults.
//
// A service is for modules that are written apart and put together by Modules. Within one module a variable does it, and what main makes is best handed to the
// constructors of the modules. Register does no I/O, so what is provided is not open yet: the provider opens it by a Resource, which starts before the
// resources and workers of all modules that register later.
func Provide[T any](r *Registry, v T) {
	t := reflect.TypeFor[T]()
	if isNilValue(v) {
		r.faults.addf("module %q: the service %s that it provides is nil", r.current, t)
		return
	}
	if other, dup := r.services[t]; dup {
		r.faults.addf("module %q: the service %s is provided by module %q already", r.current, t, other.module)
		return
	}
	r.services[t] = service{v, r.current}
	for _, m := range r.missing {
		if m.Type == t {
			m.Later = r.current
		}
	}
}

// isNilValue sees typed nils too: whoever uses them would only find out when it is too late.
func isNilValue[T any](v T) bool {
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Invalid:
		return true // of an interface
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice, reflect.Interface, reflect.UnsafePointer:
		return value.IsNil()
	default:
		return false
	}
}

// Use gives the T that a module which registered before has provided. Otherwise the error is a *ServiceError; return it from Register, or go on if the module
// can do without.
func Use[T any](r *Registry) (T, error) {
	t := reflect.TypeFor[T]()
	if s, ok := r.services[t]; ok {
		v, _ := s.value.(T) // Provide has put it there as a T
		return v, nil
	}
	missing := &ServiceError{Type: t}
	r.missing = append(r.missing, missing)
	var zero T
	return zero, missing
}

// ServiceError says that nobody has provided the service that Use asked for.
type ServiceError struct {
	Type  reflect.Type
	Later string // the module that provides it after all, but registers later; known when New returns
}

func (e *ServiceError) Error() string {
	if e.Later != "" {
		return fmt.Sprintf("the service %s is provided by module %q, which registers later: put that first", e.Type, e.Later)
	}
	return fmt.Sprintf("no module provides the service %s", e.Type)
}

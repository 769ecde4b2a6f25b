package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/runtime"
)

type clock interface{ Now() string }

type wallClock struct{ zone string }

func (c *wallClock) Now() string { return "noon in " + c.zone }

func modulesOf(t *testing.T, ms ...runtime.Module) *runtime.App {
	t.Helper()
	a, err := runtime.New(runtime.Modules(ms...), runtime.WithLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What one module provides another uses: by its own type, or by the interface that it was provided as.
func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		base := module{"base", func(r *runtime.Registry) error {
			c := &wallClock{zone: "Graz"}
			runtime.Provide(r, c)
			runtime.Provide[clock](r, c)
			runtime.Provide(r, 42)
			j.resource(r, "clock")
			return nil
		}}
		user := module{"user", func(r *runtime.Registry) error {
			c, err := runtime.Use[clock](r)
			if err != nil {
				return err
			}
			exact, err := runtime.Use[*wallClock](r)
			n, err2 := runtime.Use[int](r)
			if err != nil || err2 != nil || c.Now() != "noon in Graz" || exact != c || n != 42 {
				t.Errorf("%v, %v, %d: %v, %v", c, exact, n, err, err2)
			}
			j.resource(r, "calendar")
			return nil
		}}
		a := modulesOf(t, base, user)
		start(t, a)
		stop(t, a)
		j.expect(t, "start clock", "start calendar", "stop calendar", "stop clock")
	})
}

// A module that can do without goes on.
func TestServiceIsOptional(t *testing.T) {
	var missing *runtime.ServiceError
	modulesOf(t, module{"user", func(r *runtime.Registry) error {
		c, err := runtime.Use[clock](r)
		if !errors.As(err, &missing) || c != nil {
			t.Errorf("%v, %v", c, err)
		}
		return nil
	}})
	if missing == nil || missing.Error() != "no module provides the service runtime_test.clock" {
		t.Error(missing)
	}
}

func TestServiceFaults(t *testing.T) {
	uses := func(name string) runtime.Module {
		return module{name, func(r *runtime.Registry) error {
			_, err := runtime.Use[clock](r)
			_, err2 := runtime.Use[context.Context](r)
			return errors.Join(err, err2)
		}}
	}
	provides := func(name string) runtime.Module {
		return module{name, func(r *runtime.Registry) error {
			runtime.Provide[clock](r, &wallClock{})
			runtime.Provide[*wallClock](r, nil)
			runtime.Provide[error](r, nil)
			runtime.Provide[clock](r, (*wallClock)(nil))
			return nil
		}}
	}
	text := newFaults(t, runtime.Modules(uses("early"), provides("base"), provides("copy"), uses("late")))
	golden(t, "faults-services.txt", text)
}

// errors.As finds the fault with the type that is missing.
func TestServiceErrorUnwraps(t *testing.T) {
	_, err := runtime.New(module{"user", func(r *runtime.Registry) error { _, err := runtime.Use[clock](r); return err }}, runtime.WithLogger(quiet))
	var missing *runtime.ServiceError
	if !errors.As(err, &missing) || !strings.HasSuffix(missing.Type.String(), "clock") {
		t.Error(err)
	}
}

package health_test

import (
	"context"
	"testing"
	"time"

	"github.com/plba/plba/health"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func add(t *testing.T, r *health.Registry, c health.Check) {
	t.Helper()
	if err := r.Add(c); err != nil {
		t.Fatal(err)
	}
}

func source(t *testing.T, r *health.Registry, name string, critical bool, f func() health.Report) {
	t.Helper()
	if err := r.Source(name, critical, f); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, r *health.Registry) {
	t.Helper()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, r *health.Registry) {
	t.Helper()
	if err := stopWithin(r, time.Minute); err != nil {
		t.Error(err)
	}
}

func stopWithin(r *health.Registry, budget time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	return r.Stop(ctx)
}

func component(t *testing.T, r *health.Registry, name string) health.Component {
	t.Helper()
	for _, c := range r.Report().Components {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no component %q", name)
	return health.Component{}
}

func expect(t *testing.T, got health.Report, state health.State, reason string) {
	t.Helper()
	if got.State != state || got.Reason != reason {
		t.Errorf("%s %q, want %s %q", got.State, got.Reason, state, reason)
	}
}

func works(context.Context) error { return nil }

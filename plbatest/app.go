package plbatest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// patience is how long a wait may take before the test fails: virtual time inside synctest.
const patience = 10 * time.Second

// App is a started application under test.
type App struct {
	*plba.App
	t      testing.TB
	driver *driver

	mu          sync.Mutex
	changed     *sync.Cond
	transitions map[string][]workers.Transition
}

// Start assembles and starts the module and stops it in t.Cleanup. It fails the test when a fault is found or the start fails; a stop that is not
// clean is logged. Call it inside synctest.Test for virtual time.
func Start(t testing.TB, m plba.Module, opts ...plba.Option) *App {
	t.Helper()
	a := &App{t: t, driver: newDriver(), transitions: map[string][]workers.Transition{}}
	a.changed = sync.NewCond(&a.mu)
	app, err := plba.New(m, append([]plba.Option{
		plba.WithoutControlListener(),
		plba.WithOutput(t.Output()),
		plba.WithRuntime(
			runtime.WithDrivers(a.driver), runtime.WithObserver(a.observe), runtime.WithEagerBatches(), runtime.WithoutWatch(),
		),
	}, opts...)...)
	if err != nil {
		t.Fatalf("plbatest: %v", err)
	}
	a.App = app
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Fatalf("plbatest: %v", err)
	}
	t.Cleanup(a.stop)
	return a
}

func (a *App) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rec, err := a.Stop(ctx)
	if err != nil {
		a.t.Logf("plbatest: %v\n%s", err, rec)
	}
	if err := a.Close(ctx); err != nil {
		a.t.Errorf("plbatest: %v", err)
	}
}

func (a *App) observe(worker string, t workers.Transition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.transitions[worker] = append(a.transitions[worker], t)
	a.changed.Broadcast()
}

// wait blocks until ok (called with the lock held) or fails the test after patience.
func (a *App) wait(what string, ok func() bool) {
	a.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		late = true
		a.changed.Broadcast()
	})
	defer timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for !ok() {
		if late {
			a.t.Fatalf("plbatest: %s: not within %s", what, patience)
		}
		a.changed.Wait()
	}
}

// WaitState blocks until the worker is in the state; after 10 s it fails the test.
func (a *App) WaitState(worker string, state workers.State) {
	a.t.Helper()
	if _, ok := a.Worker(worker); !ok {
		a.t.Fatalf("plbatest: no worker %q", worker)
	}
	a.wait("worker "+worker+" "+string(state), func() bool {
		ts := a.transitions[worker]
		return len(ts) > 0 && ts[len(ts)-1].To == state || len(ts) == 0 && state == workers.Stopped
	})
}

// Transitions are the worker's moves so far, each as "from event to": "stopped start starting".
func (a *App) Transitions(worker string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]string, len(a.transitions[worker]))
	for i, t := range a.transitions[worker] {
		out[i] = string(t.From) + " " + string(t.Event) + " " + string(t.To)
	}
	return out
}

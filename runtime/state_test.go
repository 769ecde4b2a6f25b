package runtime_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/plba/plba/fsm"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

func TestLifecycleDrawing(t *testing.T) {
	golden(t, "runtime.mmd", runtime.Lifecycle().Mermaid())
	golden(t, "runtime.dot", runtime.Lifecycle().DOT())
}

func TestStateErrorText(t *testing.T) {
	err := &runtime.StateError{Op: "start", State: runtime.Stopping, Allowed: []runtime.State{runtime.Stopped}}
	if got, want := err.Error(), "runtime cannot start while it is stopping (only when it is stopped)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// move is an event in a state.
type move[S, E ~string] struct {
	in S
	ev E
}

// random fires random events at a machine of the table and compares each answer with what is allowed.
func random[S, E ~string](t *testing.T, table *fsm.Table[S, E], allowed map[move[S, E]]S) {
	t.Helper()
	var events []E
	for m := range allowed {
		events = append(events, m.ev)
	}
	moved, refused := map[move[S, E]]int{}, 0
	m, state := table.Machine(), table.Initial()
	for range volume(20_000, 1_000_000) {
		ev := events[rand.IntN(len(events))]
		to, ok := allowed[move[S, E]{state, ev}]
		err := m.Fire(ev, nil)
		var te *fsm.TransitionError
		switch {
		case ok && err == nil:
			moved[move[S, E]{state, ev}]++
			state = to
		case ok || !errors.As(err, &te):
			t.Fatalf("%s in %s: %v", ev, state, err)
		default:
			refused++
		}
		if m.State() != state {
			t.Fatalf("%s after %s, want %s", m.State(), ev, state)
		}
	}
	if len(moved) != len(allowed) || refused == 0 {
		t.Errorf("%d of %d moves were made, %d events refused", len(moved), len(allowed), refused)
	}
}

// The tables, written out a second time: random events move the machines so and not otherwise.
func TestRandomEventsMoveAsTheTablesSay(t *testing.T) {
	random(t, runtime.Lifecycle(), map[move[runtime.State, runtime.Event]]runtime.State{
		{"stopped", "start"}: "starting", {"starting", "started"}: "running", {"starting", "fail"}: "stopping", {"starting", "stop"}: "stopping",
		{"running", "stop"}: "stopping", {"stopping", "halt"}: "stopped",
	})
	random(t, workers.Lifecycle(), map[move[workers.State, workers.Event]]workers.State{
		{"stopped", "start"}: "starting", {"starting", "ready"}: "idle", {"idle", "work"}: "busy", {"busy", "rest"}: "idle",
		{"starting", "stop"}: "stopping", {"idle", "stop"}: "stopping", {"busy", "stop"}: "stopping", {"stopping", "halt"}: "stopped",
		{"starting", "fail"}: "stopped", {"idle", "fail"}: "stopped", {"busy", "fail"}: "stopped", {"stopping", "fail"}: "stopped",
	})
}

package runtime_test

import (
	"testing"

	"github.com/plba/plba/runtime"
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

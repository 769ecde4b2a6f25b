package runtime

import (
	"fmt"
	"strings"

	"github.com/plba/plba/fsm"
)

// State of the runtime's own machine.
type State string

// The states. Status shows idle or busy instead of running.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Running  State = "running"
	Stopping State = "stopping"
)

// Event moves the runtime from one state to the next.
type Event string

// The events.
const (
	EventStart   Event = "start"   // stopped → starting
	EventStarted Event = "started" // starting → running
	EventFail    Event = "fail"    // starting → stopping, with the cause
	EventStop    Event = "stop"    // starting, running → stopping
	EventHalt    Event = "halt"    // stopping → stopped
)

// Lifecycle gives the runtime's table.
func Lifecycle() *fsm.Table[State, Event] {
	return fsm.MustNew("runtime", Stopped,
		fsm.Edge[State, Event]{Event: EventStart, From: []State{Stopped}, To: Starting},
		fsm.Edge[State, Event]{Event: EventStarted, From: []State{Starting}, To: Running},
		fsm.Edge[State, Event]{Event: EventFail, From: []State{Starting}, To: Stopping},
		fsm.Edge[State, Event]{Event: EventStop, From: []State{Starting, Running}, To: Stopping},
		fsm.Edge[State, Event]{Event: EventHalt, From: []State{Stopping}, To: Stopped},
	)
}

// StateError says that an operation does not apply in the present state.
type StateError struct {
	Op      string // "start"
	State   State
	Allowed []State // the states in which it applies
}

func (e *StateError) Error() string {
	allowed := make([]string, len(e.Allowed))
	for i, s := range e.Allowed {
		allowed[i] = string(s)
	}
	return fmt.Sprintf("runtime cannot %s while it is %s (only when it is %s)", e.Op, e.State, strings.Join(allowed, " or "))
}

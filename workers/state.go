package workers

import (
	"fmt"
	"sync"
	"time"

	"github.com/plba/plba/fsm"
)

// State of a worker's life.
type State string

// The five states.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Idle     State = "idle"
	Busy     State = "busy"
	Stopping State = "stopping"
)

// Event moves a worker from one state to the next.
type Event string

// The seven events.
const (
	EventStart Event = "start" // stopped → starting
	EventReady Event = "ready" // starting → idle
	EventWork  Event = "work"  // idle → busy: something is in flight
	EventRest  Event = "rest"  // busy → idle: nothing was in flight for a while
	EventStop  Event = "stop"  // starting, idle, busy → stopping
	EventHalt  Event = "halt"  // stopping → stopped
	EventFail  Event = "fail"  // anything but stopped → stopped, with a cause
)

// Lifecycle gives the table that every worker obeys. The table is immutable, and one for all.
func Lifecycle() *fsm.Table[State, Event] { return lifecycle() }

var lifecycle = sync.OnceValue(func() *fsm.Table[State, Event] {
	return fsm.MustNew("worker", Stopped,
		fsm.Edge[State, Event]{Event: EventStart, From: []State{Stopped}, To: Starting},
		fsm.Edge[State, Event]{Event: EventReady, From: []State{Starting}, To: Idle},
		fsm.Edge[State, Event]{Event: EventWork, From: []State{Idle}, To: Busy},
		fsm.Edge[State, Event]{Event: EventRest, From: []State{Busy}, To: Idle},
		fsm.Edge[State, Event]{Event: EventStop, From: []State{Starting, Idle, Busy}, To: Stopping},
		fsm.Edge[State, Event]{Event: EventHalt, From: []State{Stopping}, To: Stopped},
		fsm.Edge[State, Event]{Event: EventFail, From: []State{Starting, Idle, Busy, Stopping}, To: Stopped},
	)
})

// Transition is one move of a worker's machine, as histories and observers see it.
type Transition struct {
	From        State     `json:"from"`
	To          State     `json:"to"`
	Event       Event     `json:"event"`
	Reason      string    `json:"reason,omitempty"` // the cause's text, if there was one
	At          time.Time `json:"at"`
	HeldSeconds float64   `json:"held_seconds"` // how long From had lasted
}

// StateError says that an operation does not apply in the worker's present state.
type StateError struct {
	Worker string
	Op     string // "start"
	State  State
	Why    string // "" or what stands in the way
}

func (e *StateError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("worker %q cannot %s while it is %s: %s", e.Worker, e.Op, e.State, e.Why)
	}
	return fmt.Sprintf("worker %q cannot %s while it is %s", e.Worker, e.Op, e.State)
}

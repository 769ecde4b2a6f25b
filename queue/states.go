package queue

import "github.com/plba/plba/fsm"

// State is where a task stands in its life.
type State string

// The states of a task. done and dead are final.
const (
	StateScheduled State = "scheduled" // waits for its time
	StateReady     State = "ready"     // can be claimed
	StateRunning   State = "running"   // claimed under a lease
	StateRetrying  State = "retrying"  // an attempt failed; waits for the next
	StateDone      State = "done"      // finished, or dropped by its handler
	StateDead      State = "dead"      // kept as a dead letter
)

// Event moves a task from one state to the next.
type Event string

// The events of a task's life.
const (
	EventDue    Event = "due"    // its time has come; at once for a task without a delay
	EventClaim  Event = "claim"  // handed out under a new lease
	EventDone   Event = "done"   // finished
	EventDrop   Event = "drop"   // ended on purpose, without an effect
	EventRetry  Event = "retry"  // the attempt failed, others are left
	EventSnooze Event = "snooze" // not the time yet; the attempt does not count
	EventReturn Event = "return" // given back unworked; the attempt does not count
	EventExpire Event = "expire" // the lease ended without an answer, other attempts are left
	EventBury   Event = "bury"   // failed for good, or with its last attempt
)

var states = fsm.MustNew("task", StateScheduled,
	fsm.Edge[State, Event]{Event: EventDue, From: []State{StateScheduled, StateRetrying}, To: StateReady},
	fsm.Edge[State, Event]{Event: EventClaim, From: []State{StateReady}, To: StateRunning},
	fsm.Edge[State, Event]{Event: EventDone, From: []State{StateRunning}, To: StateDone},
	fsm.Edge[State, Event]{Event: EventDrop, From: []State{StateRunning}, To: StateDone},
	fsm.Edge[State, Event]{Event: EventRetry, From: []State{StateRunning}, To: StateRetrying},
	fsm.Edge[State, Event]{Event: EventSnooze, From: []State{StateRunning}, To: StateScheduled},
	fsm.Edge[State, Event]{Event: EventReturn, From: []State{StateRunning}, To: StateReady},
	fsm.Edge[State, Event]{Event: EventExpire, From: []State{StateRunning}, To: StateReady},
	fsm.Edge[State, Event]{Event: EventBury, From: []State{StateRunning}, To: StateDead},
)

// States is the table of a task's life. Engines guard their own moves, because they move thousands of tasks at once; the
// conformance suite leads tasks through every edge and holds them to it.
func States() *fsm.Table[State, Event] { return states }

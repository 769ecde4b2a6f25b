package queue

import "github.com/plba/plba/fsm"

// State is where a task stands in its life.
type State string

// The states of a task. The first five live: they count against the capacity, and keep their unique key. done is final; dead and cancelled are
// unless someone requeues the task.
const (
	StateScheduled State = "scheduled" // waits for its time
	StateReady     State = "ready"     // can be claimed
	StateRunning   State = "running"   // claimed under a lease
	StateRetrying  State = "retrying"  // an attempt failed; waits for the next
	StateUndoing   State = "undoing"   // given up; waits for a lease in which its effects are undone, or is under one
	StateDone      State = "done"      // finished, or dropped by its handler
	StateDead      State = "dead"      // kept as a dead letter
	StateCancelled State = "cancelled" // ended by an operator
)

// Living says whether a task in this state has not ended.
func (s State) Living() bool {
	switch s {
	case StateScheduled, StateReady, StateRunning, StateRetrying, StateUndoing:
		return true
	default:
		return false
	}
}

// Event moves a task from one state to the next.
type Event string

// The events of a task's life.
const (
	EventDue     Event = "due"     // its time has come; at once for a task without a delay, or when an operator says so
	EventClaim   Event = "claim"   // handed out under a new lease
	EventDone    Event = "done"    // finished
	EventDrop    Event = "drop"    // ended on purpose, without an effect
	EventRetry   Event = "retry"   // the attempt failed, others are left
	EventSnooze  Event = "snooze"  // not the time yet; the attempt does not count
	EventReturn  Event = "return"  // given back unworked; the attempt does not count
	EventExpire  Event = "expire"  // the lease ended without an answer, other attempts are left
	EventGiveUp  Event = "give-up" // it is to be dead or cancelled, but has effects that must be undone first
	EventBury    Event = "bury"    // failed for good, or with its last attempt; effects, if any, were undone or could not be
	EventCancel  Event = "cancel"  // ended by an operator; effects, if any, were undone
	EventRequeue Event = "requeue" // an operator lets a task that has ended begin anew; its history is kept
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
	fsm.Edge[State, Event]{Event: EventBury, From: []State{StateRunning, StateUndoing}, To: StateDead},
	fsm.Edge[State, Event]{Event: EventCancel, To: StateCancelled,
		From: []State{StateScheduled, StateReady, StateRunning, StateRetrying, StateUndoing}},
	fsm.Edge[State, Event]{Event: EventGiveUp, From: []State{StateScheduled, StateReady, StateRunning, StateRetrying}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventClaim, From: []State{StateUndoing}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventRetry, From: []State{StateUndoing}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventSnooze, From: []State{StateUndoing}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventReturn, From: []State{StateUndoing}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventExpire, From: []State{StateUndoing}, To: StateUndoing},
	fsm.Edge[State, Event]{Event: EventRequeue, From: []State{StateDead, StateCancelled}, To: StateReady},
)

// States is the table of a task's life. Engines guard their own moves, because they move thousands of tasks at once; the
// conformance suite leads tasks through every edge and holds them to it.
//
// undoing is one state for waiting and working, so claims and the ways back stay in it: what it says is that the task will not be tried again. Which
// of the two it is shows in Task.LeasedUntil. Its undo lease ends it by bury or cancel, as it was to end when it was given up.
func States() *fsm.Table[State, Event] { return states }

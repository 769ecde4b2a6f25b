// Package workers holds what the runtime keeps alive: active components with one explicit life.
//
// # Life
//
// Every worker is a state machine of exactly five states (Lifecycle draws it):
//
//	stopped --start--> starting --ready--> idle <--work/rest--> busy
//	starting, idle, busy --stop--> stopping --halt--> stopped
//	starting, idle, busy, stopping --fail--> stopped        (carries the cause)
//
// Start's context bounds the start, never the life. Stop ends the intake at once and lets work in flight finish; when its
// soft context is done the contexts of handlers are cancelled with task.ErrForced; when its hard context is done, what still
// runs is abandoned and counted. Start on a running worker and Stop on a stopped one do nothing. A worker with an abandoned
// call cannot be started again before that call has returned.
//
// Busy and idle follow a counter of work in flight: busy at once, idle after a quiet quarter of a second, so a busy worker makes at
// most four pairs of transitions a second however many tasks it handles. Decisions about stopping look at the counter, never at the
// debounced state.
//
// # Kinds
//
//	Consume  handles the tasks of a queue, several at once
//	Poll     calls a function at an interval, and again at once while it finds something
//	Loop     runs a function that keeps its own loop, with a Session to tell about itself
//
// An author implements Worker directly only for a component that fits none of them.
//
// # Failure rules
//
// A panic or runtime.Goexit in a handler fails that attempt alone; in a poll, that poll alone; in a loop it fails the worker, and
// the runtime's supervisor decides on a restart. A backend that cannot be reached makes a consumer degraded and is asked again with
// backoff. Leases are renewed in the background at a third of their length; a lost lease cancels the handler's context with
// task.ErrLeaseLost and the late answer changes nothing.
package workers

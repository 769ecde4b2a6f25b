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
//	Consume   handles the tasks of a queue, several at once
//	Mux       the same for a queue of several kinds, each with its payload type
//	Poll      calls a function at an interval, and again at once while it finds something
//	Schedule  calls a function at the instants that a cron expression names; through a queue, once over all instances
//	Listen    runs a function that serves until it is told to stop, with a Session to tell about itself
//	Serve     serves an http.Handler on an address
//	Loop      runs a function that keeps its own loop, with the same Session, and may end
//
// An author implements Worker directly only for a component that fits none of them.
//
// # Changes at run time
//
// A consumer is a Scaler: its concurrency may change while it works, also over all its slots being busy. What was set at run time wins over
// the configuration (platform.workers), which wins over the code, until the process ends. A consumer, a poll and a schedule are a Pauser: their intake can
// be held back and opened again, whatever state the worker is in. Being paused is a field of Status, not a state: a paused worker is started and
// stopped like any other, and finishes what it has in flight. Neither ever ends work that has begun; what was received but not begun goes back to its
// queue with the attempt not counted.
//
// # Slots
//
// A handler finds its slot in the context (task.SlotsFrom), and parks it while it waits for other tasks: so does a batch of a pipeline. When all slots
// that hold a task are parked and no other may take one, what was gathered is flushed: no task that could be handled waits for a timer. Soft stops,
// pauses and fewer slots saturate a worker too; a forced stop does not, there contexts end. Behind a task that parks nothing waits: what is leased and not begun
// goes back to the queue.
//
// # Batches
//
// A consumer asks its queue for as many tasks at once as its free slots are likely to handle within a millisecond. What it has leased and not begun belongs to all its
// slots: whoever is free takes the first, so no task waits behind a long one while a slot is free. When all slots are busy for longer than a third of the lease,
// the rest goes back to the queue, for other consumers. A queue in this process is told of successes in batches, after a millisecond at most; a durable one of
// each at once.
//
// # Middleware
//
// Wrap puts middleware around a handler, typed like the handler itself; it runs within the attempt, between the platform's own steps (lease,
// trace, timeout, recovery from panics) and the handler.
//
// # Failure rules
//
// A panic or runtime.Goexit in a handler fails that attempt alone; in a poll, a run of a schedule or a request, that one alone (but
// Goexit in a poll or a schedule ends the worker's life); in a loop or a listener it fails the worker, and
// the runtime's supervisor decides on a restart. A backend that cannot be reached makes a consumer degraded and is asked again with
// backoff, and a panic of an engine is an error like any other. Leases are renewed in the background at a third of their length; a lost lease cancels the
// handler's context with task.ErrLeaseLost and the late answer changes nothing. A life that was abandoned renews nothing: what its calls still hold goes to another.
//
// A renewal also tells which tasks an operator has cancelled: their handlers' contexts end with task.ErrCancelled, and what was not begun is not begun. A cancel
// through the queue in the same process asks for a renewal at once.
//
// # Answers
//
// What the queue is told follows from the handler's error (task.Classify) and from what ended its context, if anything did. Done and dropped count
// whatever happened. Else a forced stop returns the task, a cancelled one is answered with task.Cancelled, and for a lost lease nothing is answered.
// Status counts what was done, failed and cancelled; what was snoozed or returned is neither.
//
// A lease with Info.Undo goes to a handler that compensates; from any other the answer is that nothing can undo the task. It is an attempt like others: retry
// policy, timeout, middleware, receipts and failures treat it so.
package workers

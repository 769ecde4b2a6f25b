// Package task is the leaf that queues, pipelines, workers and handlers share: what a handler may say about a
// task, and what it may know about the task at hand. It imports the standard library only, so that a domain
// package that needs one of these words pays for nothing else.
//
// # Outcomes
//
// A handler ends a task by returning:
//
//	nil                        Done: the task is finished
//	Drop(reason)               Dropped: finished too, on purpose and without an effect
//	any other error            Retry: again after the queue's backoff, until the attempts are used up
//	RetryAfter(d, cause)       Retry: again after d
//	Snooze(d, reason)          Snoozed: again after d, without using up an attempt
//	Permanent(err)             Dead: never again, kept as a dead letter
//
// Classify reads that from an error tree. A domain package that must not import this one says the same with
// methods on its own errors: Permanent() bool and RetryAfter() time.Duration. One outcome is the worker's alone:
// Cancelled, when an operator ended the task and its handler yielded.
//
// # The task at hand
//
// The worker puts an Info into the handler's context with With; From reads it. Key gives the idempotency key of the
// place where the code runs: the task's ID followed by the path that the running pipeline sets (WithCursor). It is the
// same on every attempt, so it can be handed to the outside world.
//
// # Causes
//
// When a handler's context ends, context.Cause tells why: ErrForced (the stop budget is used up), ErrLeaseLost
// (another worker may have the task by now) or ErrCancelled (an operator ended the task). ErrForced and ErrLeaseLost do not
// end the task, another run will go on with it, so nothing may be undone because of them.
package task

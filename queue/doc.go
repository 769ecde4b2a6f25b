// Package queue carries tasks from those who publish them to the workers that handle them.
//
// A [Queue] is typed: values of one type go in with [Queue.Publish], and come out as [Delivery]s. Below it an [Engine] keeps
// the tasks, untyped; which one is a matter of configuration, not of code. Package queue/memory is the engine that needs
// nothing, package queue/queuetest the conformance suite that every engine passes.
//
// # A task's life
//
//	scheduled ─due→ ready ─claim→ running ─done, drop→ done
//	retrying  ─due→ ready         running ─retry→      retrying
//	                              running ─snooze→     scheduled
//	                              running ─return, expire→ ready
//	                              running ─bury→       dead
//	scheduled, ready, running, retrying ─cancel→       cancelled
//	scheduled, ready, running, retrying ─give-up→      undoing ─bury→ dead, ─cancel→ cancelled
//	dead, cancelled ─requeue→ ready
//
// [States] is that table. A task without a delay is due at once. Dead and cancelled tasks are kept until someone purges them, or as long as the settings
// keep_dead and dead_letters say; done ones as long as keep_done says, by default not at all.
//
// # Promises
//
// Publishing returns when the tasks are as safe as the engine makes them: after the sync on a durable one. Every accepted
// task is handed out at least once, until it is done or dead. It is handed out more than once when an attempt fails or a
// lease expires; so handlers are idempotent, for which task.Key is given.
//
// Ready tasks are handed out by priority, higher first, and within one priority in the order in which they became due. With
// several consumers the handling overlaps, so this is an order of claims, not of effects.
//
// # Leases and the fence
//
// A claim is a lease: for its length no other claim gets the task. It is named by a [Token] whose number grows with every
// claim of that task, also after a snooze and a return, which keep the attempt's number. Every answer carries the token. One
// that is not the task's last changes nothing and comes back as lost. So whatever a worker that was stopped, or cut off, says
// later cannot disturb the one that has the task now.
//
// A lease that was not renewed expires, by the engine's own clock: a monotonic one, or that of the database. The attempt
// counts as failed with the error "lease expired", because nothing tells a worker that crashed from one that hangs; the task
// keeps its place and is ready again, or given up if that was the last attempt. Between the moment a lease ends and the moment
// the engine notices, an answer may still count.
//
// # Attempts
//
// A task is tried [MaxAttempts] times. Counted are failed attempts: a Retry that says so, and an expired lease. After the last
// one the task is given up, whatever wait was asked for. The error of every failed attempt is kept in the task's history.
//
// # Undoing
//
// A task is given up when it is to be dead (an answer says so, or its last counted attempt failed or expired) or an operator cancels it. If it keeps a
// checkpoint under task.UndoPrefix then, it has effects that can be undone, and does not end: it becomes undoing, is due at once, and is handed out
// like a ready task, with Info.Undo and Info.Cause set and its attempts counted from 1 again. How such a lease ends:
//
//	Done, Dropped        everything is undone: the task is dead or cancelled, as it was to be, and its checkpoints are deleted
//	Retry                undoing again after a while; after the last attempt dead, with the checkpoints that are left
//	Dead, Cancelled      dead, with the checkpoints that are left
//	Snoozed, uncounted Retry  undoing again
//	no answer            undoing again, one attempt less
//
// An undoing task lives: it counts against the capacity, keeps its unique key and its place in its group.
//
// # Cancelling
//
// [Queue.Cancel] ends a task that waits at once. A running one is marked, its worker learns of it when it renews the lease, and ends the handler's context
// with task.ErrCancelled. If the handler succeeds all the same, or was about to fail for good, its answer counts; every other answer, and an expired lease,
// ends the task as cancelled.
//
// # Groups
//
// A group key, from Spec.Group or [GroupKey], limits how many tasks that have it are under a lease at once: the setting group_running, 1 by default. With the
// order [Strict] they also follow each other: from its first claim until it has ended a task keeps all others of its group waiting, while it runs,
// retries, snoozes or is undoing. Tasks that wait for their group hold up nobody else.
//
// # Limits
//
// max_running and rate limit claims, over all processes that share a queue; a paused queue hands out nothing. None of them concerns
// publishing, and none takes away a lease that is out.
//
// # Unique keys
//
// A unique key counts while its task lives (all states but done, dead and cancelled), and with Spec.UniqueFor (or [UniqueFor], for one task) at least that
// long from publishing on, ended tasks included. While it counts, publishing with it adds nothing and returns the
// task that has it, flagged [Receipt].Existing.
//
// # Bounds and back-pressure
//
// An engine's capacity bounds the living tasks: scheduled, ready, running, retrying and undoing. A full queue makes publishers
// wait, first come first served; [Queue.TrySend] returns [ErrFull] instead. Nothing that ends a lease ever waits for room, as
// the task has never given up its place. Payloads, metadata, keys and checkpoints have limits of their own (see the
// constants); beyond them is [ErrTooLarge].
//
// # Payloads
//
// Engines with the capability [InProcess] hand over the value itself: publisher and handler share what it points to, and must
// not change it after publishing. All others encode it, as JSON unless Spec.Codec is set. That T can be encoded is checked when
// the queue is made, whatever the engine, so that changing the engine later is a matter of configuration. Payloads of an older kind are read by
// Spec.Decode; one whose kind nobody knows is delivered with [ErrUnknownKind], and kept.
//
// # Middleware
//
// Spec.Publishing goes around publishing as workers.Wrap goes around handling: see [PublishMiddleware].
//
// # Tracing
//
// Publishing makes a span "send <queue>" of kind producer with the messaging attributes, and puts its W3C headers into the task's
// metadata, from which the worker's span continues. Headers with line breaks or of more than 512 bytes are dropped.
package queue

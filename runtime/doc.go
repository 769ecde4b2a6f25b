// Package runtime assembles an application from modules and keeps it alive: registration, ordered start, supervision, status, health,
// and a graceful stop with a receipt.
//
// # From module to application
//
// A Module declares how the application is assembled; it does no I/O. New loads the configuration, applies logging and tracing, runs
// Register once and reports every fault of configuration and registration together (FaultError). Start and Stop may follow many times.
//
// New goes on after a fault as far as it can: a file that cannot be read, a bad setting and two workers of one name come in one answer. Only
// names in the configuration that nothing goes by (queues, workers, sections) are left out when a Register failed, since it might have used them.
//
// # States
//
//	stopped --start--> starting --started--> running --stop--> stopping --halt--> stopped
//	starting --fail--> stopping        (a critical part did not start: what had started is stopped again)
//	starting --stop--> stopping        (Stop during Start)
//
// While it runs, Status derives idle or busy from the workers. A worker that is restarted later shows in health; it does not turn the
// application back to starting.
//
// # Start
//
// Queues are opened, then resources in the order of their registration, then the health checks begin, then control channels, then workers in the
// order of their registration, each within platform.start.timeout. A critical worker or any other part that fails rolls back what was started,
// in reverse, and Start says which and why. Another worker that fails is retried in the background and makes the application degraded.
//
// After puts a worker or resource behind others wherever they were registered, and lets it stop before them. It orders, and is no condition: what comes first
// and is not critical may have failed. Unknown names and circles are faults of registration.
//
// A start that ignores the end of its context is left behind a second later. What it opens after all is closed again, and until it has returned the
// same resource is not started anew. Control channels that an earlier stop kept stay up when a start fails.
//
// # Services
//
// Provide hands a value to modules that register later, and Use finds it by its type: for modules that are written apart. A service that nobody provides, one
// that a later module provides, one provided twice and a nil are faults of registration that name the modules.
//
// # Settings of workers
//
// What platform.workers.<name> says wins over the options in the code, and they win over the defaults, each key by itself. A change at run time (concurrency,
// pause) wins over all three and lasts until the process ends. The supervisor reads restart (on-failure, always, never), max_restarts and restart_window; the
// other keys are the worker's (concurrency). A key that neither knows is a fault with file:line.
//
// # Reload
//
// App.Reload reads the configuration again and checks all of it as New did. One fault anywhere, and everything stays as it was (ReloadError). Else the sections
// that modules follow (Live) change, all at once, together with log.level, platform.shutdown, platform.start and platform.exit_on_critical_failure; whoever
// called OnChange is told, one at a time. Everything else is named as needing a restart of the program, in the result and in the log, until it is set back. What only
// a worker itself can refuse (a concurrency for a poll, say) is found at that restart.
//
// With platform.reload.watch (default false) a running application reloads when one of its files changes, and once when it starts, for what changed before. Off by
// default: whoever edits a file on a server expects nothing to happen until they say so.
//
// # Supervision
//
// Each worker has a supervisor that waits for the end of its life. After a failure (or, with Restart(Always), any end) it starts the worker
// again after 1 s, 2 s, 4 s … 1 min ± 20 %, counted anew after a quiet minute; after five restarts within a minute (RestartLimit) it gives up and the worker
// stays stopped: a critical one makes the application unhealthy, another degraded. With platform.exit_on_critical_failure a critical one that is given up
// also stops the application gracefully, and Run returns a *CriticalError (exit code 1). Who calls Start and Stop instead of Run hears of it by StopRequested.
//
// # Operators
//
// StartWorker, StopWorker and RestartWorker act on one worker of a running application, one command at a time for each worker. What an operator stopped stays
// stopped, whatever the restart policy says, until an operator starts it or the application is started again; meanwhile it is degraded. The application's own stop
// ends such commands: an operator's start is interrupted, and an operator's stop gets no more time than the application has.
//
// # Stop
//
// One budget for all (platform.shutdown.timeout, 30 s). Readiness ends at once. With platform.shutdown.delay everything else goes on for so long, so that a load
// balancer sees the change and sends nothing more before the listeners close; the delay is part of the budget, Force ends it, and a start that is rolled back or
// interrupted has none, since it was never ready. Sources stop first. Consumers of durable queues finish what they have in flight; consumers of volatile
// queues go on until every volatile queue is empty and nothing is in flight, so that whatever a draining handler still publishes is handled too, in whatever
// order the queues feed each other. Tasks of volatile queues whose time has not come (scheduled, retrying, waiting to be undone) are not waited for; they are counted as lost. Then
// control channels, health checks, resources and queues follow in reverse.
//
// After counts for more than these groups: a worker that others come after stops when they have stopped, so a loop that keeps something for a consumer outlives
// it.
//
// Near the end of the budget the contexts of handlers are cancelled with task.ErrForced; what ignores that is abandoned. Resources are closed in any case, within
// a last grace of at most 5 s. The Receipt names what was forced, abandoned, lost or did not close.
//
// # Health
//
// Health sums up workers, resources and checks as package health says; HealthHistory keeps the last 100 changes with their causes. Checks tell of a
// change when they have run, the supervisor of a failure, a restart and a giving up at once; what workers report of themselves is looked at every second.
//
// Ready is about work: the application runs, and nothing that is critical or has Readiness is unhealthy. Started is about coming up: a start has succeeded and
// each check with Startup has been ok once. Start itself waits for no check, and a degraded component holds neither up.
//
// # Foreign code
//
// Modules, resources, channels, engines, workers and health checks run on goroutines that are not waited for longer than their time, and a panic in one is an
// error of that call, logged with its stack. No lock that Status or Health needs is held meanwhile: they always answer at once.
package runtime

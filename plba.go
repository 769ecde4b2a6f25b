package plba

import (
	"fmt"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
)

type (
	// Module is a business application, or a part of one, as the runtime sees it.
	Module = runtime.Module
	// Registry is what a Module declares itself to.
	Registry = runtime.Registry
	// Receipt tells what a stop did.
	Receipt = runtime.Receipt
	// FaultError holds every fault of configuration and registration that New found.
	FaultError = runtime.FaultError
	// StartError says what did not start.
	StartError = runtime.StartError
	// CriticalError is what Run returns when platform.exit_on_critical_failure is set and a critical worker was given up.
	CriticalError = runtime.CriticalError
	// ServiceError says that nobody has provided the service that Use asked for.
	ServiceError = runtime.ServiceError
	// StateError says that a start or stop does not apply in the present state.
	StateError = runtime.StateError
)

// ErrNotClean is what Run returns when a stop forced, lost or abandoned something.
var ErrNotClean = runtime.ErrNotClean

// The restart policies of Restart.
const (
	OnFailure = runtime.OnFailure
	Always    = runtime.Always
	Never     = runtime.Never
)

// Modules makes one module of several. They register in the given order.
func Modules(ms ...Module) Module { return runtime.Modules(ms...) }

// Section decodes the top-level section name of the configuration strictly into a T: unknown keys, wrong types and bare numbers for durations are
// faults with file:line. SetDefaults() on *T runs before, Validate() error after. Return the error from Register.
func Section[T any](r *Registry, name string) (T, error) { return runtime.Section[T](r, name) }

// Live is Section for settings that may change while the application runs: Get of what it returns gives the present value, OnChange tells of changes.
// They change when the configuration is reloaded: by App.Reload, by SIGHUP in a program of Main, or by itself with platform.reload.watch.
func Live[T any](r *Registry, name string) (*config.Live[T], error) { return runtime.Live[T](r, name) }

// Provide gives v to modules that register later; they find it with Use, by the type T. It is for modules that are written apart and put together by Modules:
// within one module a variable does it, and what main makes is best handed to the constructors of the modules.
func Provide[T any](r *Registry, v T) { runtime.Provide(r, v) }

// Use gives the T that a module which registered before has provided, else a *ServiceError: return it from Register, or go on if the module can do without.
func Use[T any](r *Registry) (T, error) { return runtime.Use[T](r) }

// Queue gives the queue name with payloads of T; platform.queues.<name> chooses the engine (default memory). The same name and T are the same
// queue, from whichever module; another T is a fault.
func Queue[T any](r *Registry, name string, spec ...queue.Spec[T]) *queue.Queue[T] {
	return runtime.QueueOf(r, name, spec...)
}

// Pipeline builds b, records its faults with all others, and shows the pipeline in the control plane. After a fault it returns nil, which a worker
// refuses with a fault of its own.
func Pipeline[In, Out any](r *Registry, b *pipeline.Builder[In, Out]) *pipeline.Pipeline[In, Out] {
	p, err := b.Build()
	if err != nil {
		r.Fault(err)
		return nil
	}
	for _, other := range r.Extensions(runtime.PipelineKey) {
		if o, ok := other.(interface{ Name() string }); ok && o.Name() == p.Name() {
			r.Fault(fmt.Errorf("pipeline %q: the name is already taken by another pipeline", p.Name()))
		}
	}
	r.Extend(runtime.PipelineKey, p)
	return p
}

// Critical marks a worker, check or resource that the application cannot do without.
func Critical() interface {
	runtime.WorkerOption
	runtime.HealthOption
	runtime.ResourceOption
} {
	return runtime.Critical()
}

// Readiness lets a worker, check or resource that is not critical decide about readiness too: while it is unhealthy the application is degraded and /readyz says
// no. What is critical always decides.
func Readiness() interface {
	runtime.WorkerOption
	runtime.HealthOption
	runtime.ResourceOption
} {
	return runtime.Readiness()
}

// Startup makes a check one of the start: /startupz and /readyz say no until it has been ok once.
func Startup() runtime.HealthOption { return runtime.Startup() }

// Every sets the interval of a health check (default 10 s).
func Every(d time.Duration) runtime.HealthOption { return runtime.Every(d) }

// After makes a worker or a resource start after others and stop before them, in whatever order they were registered.
func After(names ...string) interface {
	runtime.WorkerOption
	runtime.ResourceOption
} {
	return runtime.After(names...)
}

// Restart sets the restart policy of a worker: OnFailure (default), Always or Never.
// platform.workers.<name>.restart overrides it.
func Restart(p runtime.RestartPolicy) runtime.WorkerOption { return runtime.Restart(p) }

// RestartLimit sets after how many restarts within which time a worker is given up (default 5 within a minute). platform.workers.<name>.max_restarts and
// restart_window override it.
func RestartLimit(restarts int, within time.Duration) runtime.WorkerOption {
	return runtime.RestartLimit(restarts, within)
}

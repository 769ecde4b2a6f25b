package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/plba/plba/config"
	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Registry is what a Module declares itself to. It is used from one goroutine, during Register; only RequestStop, Logger, Tracer and
// Meter may be kept and used at any time from any goroutine. Faults do not panic: they are collected and New reports them together.
type Registry struct {
	app        *App
	faults     faults
	incomplete bool // a Register failed: what is missing may be missing because of that

	modules   map[string]bool
	current   string // the module that registers
	workers   []*supervised
	resources []*resource
	checks    []health.Check
	queues    []*boundQueue

	startWorkers   []*supervised // in the order of their start
	startResources []*resource

	names map[string]string // worker and resource and check names, to what they name
	extra map[any][]any

	services map[reflect.Type]service
	missing  []*ServiceError // what Use did not find
}

func newRegistry(a *App) *Registry {
	return &Registry{app: a, modules: map[string]bool{}, names: map[string]string{}, extra: map[any][]any{}, services: map[reflect.Type]service{}}
}

// WorkerOption, HealthOption and ResourceOption keep options where they belong.
type (
	// WorkerOption tunes Registry.Worker.
	WorkerOption interface{ worker(*supervised) }
	// HealthOption tunes Registry.Health.
	HealthOption interface{ check(*health.Check) }
	// ResourceOption tunes Registry.Resource.
	ResourceOption interface{ resource(*resource) }
)

type critical struct{}

func (critical) worker(s *supervised)   { s.critical = true }
func (critical) check(c *health.Check)  { c.Critical = true }
func (critical) resource(res *resource) { res.critical = true }

// Critical marks what the application cannot do without: its failure makes the application unhealthy, and at start rolls the start back.
// (A resource that does not open always rolls back, because its users come after it; Critical decides how its state counts in health.)
func Critical() interface {
	WorkerOption
	HealthOption
	ResourceOption
} {
	return critical{}
}

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)

// claimName refuses bad and duplicate names of workers, resources and checks: they share one list, because health shows them side by side.
func (r *Registry) claimName(kind, name string) bool {
	if !nameRule.MatchString(name) {
		r.faults.addf("%s %q: a name is 1 to 100 of a-z 0-9 _ . - and begins with a letter or digit", kind, name)
		return false
	}
	if other, dup := r.names[name]; dup {
		r.faults.addf("%s %q: the name is already taken by a %s", kind, name, other)
		return false
	}
	r.names[name] = kind
	return true
}

// Worker registers a worker. Workers start in the order of their registration, unless After says otherwise.
func (r *Registry) Worker(w workers.Worker, opts ...WorkerOption) {
	if isNil(w) {
		r.faults.addf("a worker is nil (%s)", r.lastWorker())
		return
	}
	name := w.Name()
	if !r.claimName("worker", name) {
		return
	}
	s := newSupervised(r.app, w)
	for _, o := range opts {
		o.worker(s)
	}
	r.equip(s)
	r.workers = append(r.workers, s)
}

// equip gives a worker and its supervisor what platform.workers says of them, and what the runtime lends.
func (r *Registry) equip(s *supervised) {
	w := s.w
	path := "platform/workers/" + w.Name()
	r.faults.add(s.checkRestart())
	inCode := s.restart
	settings, err := config.Ask(r.app.cfg, path, func(c *config.Config) (workerSettings, error) { return readWorker(c, path, w, inCode) })
	r.faults.add(err)
	s.restart = settings.restart
	if e, ok := w.(workers.Equipped); ok {
		r.faults.add(e.Equip(workers.Env{
			Settings: settings.own,
			Logger:   r.app.log, Tracing: r.app.tracing, Observe: r.app.observeWorker, Failed: r.app.observeFailure, Eager: r.app.eager,
		}))
	}
}

// workerSettings are those of platform.workers.<name>.
type workerSettings struct {
	restart restart
	own     workers.Settings
}

// readWorker reads the settings of a worker. What is at fault stays as the code says.
func readWorker(c *config.Config, path string, w workers.Worker, inCode restart) (workerSettings, error) {
	settings := workerSettings{restart: inCode}
	own := slices.DeleteFunc(c.Keys(path), func(key string) bool { return slices.Contains(restartKeys, key) })
	errRestart := c.Decode(path, &settings.restart, own...)
	if errRestart != nil {
		settings.restart = inCode
	}
	if _, ok := w.(workers.Equipped); !ok {
		faults := []error{errRestart}
		for _, key := range own {
			faults = append(faults, fault(c, path+"/"+key, fmt.Sprintf("worker %q takes no such setting", w.Name()), "it takes "+strings.Join(restartKeys, ", ")))
		}
		return settings, config.Join(faults...)
	}
	errOwn := c.Decode(path, &settings.own, restartKeys...)
	if errOwn != nil {
		settings.own = workers.Settings{}
	}
	return settings, config.Join(errRestart, errOwn)
}

// lastWorker helps to find a nil among many registrations.
func (r *Registry) lastWorker() string {
	if len(r.workers) == 0 {
		return "the first one that is registered"
	}
	return fmt.Sprintf("registered after %q", r.workers[len(r.workers)-1].w.Name())
}

// isNil also sees a typed nil pointer, which has no name to call it by.
func isNil(w workers.Worker) bool {
	v := reflect.ValueOf(w)
	return w == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// Health registers a check that runs in the background (every 10 s, 5 s at most) and never on a request's path. nil is ok, health.Degraded(err)
// degraded, any other error unhealthy.
func (r *Registry) Health(name string, check func(context.Context) error, opts ...HealthOption) {
	if !r.claimName("check", name) {
		return
	}
	c := health.Check{Name: name, Func: check}
	for _, o := range opts {
		o.check(&c)
	}
	r.checks = append(r.checks, c)
}

// Resource registers something that is opened before its users and closed after them: resources open in the order of their registration (unless After says
// otherwise), before any worker, and close in reverse. start and stop get a context with a deadline; either may be nil.
func (r *Registry) Resource(name string, start, stop func(context.Context) error, opts ...ResourceOption) {
	if !r.claimName("resource", name) {
		return
	}
	res := &resource{name: name, start: start, stop: stop}
	for _, o := range opts {
		o.resource(res)
	}
	r.resources = append(r.resources, res)
}

// Fault records a fault; New reports it with all others.
func (r *Registry) Fault(err error) { r.faults.add(err) }

// Extend hangs a value on the application under a key, for packages above the runtime (the control plane finds pipelines so). Keys are typed
// values of the package that defines them.
func (r *Registry) Extend(key, value any) { r.extra[key] = append(r.extra[key], value) }

// ExtensionKey is the kind of an extension that this repository's own packages use.
type ExtensionKey string

// PipelineKey holds the built pipelines that the control plane shows.
const PipelineKey ExtensionKey = "pipeline"

// Extensions gives what was hung under a key so far, in order.
func (r *Registry) Extensions(key any) []any { return r.extra[key] }

// RequestStop asks for the end of the process' Run: a graceful stop with the configured budget. It never blocks; the first reason counts.
func (r *Registry) RequestStop(reason string) { r.app.RequestStop(reason) }

// Logger is the application's logger.
func (r *Registry) Logger() *slog.Logger { return r.app.log }

// Tracer is the application's tracer.
func (r *Registry) Tracer() trace.Tracer { return r.app.tracing.Tracer() }

// Meter is the application's meter; it records nothing unless a meter provider was given.
func (r *Registry) Meter() metric.Meter { return r.app.meter }

// Section decodes the top-level section name of the configuration strictly into a T. SetDefaults() on *T runs before, Validate() error after.
// The error locates every fault by file:line; return it from Register.
func Section[T any](r *Registry, name string) (T, error) {
	return config.Section[T](r.app.cfg, name)
}

// Live is Section for settings that may change while the application runs: Get of what it returns gives the present value, and OnChange tells of changes.
// App.Reload says when they change.
func Live[T any](r *Registry, name string) (*config.Live[T], error) {
	return config.Follow[T](r.app.cfg, name)
}

// QueueOf gives the queue name with payloads of T, opened by the engine that platform.queues.<name>.backend says (default memory). The same
// name and T give the same queue, from whichever module; another T is a fault. At most one caller may give a spec.
func QueueOf[T any](r *Registry, name string, spec ...queue.Spec[T]) *queue.Queue[T] {
	for _, b := range r.queues {
		if b.handle.Name() != name {
			continue
		}
		q, ok := b.handle.(*queue.Queue[T])
		switch {
		case !ok:
			r.faults.addf("queue %q: it carries %s and cannot carry %s too", name, b.handle.Type(), reflect.TypeFor[T]())
		case len(spec) > 0 && b.hasSpec:
			r.faults.addf("queue %q: a second spec is given; one place must say it", name)
		case len(spec) > 0:
			r.faults.addf("queue %q: the spec must be given where the queue is named first", name)
		}
		if ok {
			return q
		}
		q, _ = queue.For[T](name) // never opened: New fails with the fault above
		return q
	}
	q, err := queue.For(name, spec...)
	r.faults.add(err)
	if nameRule.MatchString(name) { // also with faults, so that the configuration may name it
		r.queues = append(r.queues, &boundQueue{handle: q, hasSpec: len(spec) > 0})
	}
	return q
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/fsm"
	"github.com/plba/plba/health"
	"github.com/plba/plba/logging"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/tracing"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
)

// App is an assembled application. All methods are safe for concurrent use.
type App struct {
	name     string
	cfg      *config.Config // that it was made with
	platform atomic.Pointer[platformConfig]
	log      *slog.Logger
	logs     *logging.Manager // nil with a logger of the application's own
	tracing  *tracing.Service
	meter    metric.Meter
	reg      *Registry
	drivers  []queue.Driver
	eager    bool
	channels []Channel
	health   *health.Registry
	changes  healthHistory
	machine  *fsm.Machine[State, Event]

	observers observers

	mu   sync.Mutex    // orders starts and stops; never held while one is under way
	op   *operation    // the latest start or stop; guarded by mu
	over chan struct{} // closed at the end of the present life; nil before the first; guarded by mu

	reloadTurn chan struct{} // holds one token while a reload is under way
	watcher    *watcher      // of the configuration's files; nil unless they are watched. It belongs to the start or stop under way
	watch      bool          // platform.reload.watch, unless an option forbids it

	channelTurn chan struct{} // holds one token while channels start or stop; a wait for it does not hold up virtual time, as one for a mutex would
	up          []Channel     // those that run; belongs to whoever has the turn

	startedAt   atomic.Pointer[time.Time] // end of the last successful start
	lastReceipt atomic.Pointer[Receipt]   // of the last stop or roll-back

	failure  atomic.Pointer[CriticalError] // the first one since the last Start; only with exit_on_critical_failure
	stopAsk  chan string                   // RequestStop; holds one
	stopOnce sync.Once
}

// platformConfig is the platform section, without what channels, queue engines and workers read themselves.
type platformConfig struct {
	Shutdown struct {
		Timeout time.Duration `koanf:"timeout"`
		Delay   time.Duration `koanf:"delay"`
	} `koanf:"shutdown"`
	Start struct {
		Timeout time.Duration `koanf:"timeout"`
	} `koanf:"start"`
	ExitOnCriticalFailure bool           `koanf:"exit_on_critical_failure"`
	Tracing               tracing.Config `koanf:"tracing"`
	Reload                struct {
		Watch bool `koanf:"watch"`
	} `koanf:"reload"`
}

// SetDefaults gives a stop and every single start 30 s, and a stop no delay.
func (p *platformConfig) SetDefaults() {
	p.Shutdown.Timeout = 30 * time.Second
	p.Start.Timeout = 30 * time.Second
}

// Validate refuses negative durations and names of nothing.
func (p *platformConfig) Validate() error {
	var errs []error
	if p.Shutdown.Timeout < 0 {
		errs = append(errs, fmt.Errorf("shutdown.timeout must not be negative (0 waits for ever), not %s", p.Shutdown.Timeout))
	}
	limit, delay := p.Shutdown.Timeout, p.Shutdown.Delay
	switch forced := limit - graceOf(limit); {
	case delay < 0:
		errs = append(errs, fmt.Errorf("shutdown.delay must not be negative, not %s", delay))
	case limit > 0 && delay >= forced:
		errs = append(errs, fmt.Errorf("shutdown.delay of %s leaves nothing of shutdown.timeout %s for the stop: what runs is cancelled after %s", delay, limit, forced))
	}
	if p.Start.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("start.timeout must be more than 0, not %s", p.Start.Timeout))
	}
	return errors.Join(errs...)
}

// New loads the configuration, registers the module and checks everything. It starts nothing. The error is a *FaultError with every fault found.
func New(m Module, opts ...Option) (*App, error) {
	o := options{output: os.Stderr}
	for _, opt := range opts {
		opt.app(&o)
	}
	if m == nil {
		return nil, &FaultError{[]error{errors.New("the module is nil")}}
	}
	a := &App{
		name: m.Name(), drivers: o.drivers, eager: o.eager,
		channelTurn: make(chan struct{}, 1), reloadTurn: make(chan struct{}, 1), stopAsk: make(chan string, 1),
	}
	for _, observer := range o.observers {
		a.Observe(observer)
	}
	a.reg = newRegistry(a)
	a.machine = Lifecycle().Machine(a.observe)
	f := &a.reg.faults
	a.configure(&o)
	a.observability(&o)
	a.health = health.NewRegistry(a.log, a.observeHealth)
	a.reg.module(m)
	a.bind(&o)
	if err := f.err(); err != nil {
		_ = a.Close(context.Background()) // nothing was recorded yet
		return nil, err
	}
	return a, nil
}

// configure loads the configuration and reads the platform section. What could be read is used although there are faults, so that one look shows them all.
func (a *App) configure(o *options) {
	f := &a.reg.faults
	var err error
	a.cfg, err = config.Load(o.sources...)
	f.add(err)
	a.cfg.Claim("platform")
	a.cfg.Claim("log")
	platform, err := config.Ask(a.cfg, "platform", readPlatform)
	if err != nil {
		f.add(err)
		platform = platformConfig{}
		platform.Tracing.SetDefaults()
	}
	a.platform.Store(&platform)
	a.watch = platform.Reload.Watch && !o.neverWatch
}

func readPlatform(c *config.Config) (p platformConfig, err error) {
	err = c.Decode("platform", &p, "control", "queues", "workers")
	return p, err
}

func readLog(c *config.Config) (lc logging.Config, err error) {
	err = c.Decode("log", &lc)
	return lc, err
}

// observability makes the logger, the trace service and the meter. Where the configuration is at fault they keep silent.
func (a *App) observability(o *options) {
	f := &a.reg.faults
	if a.log = o.logger; a.log == nil {
		var err error
		a.log, err = a.newLogger(o.output)
		f.add(err)
	}
	a.tracing = tracing.Wrap(o.tracer)
	if o.tracer == nil {
		if own, err := tracing.New(a.platform.Load().Tracing, a.name, o.output); err != nil {
			f.add(err)
		} else {
			a.tracing = own
		}
	}
	mp := o.meter
	if mp == nil {
		mp = metricnoop.NewMeterProvider()
	}
	a.meter = mp.Meter("github.com/plba/plba")
}

func (a *App) newLogger(w io.Writer) (*slog.Logger, error) {
	lc, err := config.Ask(a.cfg, "log", readLog)
	if err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	if a.logs, err = logging.New(lc, w); err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	return a.logs.Logger(), nil
}

// bind checks what was registered against the configuration and the linked engines.
func (a *App) bind(o *options) {
	f := &a.reg.faults
	a.reg.order()
	for _, b := range a.reg.queues {
		f.add(a.bindQueue(b))
	}
	for _, factory := range o.channels {
		c, err := factory(a.cfg)
		f.add(err)
		if err == nil && c != nil {
			a.channels = append(a.channels, c)
		}
	}
	for _, c := range a.reg.checks {
		f.add(a.health.Add(c))
	}
	for _, res := range a.reg.resources {
		f.add(a.health.Source(res.name, res.critical, res.health, res.groups...))
	}
	for _, s := range a.reg.workers {
		f.add(a.health.Source(s.w.Name(), s.critical, s.health, s.groups...))
	}
	if a.reg.incomplete {
		return // what the configuration names may be missing because a Register gave up
	}
	_, err := config.Ask(a.cfg, "", func(c *config.Config) (struct{}, error) {
		return struct{}{}, config.Join(
			c.Unknown("platform/queues", a.QueueNames()...),
			c.Unknown("platform/workers", a.WorkerNames()...),
			c.Unclaimed(),
		)
	})
	f.add(err)
}

// fault is a fault of the configuration at path.
func fault(c *config.Config, path, problem, hint string) error {
	return &config.Fault{Where: c.Where(path), Key: strings.ReplaceAll(path, "/", "."), Problem: problem, Hint: hint}
}

// Name is the module's name.
func (a *App) Name() string { return a.name }

// Logger is the application's logger.
func (a *App) Logger() *slog.Logger { return a.log }

// Tracing is the application's trace service.
func (a *App) Tracing() *tracing.Service { return a.tracing }

// Config is the configuration that the application was made with. Reload does not change it.
func (a *App) Config() *config.Config { return a.cfg }

// Extensions gives what Registry.Extend stored under key, in order.
func (a *App) Extensions(key any) []any { return a.reg.extra[key] }

// RequestStop asks Run to stop gracefully. It never blocks; the first reason counts. Without a Run it does nothing but be remembered for the next.
func (a *App) RequestStop(reason string) {
	select {
	case a.stopAsk <- reason:
	default:
	}
}

// fail asks for the end of the Run under way and lets it return err.
func (a *App) fail(err *CriticalError) {
	a.failure.CompareAndSwap(nil, err)
	a.RequestStop(err.Error())
}

// StopRequested delivers the reason of a RequestStop, once.
func (a *App) StopRequested() <-chan string { return a.stopAsk }

// Close ends what outlives a stop: the trace service and, if it is still telling others, a reload. Call it once, after the last Stop.
func (a *App) Close(ctx context.Context) error {
	var err error
	a.stopOnce.Do(func() {
		select {
		case a.reloadTurn <- struct{}{}: // and so no other begins
		case <-ctx.Done():
			err = fmt.Errorf("a reload of the configuration has not ended: %w", context.Cause(ctx))
		}
		err = errors.Join(err, a.tracing.Shutdown(ctx))
	})
	return err
}

package runtime

import (
	"context"
	"io"
	"log/slog"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Option tunes New.
type Option interface{ app(*options) }

type options struct {
	sources   []config.Source
	drivers   []queue.Driver
	logger    *slog.Logger
	tracer    trace.TracerProvider
	meter     metric.MeterProvider
	channels  []ChannelFactory
	observers []Observer
	output    io.Writer
	eager     bool

	neverWatch bool
}

type option func(*options)

func (f option) app(o *options) { f(o) }

// WithSources adds configuration sources; later ones win.
func WithSources(s ...config.Source) Option {
	return option(func(o *options) { o.sources = append(o.sources, s...) })
}

// WithDrivers links queue engines. The first one is the default of queues for which no configuration names a backend; of two with one name the later
// takes the earlier one's place.
func WithDrivers(ds ...queue.Driver) Option {
	return option(func(o *options) { o.drivers = append(o.drivers, ds...) })
}

// WithLogger uses the application's own logger; the log section is then not read.
func WithLogger(l *slog.Logger) Option { return option(func(o *options) { o.logger = l }) }

// WithTracerProvider uses the application's own provider; platform.tracing is then not read and the provider never shut down.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return option(func(o *options) { o.tracer = tp })
}

// WithMeterProvider uses the application's own provider (default: nothing is recorded).
func WithMeterProvider(mp metric.MeterProvider) Option {
	return option(func(o *options) { o.meter = mp })
}

// WithOutput is where logs and stdout traces go (default os.Stderr).
func WithOutput(w io.Writer) Option { return option(func(o *options) { o.output = w }) }

// WithoutWatch never watches the files of the configuration, whatever platform.reload.watch says.
func WithoutWatch() Option { return option(func(o *options) { o.neverWatch = true }) }

// WithObserver is told every transition of every worker, in order per worker. It must not block. App.Observe tells of more.
func WithObserver(f func(worker string, t workers.Transition)) Option {
	return option(func(o *options) { o.observers = append(o.observers, Observer{Worker: f}) })
}

// WithEagerBatches has a handler that gathers tasks (pipeline.Batch) go on as soon as all tasks at hand wait, though others might come: for tests, which feed
// one task and wait for it.
func WithEagerBatches() Option { return option(func(o *options) { o.eager = true }) }

// Channel is a way to control the application from outside. It starts after the resources and before the workers, so that it shows a start in
// progress, answers until the workers have stopped, and stays up over a stop with KeepChannels.
type Channel interface {
	Name() string
	Start(ctx context.Context, a *App) error
	Stop(ctx context.Context) error
}

// ChannelFactory reads a channel's settings from the configuration; its faults are reported with all others. A nil channel means: switched off.
type ChannelFactory func(c *config.Config) (Channel, error)

// WithChannel adds a control channel.
func WithChannel(f ChannelFactory) Option {
	return option(func(o *options) { o.channels = append(o.channels, f) })
}

// StopOption tunes App.Stop.
type StopOption interface{ stop(*stopOptions) }

type stopOptions struct {
	keepChannels bool
	force        bool
	reason       string
}

type stopOption func(*stopOptions)

func (f stopOption) stop(o *stopOptions) { f(o) }

// anyStopOption goes with a stop of one worker, too.
type anyStopOption struct{ stopOption }

func (f anyStopOption) stopWorker(o *stopOptions) { f.stopOption(o) }

// KeepChannels leaves control channels up, so that a start can be asked for through them.
func KeepChannels() StopOption { return stopOption(func(o *stopOptions) { o.keepChannels = true }) }

// Force cancels the contexts of handlers at once instead of waiting for them or for platform.shutdown.delay. Given to a second Stop, it forces the one under way.
func Force() interface {
	StopOption
	WorkerStopOption
} {
	return anyStopOption{func(o *stopOptions) { o.force = true }}
}

// Reason is shown in the log and in the receipt; of a worker, in its health.
func Reason(why string) interface {
	StopOption
	WorkerStopOption
} {
	return anyStopOption{func(o *stopOptions) { o.reason = why }}
}

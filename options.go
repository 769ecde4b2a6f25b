package plba

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Option tunes Main and New.
type Option interface{ app(*options) }

type options struct {
	files     []config.Source
	environ   []config.Source
	settings  map[string]any
	drivers   []queue.Driver
	methods   []control.Method
	rest      []runtime.Option
	flags     []func(*flag.FlagSet)
	setups    []func() ([]Option, error)
	noControl bool
	control   *control.Plane // made while the application is assembled
	output    io.Writer
}

type option func(*options)

func (f option) app(o *options) { f(o) }

func (o *options) take(opts []Option) {
	for _, opt := range opts {
		opt.app(o)
	}
}

// runtimeOptions puts the sources into their order of precedence: files and texts as given, environment, settings.
func (o *options) runtimeOptions() []runtime.Option {
	sources := append([]config.Source(nil), o.files...)
	sources = append(sources, o.environ...)
	if len(o.settings) > 0 {
		sources = append(sources, config.Settings(o.settings))
	}
	opts := []runtime.Option{
		runtime.WithSources(sources...),
		runtime.WithDrivers(append([]queue.Driver{memory.Driver()}, o.drivers...)...),
		runtime.WithOutput(o.output),
		runtime.WithChannel(o.controlChannel),
	}
	return append(opts, o.rest...)
}

// controlChannel reads platform.control; nil when the control plane is off.
func (o *options) controlChannel(c *config.Config) (runtime.Channel, error) {
	var opts []control.Option
	var faults []error
	names := make([]string, len(o.methods)) // of sections that are not the control plane's own
	for i, m := range o.methods {
		names[i] = m.Name()
		a, err := config.Ask(c, controlPath+"/"+m.Name(), func(c *config.Config) (control.Authenticator, error) { return configured(c, m) })
		if faults = append(faults, err); a != nil {
			opts = append(opts, control.WithAuthenticator(a))
		}
	}
	cc, err := config.Ask(c, controlPath, func(c *config.Config) (control.Config, error) {
		cc := control.Config{Authenticated: slices.ContainsFunc(c.Keys(controlPath), func(key string) bool { return slices.Contains(names, key) })}
		err := c.Decode(controlPath, &cc, names...)
		return cc, err
	})
	err = errors.Join(append(faults, err)...)
	if err != nil || !cc.Enabled {
		return nil, err
	}
	opts = append(opts, control.WithTerminal(o.output))
	if o.noControl {
		opts = append(opts, control.WithoutListener())
	}
	if o.control, err = control.New(cc, opts...); err != nil {
		return nil, err
	}
	return o.control, nil
}

const controlPath = "platform/control"

// configured makes what the configuration switches on of a method; nil when it does not.
func configured(c *config.Config, m control.Method) (control.Authenticator, error) {
	if !slices.Contains(c.Keys(controlPath), m.Name()) {
		return nil, nil
	}
	return m.Configure(c, controlPath+"/"+m.Name())
}

// WithConfigFiles adds YAML files, each of which must exist; later ones win. -config adds to them.
func WithConfigFiles(paths ...string) Option {
	return option(func(o *options) {
		for _, p := range paths {
			o.files = append(o.files, config.File(p))
		}
	})
}

// WithConfigFS adds YAML files of a file system, for instance an embedded one with an application's defaults.
func WithConfigFS(fsys fs.FS, paths ...string) Option {
	return option(func(o *options) {
		for _, p := range paths {
			o.files = append(o.files, config.FSFile(fsys, p))
		}
	})
}

// WithConfigYAML adds a YAML text.
func WithConfigYAML(text string) Option {
	return option(func(o *options) { o.files = append(o.files, config.YAML("WithConfigYAML", text)) })
}

// WithEnvironment adds environment variables, above files: PLBA_PLATFORM__CONTROL__LISTEN sets platform.control.listen when prefix is "PLBA_". Main adds
// os.Environ() with that prefix itself.
func WithEnvironment(prefix string, environ []string) Option {
	return option(func(o *options) { o.environ = append(o.environ, config.Environment(prefix, environ)) })
}

// WithSetting sets one key ("platform.control.listen"), above files and environment.
func WithSetting(key string, value any) Option {
	return option(func(o *options) {
		if o.settings == nil {
			o.settings = map[string]any{}
		}
		o.settings[key] = value
	})
}

// WithFlags adds flags to those of Main. New ignores it.
func WithFlags(add func(*flag.FlagSet)) Option {
	return option(func(o *options) { o.flags = append(o.flags, add) })
}

// WithSetup runs after Main has read the flags and before anything else: what the flags say can become options there. Its error is one of usage (exit 2). New
// ignores it.
func WithSetup(f func() ([]Option, error)) Option {
	return option(func(o *options) { o.setups = append(o.setups, f) })
}

// WithDrivers links queue engines beside memory; platform.queues.<name>.backend names them.
func WithDrivers(ds ...queue.Driver) Option {
	return option(func(o *options) { o.drivers = append(o.drivers, ds...) })
}

// WithAuthentication links ways to find out who asks the control plane, beside its tokens and certificates. Each is switched on by its section below
// platform.control.
func WithAuthentication(ms ...control.Method) Option {
	return option(func(o *options) { o.methods = append(o.methods, ms...) })
}

// WithLogger uses the application's own logger; the log section is then not read.
func WithLogger(l *slog.Logger) Option { return runtimeOption(runtime.WithLogger(l)) }

// WithTracerProvider uses the application's own tracer provider.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return runtimeOption(runtime.WithTracerProvider(tp))
}

// WithMeterProvider uses the application's own meter provider.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return runtimeOption(runtime.WithMeterProvider(mp))
}

// WithRuntime hands options to package runtime, for what this face does not name.
func WithRuntime(opts ...runtime.Option) Option {
	return option(func(o *options) { o.rest = append(o.rest, opts...) })
}

// WithOutput is where logs, stdout traces, the first-run token and Main's receipt go (default os.Stderr).
func WithOutput(w io.Writer) Option { return option(func(o *options) { o.output = w }) }

// WithoutControlListener leaves the control plane's listener out, whatever the configuration says. App.Handler can mount it still.
func WithoutControlListener() Option { return option(func(o *options) { o.noControl = true }) }

func runtimeOption(r runtime.Option) Option {
	return option(func(o *options) { o.rest = append(o.rest, r) })
}

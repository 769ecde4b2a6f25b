package plba

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/plba/plba/control"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/runtime"
)

const closeTimeout = 5 * time.Second

// The exit codes of Main.
const (
	ExitClean  = 0 // nothing was forced, lost or abandoned
	ExitFailed = 1 // a start failed, the stop was not clean, or a critical worker was given up with platform.exit_on_critical_failure
	ExitUsage  = 2 // bad configuration or usage; nothing was started
	// 128 + n: forced by signal n (130 SIGINT, 143 SIGTERM)
)

// Main runs the application as a program: it reads the flags -config FILE (repeatable), -check, -print-graph, -print-openapi, -version and those of
// WithFlags, the environment (PLBA_SECTION__KEY), starts the application, stops it on SIGTERM or SIGINT (a second signal forces, a third exits at once),
// prints the receipt, and exits with one of the exit codes above. SIGHUP reloads the configuration (App.Reload; not on Windows), also when the terminal is
// closed that the program was started from: it stays up as a service does. It does not return.
//
// Started by systemd as a service of Type=notify (NOTIFY_SOCKET is set), it says when it is ready and when it stops, and feeds the watchdog (WATCHDOG_USEC).
func Main(m Module, opts ...Option) {
	signals, reloads := make(chan os.Signal, 3), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if len(reloadSignals) > 0 { // or it would be told of every signal
		signal.Notify(reloads, reloadSignals...)
	}
	p := program{
		args: os.Args, environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, signals: signals, reloads: reloads, exit: os.Exit,
	}
	os.Exit(p.run(m, opts))
}

// program is Main with its surroundings, so that it can be tested.
type program struct {
	args, environ  []string
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	reloads        <-chan os.Signal // holds one: what comes during a reload asks for another
	exit           func(int)
}

type mainFlags struct {
	configs                                  listFlag
	check, printGraph, printOpenAPI, version bool
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, ",") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

func (p *program) run(m Module, opts []Option) int {
	o := &options{output: p.stderr}
	o.take(opts)
	var mf mainFlags
	if code, done := p.parse(m, o, &mf); done {
		return code
	}
	for _, setup := range o.setups {
		more, err := setup()
		if err != nil {
			return p.usage(err)
		}
		o.take(more)
	}
	o.take([]Option{WithConfigFiles(mf.configs...), WithEnvironment("PLBA_", p.environ)})
	if mf.version {
		fmt.Fprintln(p.stdout, m.Name(), version())
		return ExitClean
	}
	app, err := o.build(m)
	if err != nil {
		return p.usage(err)
	}
	switch {
	case mf.check:
		fmt.Fprintf(p.stdout, "%s: the configuration is fine (%d workers, %d queues)\n", m.Name(), len(app.WorkerNames()), len(app.QueueNames()))
		return ExitClean
	case mf.printOpenAPI:
		return p.print(control.SpecOf(app.App))
	case mf.printGraph:
		for _, x := range app.Extensions(runtime.PipelineKey) {
			if g, ok := x.(interface{ Graph() pipeline.Graph }); ok {
				fmt.Fprintf(p.stdout, "%%%% pipeline %s\n%s\n", g.Graph().Name, g.Graph().Mermaid())
			}
		}
		return ExitClean
	}
	return p.serve(app)
}

// parse reads the flags; done says that there is nothing more to do.
func (p *program) parse(m Module, o *options, mf *mainFlags) (code int, done bool) {
	fs := flag.NewFlagSet(filepath.Base(p.args[0]), flag.ContinueOnError)
	fs.SetOutput(p.stderr)
	fs.Var(&mf.configs, "config", "YAML configuration `FILE`; repeatable, later files win")
	fs.BoolVar(&mf.check, "check", false, "check configuration and registration, start nothing")
	fs.BoolVar(&mf.printGraph, "print-graph", false, "print the pipelines as Mermaid")
	fs.BoolVar(&mf.printOpenAPI, "print-openapi", false, "print the OpenAPI document of the control plane, with the application's own operations")
	fs.BoolVar(&mf.version, "version", false, "print the version")
	for _, add := range o.flags {
		add(fs)
	}
	fs.Usage = func() {
		fmt.Fprintf(p.stderr, "Usage: %s [flags]\n\n%s on PLBA. Settings of the configuration can also come from the environment,\nfor instance PLBA_PLATFORM__CONTROL__LISTEN.\n\nFlags:\n", fs.Name(), m.Name())
		fs.PrintDefaults()
	}
	err := fs.Parse(p.args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return ExitClean, true
	case err != nil:
		return ExitUsage, true
	case fs.NArg() > 0:
		return p.usage(fmt.Errorf("unexpected argument %q (flags come first; see -help)", fs.Arg(0))), true
	}
	return 0, false
}

func (p *program) usage(err error) int {
	fmt.Fprintln(p.stderr, err)
	return ExitUsage
}

func (p *program) print(text []byte, err error) int {
	if err != nil {
		fmt.Fprintln(p.stderr, err)
		return ExitFailed
	}
	if _, err := p.stdout.Write(text); err != nil {
		return ExitFailed
	}
	return ExitClean
}

// serve runs the application under the three signals.
func (p *program) serve(app *App) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	over := make(chan struct{})
	handled := make(chan int)
	go func() { handled <- p.handleSignals(app, cancel, over) }()

	var beside sync.WaitGroup
	systemd := newNotifier(p.environ, os.Getpid(), app.Logger())
	beside.Go(func() { systemd.keepAlive(over) })
	reloading, endReloads := context.WithCancel(context.Background())
	beside.Go(func() { p.handleReloads(reloading, app) })

	err := app.App.Run(ctx, func(r Receipt) { fmt.Fprint(p.stderr, r) }, runtime.OnStarted(systemd.started), runtime.OnStopping(systemd.stopping))
	close(over)
	endReloads()
	forcedBy := <-handled
	beside.Wait()
	cancel(nil)
	if cerr := closeApp(app); err == nil {
		err = cerr
	}
	switch {
	case err == nil:
		return ExitClean
	case forcedBy != 0 && errors.Is(err, ErrNotClean):
		return 128 + forcedBy
	}
	fmt.Fprintln(p.stderr, err)
	return ExitFailed
}

func closeApp(app *App) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return app.Close(ctx)
}

// handleSignals stops on the first signal, forces on the second, leaves on the third. It returns the number of the signal that forced, 0 if none did.
func (p *program) handleSignals(app *App, stop context.CancelCauseFunc, over <-chan struct{}) (forcedBy int) {
	var reason string
	for count := 1; ; count++ {
		select {
		case <-over:
			return forcedBy
		case sig := <-p.signals:
			n := signalNumber(sig)
			switch count {
			case 1:
				fmt.Fprintf(p.stderr, "%s: stopping (again: force)\n", sig)
				reason = "signal " + sig.String()
				stop(errors.New(reason))
			case 2:
				forcedBy = n
				fmt.Fprintf(p.stderr, "%s: forcing (again: exit at once)\n", sig)
				go func() { _, _ = app.Stop(context.Background(), runtime.Force(), runtime.Reason(reason)) }() // joins the stop of Run, who reports it
			default:
				p.exit(128 + n)
			}
		}
	}
}

// handleReloads reloads the configuration at each signal for it, until ctx is done. The log tells what came of it.
func (p *program) handleReloads(ctx context.Context, app *App) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.reloads:
			_, _ = app.Reload(ctx)
		}
	}
}

func signalNumber(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 1
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v + " " + info.GoVersion
}

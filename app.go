package plba

import (
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/plba/plba/control"
	"github.com/plba/plba/runtime"
)

// App is an assembled application. All methods are safe for concurrent use.
type App struct {
	*runtime.App
	control *control.Plane // nil when platform.control.enabled is false
}

// New assembles an application for embedding: it reads only the configuration that the options give, no flags and no environment, and handles no
// signals. The error is a *FaultError with every fault found; nothing was started.
func New(m Module, opts ...Option) (*App, error) {
	o := &options{output: os.Stderr}
	o.take(opts)
	return o.build(m)
}

func (o *options) build(m Module) (*App, error) {
	a, err := runtime.New(m, o.runtimeOptions()...)
	if err != nil {
		return nil, err
	}
	return &App{a, o.control}, nil
}

// Handler is the whole control plane for a mux of the application's own, under prefix, which begins and ends with a slash:
//
//	h, err := app.Handler("/plba/")
//	…
//	mux.Handle("/plba/", h)
//
// It serves from the start of the application to its stop, which ends event streams: stop the application before the server, whose Shutdown waits for
// them. It insists on configured authentication (platform.control.tokens), and needs no listener of the control plane (WithoutControlListener).
func (a *App) Handler(prefix string) (http.Handler, error) {
	if a.control == nil {
		return nil, errors.New("the control plane is switched off by platform.control.enabled: false")
	}
	return a.control.HTTP().Handler(prefix)
}

// Run starts the application and stops it, within the configured budget, when ctx is done, a module called RequestStop or, with
// platform.exit_on_critical_failure, a critical worker was given up. It returns a *StartError, a *CriticalError, ErrNotClean, or nil. The application cannot be started again after it.
func (a *App) Run(ctx context.Context) error { return a.App.Run(ctx, nil) }

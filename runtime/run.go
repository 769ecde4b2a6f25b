package runtime

import (
	"context"
	"errors"
)

// RunOption tunes App.Run.
type RunOption interface{ run(*runOptions) }

type runOptions struct {
	started  func()
	stopping func(reason string)
}

type runOption func(*runOptions)

func (f runOption) run(o *runOptions) { f(o) }

// OnStarted is called once the start has succeeded. It must not block.
func OnStarted(f func()) RunOption { return runOption(func(o *runOptions) { o.started = f }) }

// OnStopping is called before the stop that ends the run, with its reason; not for a stop through the control plane, which leaves the process up. It must
// not block.
func OnStopping(f func(reason string)) RunOption {
	return runOption(func(o *runOptions) { o.stopping = f })
}

// Run starts the application and stops it when ctx is done, RequestStop was called or, with platform.exit_on_critical_failure, a critical worker was given up.
// It returns a *StartError, a *CriticalError, ErrNotClean (joined with the one before when both are so), or nil. report, if not nil, gets the receipt of the
// stop. A start that ctx interrupts is not a failure: what had started is stopped again, and the receipt tells how.
func (a *App) Run(ctx context.Context, report func(Receipt), opts ...RunOption) error {
	o := runOptions{started: func() {}, stopping: func(string) {}}
	for _, opt := range opts {
		opt.run(&o)
	}
	err := a.Start(ctx)
	switch {
	case err == nil:
		o.started()
	case ctx.Err() == nil && !errors.Is(err, errStoppedWhileStarting):
		return err
	}
	var reason string
	select {
	case <-ctx.Done():
		reason = context.Cause(ctx).Error()
	case reason = <-a.StopRequested():
	}
	o.stopping(reason)
	rec, err := a.Stop(context.WithoutCancel(ctx), Reason(reason))
	if report != nil {
		report(rec)
	}
	return a.withFailure(err)
}

// Wait blocks until the application is stopped, by whomever, and tells what that stop, or the start that failed, came to: ErrNotClean, joined with a
// *CriticalError when a critical worker was given up under platform.exit_on_critical_failure, or nil. It is for those who call Start and Stop themselves. Before
// the first start it returns nil at once.
func (a *App) Wait() error {
	a.mu.Lock()
	over := a.over
	a.mu.Unlock()
	if over == nil {
		return nil
	}
	<-over
	return a.withFailure(a.lastReceipt.Load().err())
}

// withFailure adds to the error of a stop the failure of a critical worker, if there was one.
func (a *App) withFailure(err error) error {
	if failure := a.failure.Load(); failure != nil {
		return errors.Join(failure, err)
	}
	return err
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// operation is a start or a stop under way; others may wait for it. What is not a channel is written under App.mu, before the machine shows it.
type operation struct {
	interrupt context.CancelCauseFunc // of a start
	budget    *budget                 // of a stop or a roll-back, from the moment that the machine is stopping
	options   stopOptions
	delay     time.Duration // of a stop: between the end of readiness and the rest
	done      chan struct{}
	err       error   // of a start; valid once done is closed
	receipt   Receipt // of a stop or a roll-back; valid once done is closed
}

var errStoppedWhileStarting = errors.New("stop was asked for during the start")

// Start brings the application up and returns when everything runs. ctx bounds the start only. Start on a running application does nothing; during
// another Start it waits for that one; while stopping it is a *StateError. A failure is a *StartError, and what had started is stopped again.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	switch state := a.machine.State(); state {
	case Running:
		a.mu.Unlock()
		return nil
	case Starting:
		op := a.op
		a.mu.Unlock()
		select {
		case <-op.done:
			return op.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case Stopping:
		a.mu.Unlock()
		return &StateError{Op: "start", State: state, Allowed: []State{Stopped}}
	case Stopped:
	}
	ctx, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	op := &operation{interrupt: interrupt, done: make(chan struct{})}
	a.op, a.over = op, make(chan struct{})
	a.failure.Store(nil)
	a.fire(EventStart, nil)
	a.mu.Unlock()

	began := time.Now()
	up, err := a.bringUp(ctx)
	switch {
	case err == nil:
		err = a.commit()
	case errors.Is(context.Cause(ctx), errStoppedWhileStarting) && !errors.Is(err, errStoppedWhileStarting):
		err = fmt.Errorf("%w: %w", errStoppedWhileStarting, err) // whose own words are often just "context canceled"
	}
	if op.err = err; err != nil {
		a.rollBack(ctx, op, up, err)
	} else {
		a.log.Info("started", "application", a.name, "workers", len(a.reg.workers), "took", time.Since(began).Round(time.Millisecond))
	}
	close(op.done)
	return err
}

// commit moves to running, unless a Stop came first.
func (a *App) commit() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.machine.State() != Starting {
		return errStoppedWhileStarting
	}
	now := time.Now()
	a.startedAt.Store(&now)
	a.fire(EventStarted, nil)
	return nil
}

// parts are what has been started, in the order of the start, and so what is to be stopped.
type parts struct {
	queues    []*boundQueue
	resources []*resource
	checks    bool
	channels  bool
	workers   []*supervised
}

func (a *App) allParts() parts {
	return parts{queues: a.reg.queues, resources: a.reg.startResources, checks: true, channels: true, workers: a.reg.startWorkers}
}

// bringUp starts everything in order. up is what has started, also when the start failed in the middle.
func (a *App) bringUp(ctx context.Context) (up parts, err error) {
	for _, b := range a.reg.queues {
		if err := a.within(ctx, "queue", b.handle.Name(), func(ctx context.Context) error { return b.open(ctx, a) }); err != nil {
			return up, err
		}
		up.queues = append(up.queues, b)
	}
	for _, res := range a.reg.startResources {
		if err := a.within(ctx, "resource", res.name, func(ctx context.Context) error { return res.open(ctx, a.log) }); err != nil {
			return up, err
		}
		up.resources = append(up.resources, res)
	}
	if err := a.within(ctx, "health", "checks", a.health.Start); err != nil {
		return up, err
	}
	up.checks = true
	if up.channels, err = a.startChannels(ctx); err != nil {
		return up, err
	}
	for _, s := range a.reg.startWorkers {
		if err := s.begin(ctx); err != nil {
			return up, &StartError{"worker", s.w.Name(), err}
		}
		up.workers = append(up.workers, s)
	}
	a.beginWatch()
	return up, nil
}

// within runs one step of the start under the start timeout.
func (a *App) within(ctx context.Context, kind, name string, step func(context.Context) error) error {
	if ctx.Err() != nil { // do not begin what is to be undone at once
		return &StartError{kind, name, context.Cause(ctx)}
	}
	limit := a.platform.Load().Start.Timeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("start timeout of %s", limit))
	defer cancel()
	if err := step(ctx); err != nil {
		return &StartError{kind, name, err}
	}
	return nil
}

// startChannels starts the control channels, unless they are up from before: KeepChannels left them so, and a failed start does not take them away.
// started says whether there is something to undo.
func (a *App) startChannels(ctx context.Context) (started bool, err error) {
	if len(a.channels) == 0 {
		return false, nil
	}
	select {
	case a.channelTurn <- struct{}{}:
	case <-ctx.Done():
		return false, &StartError{"control channel", a.channels[0].Name(), context.Cause(ctx)}
	}
	defer func() { <-a.channelTurn }()
	if len(a.up) > 0 {
		return false, nil
	}
	for _, c := range a.channels {
		if err := a.within(ctx, "control channel", c.Name(), func(ctx context.Context) error { return a.startChannel(ctx, c) }); err != nil {
			return true, err
		}
		a.up = append(a.up, c)
	}
	return true, nil
}

// startChannel starts one channel. One that comes up after nobody waits for it any more is stopped again.
func (a *App) startChannel(ctx context.Context, c Channel) error {
	start := func(ctx context.Context) (struct{}, error) { return struct{}{}, c.Start(ctx, a) }
	late := func(_ struct{}, err error) {
		a.log.Warn("an abandoned start has returned", "channel", c.Name(), "error", err)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), forceGrace)
			defer cancel()
			_ = a.stopChannel(ctx, c)
		}
	}
	return call(ctx, a.log, fmt.Sprintf("start of control channel %q", c.Name()), start, late).err
}

func (a *App) stopChannel(ctx context.Context, c Channel) error {
	if err := do(ctx, a.log, fmt.Sprintf("stop of control channel %q", c.Name()), c.Stop); err != nil {
		return fmt.Errorf("control channel %q: %w", c.Name(), err)
	}
	return nil
}

// rollBack takes a failed or interrupted start down again, in reverse. ctx is that of the start.
func (a *App) rollBack(ctx context.Context, op *operation, up parts, cause error) {
	a.mu.Lock()
	if a.machine.State() == Starting {
		op.budget = newBudget(context.Background(), a.platform.Load().Shutdown.Timeout, false)
		a.fire(EventFail, cause)
		if errors.Is(ctx.Err(), context.Canceled) {
			op.options.reason = "the start was interrupted: " + context.Cause(ctx).Error()
			a.log.Info("start interrupted", "application", a.name, "error", cause)
		} else {
			op.options.reason = "the start failed"
			a.log.Error("start failed", "application", a.name, "error", cause)
		}
	} else { // a Stop moved the machine, brought its budget and waits for us
		up.channels = true
		a.log.Info("start interrupted", "application", a.name, "error", cause)
	}
	a.mu.Unlock()
	a.takeDown(op, up, true)
}

// fire moves the machine; the callers hold mu and know that the move is allowed.
func (a *App) fire(ev Event, cause error) {
	if err := a.machine.Fire(ev, cause); err != nil {
		a.log.Error("runtime machine", "error", err)
	}
}

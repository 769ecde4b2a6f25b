package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Stop takes the application down within one budget: ctx's deadline, else platform.shutdown.timeout. Readiness ends at once; everything else goes on for
// platform.shutdown.delay (default 0), which is part of the budget. When ctx is cancelled before, or Force is given, the
// stop is forced at once. During another Stop it waits for that one and gives the same receipt; with Force it forces it. During a Start it interrupts the
// start. On a stopped application it stops what KeepChannels left and gives the receipt of the last stop again.
//
// Called from inside a handler it waits for that handler too, so it lasts until the budget is used up and the handler is abandoned; RequestStop is the
// call for that place.
//
// The error is ErrNotClean when the receipt is not clean, or why ctx ended when that was before the end of another Stop.
func (a *App) Stop(ctx context.Context, opts ...StopOption) (Receipt, error) {
	var o stopOptions
	for _, opt := range opts {
		opt.stop(&o)
	}
	a.mu.Lock()
	switch a.machine.State() {
	case Stopped:
		a.mu.Unlock()
		return a.stopAgain(ctx, o)
	case Stopping:
		op := a.op
		a.mu.Unlock()
		return a.joinStop(ctx, op, o)
	case Starting:
		op := a.op
		a.beginStop(ctx, op, o, errStoppedWhileStarting)
		a.mu.Unlock()
		op.interrupt(errStoppedWhileStarting)
		<-op.done // the start that we interrupted takes down what it has begun, within our budget
		return op.receipt, op.receipt.err()
	case Running:
	}
	op := &operation{done: make(chan struct{})}
	a.op = op
	a.beginStop(ctx, op, o, reasonError(o.reason))
	op.delay = a.platform.Load().Shutdown.Delay // only what was ready has anybody who must learn that it is not any more
	a.mu.Unlock()
	a.takeDown(op, a.allParts(), false)
	close(op.done)
	return op.receipt, op.receipt.err()
}

// beginStop is called with mu held.
func (a *App) beginStop(ctx context.Context, op *operation, o stopOptions, cause error) {
	op.options = o
	op.budget = newBudget(ctx, a.platform.Load().Shutdown.Timeout, o.force)
	a.fire(EventStop, cause)
}

func reasonError(reason string) error {
	if reason == "" {
		return nil
	}
	return errors.New(reason)
}

// joinStop waits for a stop, or a roll-back, that is under way.
func (a *App) joinStop(ctx context.Context, op *operation, o stopOptions) (Receipt, error) {
	if o.force {
		op.budget.force(errForce)
	}
	select {
	case <-op.done:
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("the stop under way has not ended: %w", context.Cause(ctx))
	}
	return a.dropChannels(ctx, op.receipt, o)
}

// stopAgain is Stop on a stopped application.
func (a *App) stopAgain(ctx context.Context, o stopOptions) (Receipt, error) {
	rec := Receipt{Clean: true, Reason: o.reason, Workers: []WorkerReceipt{}}
	if last := a.lastReceipt.Load(); last != nil {
		rec = *last
	}
	return a.dropChannels(ctx, rec, o)
}

// dropChannels stops the channels that the stop of that receipt kept, if they are not to be kept any longer.
func (a *App) dropChannels(ctx context.Context, rec Receipt, o stopOptions) (Receipt, error) {
	if !o.keepChannels {
		b := newBudget(ctx, a.platform.Load().Shutdown.Timeout, o.force)
		defer b.release()
		if faults := a.stopChannels(b.closing, Stopped); len(faults) > 0 {
			rec.Faults = slices.Concat(rec.Faults, faults)
			rec.Clean = false
			a.lastReceipt.Store(&rec)
		}
	}
	return rec, rec.err()
}

// takeDown stops what is up, in reverse order of the start, and moves to stopped.
func (a *App) takeDown(op *operation, up parts, inTurn bool) {
	began := time.Now()
	b := op.budget
	defer b.release()
	a.endWatch()
	a.log.Info("stopping", "application", a.name, "reason", op.options.reason)
	if op.delay > 0 {
		a.log.Info("not ready any more; everything else goes on for a while", "application", a.name, "delay", op.delay)
		b.pause(op.delay)
	}
	rec := Receipt{Reason: op.options.reason}
	rec.Workers = a.stopWorkers(up.workers, b, inTurn)
	if up.channels && !op.options.keepChannels {
		rec.Faults = append(rec.Faults, a.stopChannels(b.closing, Stopping)...)
	}
	if up.checks {
		a.stopChecks(b.closing, &rec)
	}
	for _, res := range slices.Backward(up.resources) {
		if err := res.close(b.closing, a.log); err != nil {
			rec.fault(fmt.Errorf("resource %q: %w", res.name, err))
		}
	}
	for _, q := range slices.Backward(up.queues) {
		lost, err := q.close(b.closing, a)
		if lost > 0 {
			rec.Lost = append(rec.Lost, QueueLoss{q.handle.Name(), lost})
		}
		if err != nil {
			rec.fault(fmt.Errorf("queue %q: %w", q.handle.Name(), err))
		}
	}
	rec.settle(began)
	level := slog.LevelInfo
	if !rec.Clean {
		level = slog.LevelWarn
	}
	a.log.Log(context.Background(), level, "stopped", "application", a.name, "receipt", rec)
	a.halt(op, rec)
}

// halt ends a stop; nothing of it runs any more.
func (a *App) halt(op *operation, rec Receipt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	op.receipt = rec
	a.lastReceipt.Store(&rec)
	a.fire(EventHalt, nil)
	close(a.over)
}

// stopChecks ends the health checks. They are cancelled at once, so one that does not return soon never will: it must not use up the time of the rest.
func (a *App) stopChecks(closing context.Context, rec *Receipt) {
	ctx, cancel := context.WithTimeout(closing, answerGrace)
	defer cancel()
	rec.fault(a.health.Stop(ctx))
}

// stopChannels stops the control channels that are up, if the application is in the given state: a Start in the meantime keeps them.
func (a *App) stopChannels(closing context.Context, in State) (faults []string) {
	a.channelTurn <- struct{}{}
	defer func() { <-a.channelTurn }()
	if a.machine.State() != in {
		return nil
	}
	for _, c := range slices.Backward(a.up) {
		if err := a.stopChannel(closing, c); err != nil {
			faults = append(faults, err.Error())
		}
	}
	a.up = nil
	return faults
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/workers"
)

// ErrNoWorker says that the application has no worker of that name.
var ErrNoWorker = errors.New("there is no such worker")

var (
	errStoppedByOperator = errors.New("a stop of the worker was asked for")
	errStopping          = errors.New("the application is stopping")
)

// WorkerStopOption tunes App.StopWorker and App.RestartWorker.
type WorkerStopOption interface{ stopWorker(*stopOptions) }

// StartWorker starts one worker of a running application: one that was stopped, has ended, was given up, or waits for its restart. The supervisor counts its
// restarts anew. A worker that runs is left as it is. When the start fails the error says why, and the supervisor goes on trying as the restart policy says.
//
// The error is ErrNoWorker, a *StateError when the application is not running, a *workers.StateError while the worker is stopping, or that of the start. ctx
// bounds the start.
func (a *App) StartWorker(ctx context.Context, name string) error {
	s, err := a.worker(name)
	if err != nil {
		return err
	}
	cmd := newCommand(ctx, nil)
	defer cmd.cancel(nil)
	for other := s.take(cmd); other != nil; other = s.take(cmd) {
		if other.budget != nil {
			return &workers.StateError{Worker: name, Op: "start", State: workers.Stopping, Why: "an operator's stop is under way"}
		}
		if err := other.wait(ctx); err != nil {
			return err
		}
	}
	defer s.release(cmd)
	if err := a.mustRun("start", name); err != nil {
		return err
	}
	return s.startAnew(cmd.ctx)
}

// StopWorker stops one worker of a running application and keeps it stopped: what it has in flight finishes, what waits on its queue stays there, and neither the
// restart policy nor anything else but StartWorker, RestartWorker or a start of the application starts it again. Until then it is degraded. Its budget is ctx's deadline, else
// platform.shutdown.timeout; when ctx is cancelled before, or Force is given, the stop is forced at once. A worker that is stopped already is kept so. During
// another StopWorker it waits for that one and gives the same receipt; a start under way is interrupted.
//
// Workers that come after this one (After) are left as they are. Called from inside a handler of that worker it waits for that handler too. The error is ErrNoWorker, a *StateError when the application is not running, or
// ErrNotClean.
func (a *App) StopWorker(ctx context.Context, name string, opts ...WorkerStopOption) (WorkerReceipt, error) {
	s, err := a.worker(name)
	if err != nil {
		return WorkerReceipt{}, err
	}
	o := workerStopOptions(opts)
	cmd := newCommand(ctx, newBudget(ctx, a.platform.Load().Shutdown.Timeout, o.force))
	defer cmd.cancel(nil)
	defer cmd.budget.release()
	for other := s.take(cmd); other != nil; other = s.take(cmd) {
		other.cancel(errStoppedByOperator)
		if o.force && other.budget != nil {
			other.budget.force(errForce)
		}
		if err := other.wait(ctx); err != nil {
			return WorkerReceipt{}, err
		}
		if s.isHeld() && other.budget != nil {
			return other.receipt, other.receipt.err()
		}
	}
	defer s.release(cmd)
	if err := a.mustRun("stop", name); err != nil {
		return WorkerReceipt{}, err
	}
	s.stopAndHold(cmd, o.reason)
	return cmd.receipt, cmd.receipt.err()
}

// RestartWorker is StopWorker, then StartWorker. While the worker is being started or stopped by an operator it is a *workers.StateError. The start has its own
// time, platform.start.timeout. A stop of the worker or of the application that comes between leaves it stopped.
func (a *App) RestartWorker(ctx context.Context, name string, opts ...WorkerStopOption) (WorkerReceipt, error) {
	s, err := a.worker(name)
	if err != nil {
		return WorkerReceipt{}, err
	}
	o := workerStopOptions(opts)
	cmd := newCommand(context.WithoutCancel(ctx), newBudget(ctx, a.platform.Load().Shutdown.Timeout, o.force))
	defer cmd.cancel(nil)
	defer cmd.budget.release()
	if s.take(cmd) != nil {
		return WorkerReceipt{}, &workers.StateError{Worker: name, Op: "restart", State: s.w.Status().State, Why: "an operator's start or stop is under way"}
	}
	defer s.release(cmd)
	if err := a.mustRun("restart", name); err != nil {
		return WorkerReceipt{}, err
	}
	s.stopAndHold(cmd, o.reason)
	return cmd.receipt, errors.Join(cmd.receipt.err(), s.startAnew(cmd.ctx))
}

// PauseWorker holds back the intake of a worker that is a workers.Pauser; it does not need to run. The error is ErrNoWorker, or wraps errors.ErrUnsupported.
func (a *App) PauseWorker(name string) error {
	return onWorker(a, name, "be paused", func(p workers.Pauser) error { p.Pause(); return nil })
}

// ResumeWorker ends what PauseWorker began. The error is ErrNoWorker, or wraps errors.ErrUnsupported.
func (a *App) ResumeWorker(name string) error {
	return onWorker(a, name, "be resumed", func(p workers.Pauser) error { p.Resume(); return nil })
}

// ScaleWorker changes the concurrency of a worker that is a workers.Scaler; it does not need to run. The error is ErrNoWorker, wraps errors.ErrUnsupported, or
// says what is wrong with n.
func (a *App) ScaleWorker(name string, n int) error {
	return onWorker(a, name, "be scaled", func(s workers.Scaler) error { return s.Scale(n) })
}

func onWorker[Able any](a *App, name, what string, do func(Able) error) error {
	s, err := a.worker(name)
	if err != nil {
		return err
	}
	able, ok := s.w.(Able)
	if !ok {
		return fmt.Errorf("worker %q (%s) cannot %s: %w", name, s.w.Status().Kind, what, errors.ErrUnsupported)
	}
	return do(able)
}

func (a *App) worker(name string) (*supervised, error) {
	for _, s := range a.reg.workers {
		if s.w.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("worker %q: %w", name, ErrNoWorker)
}

func (a *App) mustRun(op, name string) error {
	if state := a.machine.State(); state != Running {
		return &StateError{Op: fmt.Sprintf("%s worker %q", op, name), State: state, Allowed: []State{Running}}
	}
	return nil
}

func workerStopOptions(opts []WorkerStopOption) (o stopOptions) {
	for _, opt := range opts {
		opt.stopWorker(&o)
	}
	return o
}

// command is an operator's start or stop of one worker, under way. A worker has one at a time; the application's own stop ends it before its own begins.
type command struct {
	ctx     context.Context // of the start
	cancel  context.CancelCauseFunc
	budget  *budget       // of the stop; nil when there is none in it
	over    chan struct{} // closed when it has ended
	receipt WorkerReceipt // of the stop; valid once over is closed
}

func newCommand(start context.Context, b *budget) *command {
	cmd := &command{budget: b, over: make(chan struct{})}
	cmd.ctx, cmd.cancel = context.WithCancelCause(start)
	return cmd
}

func (cmd *command) wait(ctx context.Context) error {
	select {
	case <-cmd.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the operation under way has not ended: %w", context.Cause(ctx))
	}
}

// take makes cmd the worker's command, unless another one is under way, which is then returned.
func (s *supervised) take(cmd *command) (other *command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		s.cmd = cmd
		return nil
	}
	return s.cmd
}

func (s *supervised) release(cmd *command) {
	s.mu.Lock()
	s.cmd = nil
	s.mu.Unlock()
	close(cmd.over)
}

// displace ends the command under way for the sake of the application's stop with that budget, and gives it. The machine is stopping by now, so no other one
// follows it.
func (s *supervised) displace(b *budget) *command {
	s.mu.Lock()
	cmd := s.cmd
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	cmd.cancel(errStopping)
	if cmd.budget != nil {
		defer cmd.budget.yieldTo(b)()
	}
	<-cmd.over
	return cmd
}

// startAnew starts the worker if it does not run, and supervises it.
func (s *supervised) startAnew(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.isWatched() && !isOver(s.w) {
		return nil // it runs, or the supervisor is starting it right now
	}
	s.endWatch()
	s.app.log.Info("worker is started by an operator", "worker", s.w.Name())
	err := s.start(ctx)
	s.supervise(ctx, err) // also when it was interrupted: whoever stops it takes it from here
	return err
}

// stopAndHold stops the worker for the command and keeps it from being started again.
func (s *supervised) stopAndHold(cmd *command, reason string) {
	began := time.Now()
	s.app.log.Info("worker is stopped by an operator", "worker", s.w.Name(), "reason", reason)
	s.endWatch()
	s.hold(reason)
	cmd.receipt = s.stopWorker(cmd.budget.soft, cmd.budget.hard)
	cmd.receipt.TookSeconds = time.Since(began).Seconds()
}

func (s *supervised) hold(reason string) {
	held := "stopped by an operator"
	if reason != "" {
		held += ": " + reason
	}
	s.note(time.Time{}, nil, false)
	s.setHeld(held)
}

func (s *supervised) setHeld(why string) {
	s.mu.Lock()
	s.held = why
	s.mu.Unlock()
	s.app.health.Look()
}

func (s *supervised) isHeld() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held != ""
}

func (s *supervised) isWatched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quit != nil
}

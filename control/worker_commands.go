package control

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// WorkerRequest says what is asked of one worker.
type WorkerRequest struct {
	Name    string
	Mode    StopMode      // of a stop or restart; "" is Graceful
	Timeout time.Duration // of the stop, at most 24 h; 0 takes platform.shutdown.timeout
	Reason  string        // for the log and the receipt; printable, at most 200 characters
}

func (r *WorkerRequest) validate() error {
	stop := StopRequest{Mode: r.Mode, Timeout: r.Timeout, Reason: r.Reason}
	err := stop.validate()
	r.Mode = stop.Mode
	return err
}

// What is asked of workers.
const (
	askedStartWorker   = "startWorker"
	askedStopWorker    = "stopWorker"
	askedRestartWorker = "restartWorker"
	askedPauseWorker   = "pauseWorker"
	askedResumeWorker  = "resumeWorker"
	askedScaleWorker   = "scaleWorker"
)

// maxConcurrency bounds what ScaleWorker accepts.
const maxConcurrency = 10_000

// StartWorker starts a worker that is stopped, in the background, whatever stopped it. It is a conflict while the runtime does not run and while the worker does.
func (s *Service) StartWorker(by string, req WorkerRequest) (Operation, error) {
	w, err := s.commandable(&req, "start")
	if err != nil {
		return Operation{}, err
	}
	if w.State != workers.Stopped {
		return Operation{}, &Error{
			Kind: ErrConflict, State: string(w.State), Allowed: []string{string(workers.Stopped)},
			Detail: fmt.Sprintf("worker %q is %s; it can be started when it is stopped", w.Name, w.State),
		}
	}
	o := Operation{Asked: askedStartWorker, Target: req.Name, By: by, Reason: req.Reason}
	return s.launch(o, s.soon(req.Name, func(now workers.State) bool { return now != workers.Stopped }), func(ctx context.Context) (func(*Operation), error) {
		return nil, s.app.StartWorker(ctx, req.Name)
	})
}

// StopWorker stops a worker, in the background, and keeps it stopped until it or the runtime is started. It is a conflict while the runtime does not run, for a
// worker that is stopped and is not about to be restarted, and for one that is stopping unless the mode is Forced.
func (s *Service) StopWorker(by string, req WorkerRequest) (Operation, error) {
	w, err := s.commandable(&req, "stop")
	if err != nil {
		return Operation{}, err
	}
	stopped := w.State == workers.Stopped && w.NextRestart.IsZero()
	if stopped || w.State == workers.Stopping && req.Mode != Forced {
		e := &Error{
			Kind: ErrConflict, State: string(w.State), Allowed: []string{string(workers.Starting), string(workers.Idle), string(workers.Busy)},
			Detail: fmt.Sprintf("worker %q is %s already", w.Name, w.State),
		}
		if !stopped {
			e.Detail += "; mode force cancels the work that it waits for"
			e.Allowed = append(e.Allowed, "stopping with mode force")
		}
		return Operation{}, e
	}
	return s.stopWorker(askedStopWorker, by, req, s.app.StopWorker)
}

// RestartWorker stops a worker, if it is not stopped, and starts it, in the background. It is a conflict while the runtime does not run and while the worker starts
// or stops.
func (s *Service) RestartWorker(by string, req WorkerRequest) (Operation, error) {
	w, err := s.commandable(&req, "restart")
	if err != nil {
		return Operation{}, err
	}
	if w.State == workers.Starting || w.State == workers.Stopping {
		return Operation{}, &Error{
			Kind: ErrConflict, State: string(w.State), Allowed: []string{string(workers.Idle), string(workers.Busy), string(workers.Stopped)},
			Detail: fmt.Sprintf("worker %q is %s; it can be restarted when that is over", w.Name, w.State),
		}
	}
	return s.stopWorker(askedRestartWorker, by, req, s.app.RestartWorker)
}

type stopsWorker func(context.Context, string, ...runtime.WorkerStopOption) (runtime.WorkerReceipt, error)

func (s *Service) stopWorker(asked, by string, req WorkerRequest, stop stopsWorker) (Operation, error) {
	o := Operation{Asked: asked, Target: req.Name, By: by, Reason: req.Reason, Mode: req.Mode, TimeoutSeconds: req.Timeout.Seconds()}
	opts := []runtime.WorkerStopOption{runtime.Reason(o.why())}
	if req.Mode == Forced {
		opts = append(opts, runtime.Force())
	}
	began := s.soon(req.Name, func(now workers.State) bool { return now != workers.Idle && now != workers.Busy })
	return s.launch(o, began, func(ctx context.Context) (func(*Operation), error) {
		if req.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, req.Timeout)
			defer cancel()
		}
		rec, err := stop(ctx, req.Name, opts...)
		if rec.Name == "" { // refused: somebody else was quicker
			return nil, err
		}
		return func(o *Operation) { o.WorkerReceipt = &rec }, err
	})
}

// commandable finds a worker that can be started and stopped, because the runtime runs.
func (s *Service) commandable(req *WorkerRequest, what string) (workers.Status, error) {
	if err := req.validate(); err != nil {
		return workers.Status{}, err
	}
	w, ok := s.app.Worker(req.Name)
	if !ok {
		return workers.Status{}, noSuch("worker", req.Name, s.app.WorkerNames())
	}
	if state := s.app.Status().State; state != workers.Idle && state != workers.Busy {
		return workers.Status{}, &Error{
			Kind: ErrConflict, State: string(state), Allowed: []string{string(workers.Idle), string(workers.Busy)},
			Detail: fmt.Sprintf("the runtime is %s; a worker can %s while it runs", state, what),
		}
	}
	return w.Status, nil
}

// soon is whether the worker shows what was asked of it, or a tenth of a second has passed: another operation on it may be in the way.
func (s *Service) soon(name string, shows func(workers.State) bool) func() bool {
	began := time.Now()
	return func() bool {
		w, _ := s.app.Worker(name)
		return shows(w.State) || time.Since(began) >= 100*time.Millisecond
	}
}

// PauseWorker holds back the intake of a worker; what is in flight finishes. It is a conflict for a kind of worker that has no intake to hold back. Pausing a
// paused one changes nothing.
func (s *Service) PauseWorker(by string, req WorkerRequest) (Operation, error) {
	return atOnce(s, Operation{Asked: askedPauseWorker, Target: req.Name, By: by, Reason: req.Reason}, func(workers.Pauser) error { return s.app.PauseWorker(req.Name) })
}

// ResumeWorker ends what PauseWorker began.
func (s *Service) ResumeWorker(by string, req WorkerRequest) (Operation, error) {
	return atOnce(s, Operation{Asked: askedResumeWorker, Target: req.Name, By: by, Reason: req.Reason}, func(workers.Pauser) error { return s.app.ResumeWorker(req.Name) })
}

// ScaleWorker changes how much a worker works on at once, 1 to 10,000, until the process ends. It is a conflict for a kind of worker that does one thing at a time.
func (s *Service) ScaleWorker(by string, req WorkerRequest, concurrency int) (Operation, error) {
	if concurrency < 1 || concurrency > maxConcurrency {
		return Operation{}, invalid("concurrency", fmt.Sprintf("concurrency must be 1 to %d, not %d", maxConcurrency, concurrency))
	}
	o := Operation{Asked: askedScaleWorker, Target: req.Name, By: by, Reason: req.Reason, Concurrency: concurrency}
	return atOnce(s, o, func(workers.Scaler) error { return s.app.ScaleWorker(req.Name, concurrency) })
}

// atOnce does what takes no time to a worker that is Able.
func atOnce[Able any](s *Service, o Operation, do func(Able) error) (Operation, error) {
	if err := validateReason(o.Reason); err != nil {
		return Operation{}, err
	}
	w, ok := s.app.WorkerHandle(o.Target)
	if !ok {
		return Operation{}, noSuch("worker", o.Target, s.app.WorkerNames())
	}
	able, ok := w.(Able)
	if !ok {
		kind := w.Status().Kind
		return Operation{}, &Error{Kind: ErrConflict, State: kind, Detail: fmt.Sprintf("worker %q is of the kind %q, of which this cannot be asked", o.Target, kind)}
	}
	u, err := s.accept(o)
	if err != nil {
		return Operation{}, err
	}
	return s.ended(u, do(able), nil), nil
}

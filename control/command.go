package control

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// StopMode says what a stop does with work in flight.
type StopMode string

// The modes of a stop.
const (
	Graceful StopMode = "graceful" // waits for it, within the budget
	Forced   StopMode = "force"    // cancels it at once
)

// StopRequest says how to stop.
type StopRequest struct {
	Mode    StopMode      // "" is Graceful
	Timeout time.Duration // the budget, at most 24 h; 0 takes platform.shutdown.timeout
	Reason  string        // for the log and the receipt; printable, at most 200 characters
	Exit    bool          // the process ends too
}

// The bounds of a StopRequest.
const (
	maxTimeout = 24 * time.Hour
	maxReason  = 200
)

func (r *StopRequest) validate() error {
	if r.Mode == "" {
		r.Mode = Graceful
	}
	switch {
	case r.Mode != Graceful && r.Mode != Forced:
		return invalid("mode", "mode must be graceful or force")
	case r.Timeout < 0 || r.Timeout > maxTimeout:
		return invalid("timeout", fmt.Sprintf("timeout must be more than 0s and at most %s", maxTimeout))
	case r.Exit && (r.Mode == Forced || r.Timeout > 0):
		return invalid("exit", "a stop with exit has the configured budget and takes neither mode force nor a timeout: stop without exit first, then with it")
	}
	return validateReason(r.Reason)
}

func validateReason(reason string) error {
	if len([]rune(reason)) > maxReason || !isPrintable(reason) {
		return invalid("reason", fmt.Sprintf("reason must be printable text of at most %d characters", maxReason))
	}
	return nil
}

// What is asked of the runtime.
const (
	askedStart = "startRuntime"
	askedStop  = "stopRuntime"
)

// Start brings a stopped runtime up, in the background. In any other state it is a conflict. by names who asks, reason may be empty.
func (s *Service) Start(by, reason string) (Operation, error) {
	if err := validateReason(reason); err != nil {
		return Operation{}, err
	}
	s.commands.Lock()
	defer s.commands.Unlock()
	if state := s.app.Status().State; state != workers.Stopped {
		return Operation{}, &Error{
			Kind: ErrConflict, State: string(state), Allowed: []string{string(workers.Stopped)},
			Detail: fmt.Sprintf("the runtime is %s; it can be started when it is stopped", state),
		}
	}
	began := func() bool { return s.app.Status().State != workers.Stopped }
	return s.launch(Operation{Asked: askedStart, By: by, Reason: reason}, began, func(ctx context.Context) (func(*Operation), error) {
		return nil, s.app.Start(ctx)
	})
}

// Stop takes the runtime down, in the background; the process and the control channels stay, so that Start can follow. While it stops already, only
// Forced applies, and forces that stop. by names who asks.
//
// A stop with Exit applies in every state, and interrupts a start. It asks the process' Run for its own stop, with the configured budget, and so takes neither Forced nor a
// Timeout; in an application that is embedded without Run it has no effect.
func (s *Service) Stop(by string, req StopRequest) (Operation, error) {
	if err := req.validate(); err != nil {
		return Operation{}, err
	}
	s.commands.Lock()
	defer s.commands.Unlock()
	o := Operation{Asked: askedStop, By: by, Reason: req.Reason, Mode: req.Mode, TimeoutSeconds: req.Timeout.Seconds(), Exit: req.Exit}
	if req.Exit {
		return s.exit(o)
	}
	state := s.app.Status().State
	if state == workers.Stopped || state == workers.Stopping && req.Mode != Forced {
		return Operation{}, cannotStop(state)
	}
	began := func() bool {
		state := s.app.Status().State
		return state == workers.Stopping || state == workers.Stopped
	}
	return s.launch(o, began, func(ctx context.Context) (func(*Operation), error) { return s.stop(ctx, o, req.Timeout) })
}

func (s *Service) stop(ctx context.Context, o Operation, budget time.Duration) (func(*Operation), error) {
	opts := []runtime.StopOption{runtime.KeepChannels(), runtime.Reason(o.why())}
	if o.Mode == Forced {
		opts = append(opts, runtime.Force())
	}
	if budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, budget)
		defer cancel()
	}
	rec, err := s.app.Stop(ctx, opts...)
	return func(o *Operation) { o.Receipt = wholeReceipt(&rec) }, err
}

func cannotStop(state workers.State) *Error {
	e := &Error{Kind: ErrConflict, State: string(state), Allowed: []string{string(workers.Starting), string(workers.Idle), string(workers.Busy)}}
	if state == workers.Stopping {
		e.Detail = "the runtime is stopping already; mode force cancels the work that it waits for"
		e.Allowed = append(e.Allowed, "stopping with mode force")
	} else {
		e.Detail = "the runtime is stopped already; with exit the process ends too"
	}
	return e
}

// exit asks for the end of the process and does not wait for it: the channel that carries the answer is stopped on the way. Run looks for such requests
// once its start is over, so a start that is under way is interrupted.
func (s *Service) exit(o Operation) (Operation, error) {
	interrupt := s.app.Status().State == workers.Starting
	u, err := s.accept(o)
	if err != nil {
		return Operation{}, err
	}
	s.app.RequestStop(o.why())
	if !interrupt {
		return s.ended(u, nil, nil), nil
	}
	go func() {
		more, err := s.stop(s.life(), o, 0)
		s.ended(u, err, more)
	}()
	return s.now(u), nil
}

// launch runs f in the background and returns when the application shows it, so that the next command sees it too. f gives what more is to be said of the
// operation when it has ended.
func (s *Service) launch(o Operation, began func() bool, f func(context.Context) (func(*Operation), error)) (Operation, error) {
	u, err := s.accept(o)
	if err != nil {
		return Operation{}, err
	}
	ctx := s.life()
	go func() {
		more, err := f(ctx)
		s.ended(u, err, more)
	}()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !began() {
		select {
		case <-u.done:
			return s.now(u), nil
		case <-look.C:
		}
	}
	return s.now(u), nil
}

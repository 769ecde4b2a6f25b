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
	invalid := func(field, format string, args ...any) error {
		return &Error{Kind: ErrInvalid, Field: field, Detail: fmt.Sprintf(format, args...)}
	}
	if r.Mode == "" {
		r.Mode = Graceful
	}
	switch {
	case r.Mode != Graceful && r.Mode != Forced:
		return invalid("mode", "mode must be graceful or force")
	case r.Timeout < 0 || r.Timeout > maxTimeout:
		return invalid("timeout", "timeout must be more than 0s and at most %s", maxTimeout)
	case len([]rune(r.Reason)) > maxReason || !isPrintable(r.Reason):
		return invalid("reason", "reason must be printable text of at most %d characters", maxReason)
	case r.Exit && (r.Mode == Forced || r.Timeout > 0):
		return invalid("exit", "a stop with exit has the configured budget and takes neither mode force nor a timeout: stop without exit first, then with it")
	}
	return nil
}

// Start brings a stopped runtime up, in the background. In any other state it is a conflict. by names who asks.
func (s *Service) Start(by string) (Accepted, error) {
	s.commands.Lock()
	defer s.commands.Unlock()
	if state := s.app.Status().State; state != workers.Stopped {
		return Accepted{}, &Error{
			Kind: ErrConflict, State: string(state), Allowed: []string{string(workers.Stopped)},
			Detail: fmt.Sprintf("the runtime is %s; it can be started when it is stopped", state),
		}
	}
	began := func(state workers.State) bool { return state != workers.Stopped }
	return s.launch(Command{Asked: askedStart, By: by}, began, s.app.Start)
}

// Stop takes the runtime down, in the background; the process and the control channels stay, so that Start can follow. While it stops already, only
// Forced applies, and forces that stop. by names who asks.
//
// A stop with Exit applies in every state, and interrupts a start. It asks the process' Run for its own stop, with the configured budget, and so takes neither Forced nor a
// Timeout; in an application that is embedded without Run it has no effect.
func (s *Service) Stop(by string, req StopRequest) (Accepted, error) {
	if err := req.validate(); err != nil {
		return Accepted{}, err
	}
	s.commands.Lock()
	defer s.commands.Unlock()
	c := Command{Asked: askedStop, By: by, Reason: req.Reason, Mode: req.Mode, TimeoutSeconds: req.Timeout.Seconds(), Exit: req.Exit}
	if req.Exit {
		return s.exit(c)
	}
	state := s.app.Status().State
	if state == workers.Stopped || state == workers.Stopping && req.Mode != Forced {
		return Accepted{}, cannotStop(state)
	}
	began := func(state workers.State) bool { return state == workers.Stopping || state == workers.Stopped }
	return s.launch(c, began, func(ctx context.Context) error { return s.stop(ctx, c, req.Timeout) })
}

func (s *Service) stop(ctx context.Context, c Command, budget time.Duration) error {
	opts := []runtime.StopOption{runtime.KeepChannels(), runtime.Reason(c.why())}
	if c.Mode == Forced {
		opts = append(opts, runtime.Force())
	}
	if budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, budget)
		defer cancel()
	}
	_, err := s.app.Stop(ctx, opts...)
	return err
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
func (s *Service) exit(c Command) (Accepted, error) {
	interrupt := s.app.Status().State == workers.Starting
	u, err := s.accept(c)
	if err != nil {
		return Accepted{}, err
	}
	s.app.RequestStop(c.why())
	if interrupt {
		go func() { s.ended(u, s.stop(s.ctx, c, 0)) }()
	} else {
		s.ended(u, nil)
	}
	return s.accepted(u), nil
}

// launch runs f in the background and returns when the runtime shows it. The caller holds commands, so that the next command sees that too.
func (s *Service) launch(c Command, began func(workers.State) bool, f func(context.Context) error) (Accepted, error) {
	u, err := s.accept(c)
	if err != nil {
		return Accepted{}, err
	}
	go func() { s.ended(u, f(s.ctx)) }()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !began(s.app.Status().State) {
		select {
		case <-u.done:
			return s.accepted(u), nil
		case <-look.C:
		}
	}
	return s.accepted(u), nil
}

package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"runtime/debug"
)

// Request is an operation as channels hand it over that know nothing of its types.
type Request struct {
	Operation string          // its ID: getWorker, stopRuntime …
	Input     json.RawMessage // one JSON object: the parameters by their names, and the fields of the body beside them; may be empty
	Who       Principal       // who asks, as the channel, or Authenticate, has found out
	Channel   string          // the channel's name, for the audit
	From      netip.Addr      // where it comes from, for the audit; may be zero
}

func (r *Request) caller() *caller {
	return &caller{Principal: r.Who, channel: r.Channel, from: r.From}
}

// Descriptor is an operation that Call or Watch can be asked for.
type Descriptor struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
	Access  Access `json:"access"`
	Streams bool   `json:"streams"` // it is for Watch
}

// Catalogue lists the operations, in the order of the document.
func (s *Service) Catalogue() []Descriptor {
	var list []Descriptor
	for _, e := range s.entries {
		if e.call != nil || e.watch != nil {
			list = append(list, Descriptor{e.id, e.summary, e.access, e.watch != nil})
		}
	}
	return list
}

// Authenticate finds out whose credentials they are; without any it is nobody, and no error. With a valid from, wrong tokens use up the tries of that address. The
// error says why nobody is admitted.
func (s *Service) Authenticate(ctx context.Context, c Credentials, from netip.Addr) (Principal, error) {
	who, err := s.auth.identify(ctx, c, from)
	var e *Error
	if err == nil || errors.As(err, &e) {
		return who, err
	}
	if tries := (*tooManyTries)(nil); errors.As(err, &tries) {
		return who, &Error{Kind: ErrTooMany, Detail: tries.Error() + "; wait before the next one"}
	}
	s.app.Logger().Error("it cannot be found out who asks", "error", err)
	return who, &Error{Kind: ErrUnavailable, Detail: "it cannot be found out who asks; the log of the application says why"}
}

// Call does what is asked, if who asks may, and gives its result, which can be put into JSON. What is asked is in the audit as it would be over HTTP. The error is
// an *Error; what fails is in the log.
func (s *Service) Call(ctx context.Context, r Request) (any, error) {
	return s.admit(ctx, r, func(e entry) bool { return e.call != nil }, func(ctx context.Context, e entry) (any, error) { return e.call(ctx, s, r.Input) })
}

// Watch is Call for operations that answer with a stream of events.
func (s *Service) Watch(ctx context.Context, r Request) (*Subscription, error) {
	v, err := s.admit(ctx, r, func(e entry) bool { return e.watch != nil }, func(_ context.Context, e entry) (any, error) { return e.watch(s, r.Input) })
	sub, _ := v.(*Subscription)
	return sub, err
}

func (s *Service) admit(ctx context.Context, r Request, has func(entry) bool, do func(context.Context, entry) (any, error)) (v any, err error) {
	e, ok := s.entry(r.Operation)
	if !ok || !has(e) {
		return nil, noSuch("operation", r.Operation, nil)
	}
	c := r.caller()
	who, err := s.auth.decide(c.Principal, e.access, false)
	if err != nil {
		s.audit.denied(c, e.id, err.Error())
		return nil, err
	}
	c.Principal = who
	defer func() {
		if p := recover(); p != nil {
			s.app.Logger().Error("control operation panicked", "operation", e.id, "panic", p, "stack", string(debug.Stack()))
			v, err = nil, errFailed
		}
		err = s.judge(e, c, err)
	}()
	return do(withCaller(ctx, c), e)
}

// errFailed is all that is told of a failure of our own.
var errFailed = &Error{Kind: ErrUnavailable, Detail: "the operation failed; the log of the application says why"}

// judge puts what the operation itself has not put into the audit, and hides what is not for the one who asks.
func (s *Service) judge(e entry, c *caller, err error) error {
	if e.changes() && !c.recorded {
		rec := recordOf(c, e.id)
		rec.Outcome, rec.Detail = outcomeOf(err)
		s.audit.add(rec)
	}
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	s.app.Logger().Error("control operation failed", "operation", e.id, "error", err)
	return errFailed
}

func (s *Service) entry(id string) (entry, bool) {
	for _, e := range s.entries {
		if e.id == id {
			return e, true
		}
	}
	return entry{}, false
}

package pipeline

import (
	"cmp"
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/task"
)

// run is what the stages of one run share.
type run struct {
	tracer  trace.Tracer // nil when nothing records
	journal *journal     // nil when no stage keeps its output
	party   *party       // nil when there are no slots, or no batches
}

// do implements Stage: it runs the stage and counts the run. What the task has done already it does not do again.
func (s *Step[In, Out]) do(at context.Context, r run, in *In, out *Out) error {
	if s.keep != nil {
		if found, err := s.restore(at, r, out); found || err != nil {
			return err
		}
	}
	start := s.meter.begin()
	err := s.perform(at, r, in, out)
	s.meter.end(start, err)
	return err
}

// perform runs the stage with everything that is around it:
//
//	kept > span > middleware > fallback > retry > (breaker > rate > limit > timeout > panic guard > body)
//
// Each of the functions below is one or two of these layers and calls the next. A stage that is only a function, in a run
// that nothing records, is called straight: that is the usual case, and takes little time and little of a new goroutine's
// first stack.
func (s *Step[In, Out]) perform(at context.Context, r run, in *In, out *Out) (err error) {
	if s.direct == nil || r.tracer != nil {
		return s.layered(at, r, in, out)
	}
	if *out, err = s.direct(at, *in); err != nil {
		*out = *new(Out)
		return refused(at, 1, err)
	}
	return nil
}

func (s *Step[In, Out]) layered(at context.Context, r run, in *In, out *Out) error {
	if s.keep == nil {
		return s.spanned(at, r, in, out)
	}
	return s.kept(at, r, in, out)
}

// spanned puts a span around the stage when something records.
func (s *Step[In, Out]) spanned(at context.Context, r run, in *In, out *Out) (err error) {
	n := 1
	switch {
	case r.tracer != nil:
		n, err = s.traced(at, r, in, out)
	case s.bare: // the usual case: a panic goes straight to the guard of the caller
		err = s.body.run(at, r, in, out)
	default:
		n, err = s.wrapped(at, r, in, out)
	}
	if err == nil {
		return nil
	}
	*out = *new(Out)
	return refused(at, n, err)
}

// refused is the error of a stage that ran n times.
func refused(at context.Context, n int, err error) error {
	noteDrop(at, err)
	return located(at, n, err)
}

// traced puts a span around the stage. The span is ended in any case: also when the stage ends its goroutine, and
// when its error panics on being asked what it means.
func (s *Step[In, Out]) traced(at context.Context, r run, in *In, out *Out) (n int, err error) {
	ctx, span := r.tracer.Start(at, s.n.name, s.span.of(at)...)
	n, err = 1, ErrGoexit
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
		s.show.on(span, in, out, err)
		endSpan(span, err)
	}()
	return s.wrapped(ctx, r, in, out)
}

// wrapped puts the middleware around the stage.
func (s *Step[In, Out]) wrapped(ctx context.Context, r run, in *In, out *Out) (n int, err error) {
	if len(s.middleware) == 0 {
		return s.answered(ctx, r, in, out)
	}
	return s.passed(ctx, r, in, out)
}

// passed is apart from wrapped because it allocates.
func (s *Step[In, Out]) passed(ctx context.Context, r run, in *In, out *Out) (n int, err error) {
	n = 1 // also when no middleware lets it through
	err = newPassage(&s.standing, func(ctx context.Context) (err error) {
		n, err = s.answered(ctx, r, in, out)
		return err
	}).through(ctx)
	return n, err
}

// answered asks the fallback when the stage has failed.
func (s *Step[In, Out]) answered(ctx context.Context, r run, in *In, out *Out) (n int, err error) {
	n, err = s.attempts(ctx, r, in, out)
	if err == nil || s.fallback == nil || ctx.Err() != nil {
		return n, err
	}
	if outcome, _ := task.Classify(err); outcome != task.Retry && outcome != task.Dead {
		return n, err
	}
	if r.tracer != nil {
		recordFallback(ctx, err)
	}
	if s.fallback.scope {
		if failed := r.undoScope(ctx, err); failed != nil {
			return n, failed
		}
	}
	return n, s.fallback.run(ctx, in, out, err)
}

// run gives the output in place of a stage that failed with err.
func (f *fallback[In, Out]) run(ctx context.Context, in *In, out *Out, err error) (own error) {
	defer func() {
		if v := recover(); v != nil {
			own = newPanicError(v)
		}
		if own != nil {
			own = &twofold{error: own, also: err, text: fmt.Sprintf("fallback: %v; after: %v", own, err)}
		}
	}()
	*out, own = f.give(ctx, *in, err)
	return own
}

// attempts runs the stage until it succeeds, may not be retried, or has been tried often enough.
func (s *Step[In, Out]) attempts(ctx context.Context, r run, in *In, out *Out) (n int, err error) {
	for n = 1; ; n++ {
		err = s.admitted(ctx, r, in, out)
		if err == nil {
			return n, nil
		}
		again, fault := s.policies.again(n, err)
		if fault != nil || !again {
			return n, cmp.Or(fault, err)
		}
		pause, fault := s.policies.retry.pause(n)
		if fault != nil {
			return n, fault
		}
		if !wait(ctx, pause) {
			return n, cutShort(ctx, err)
		}
		s.meter.retried.Add(1)
		if r.tracer != nil {
			recordRetry(ctx, n, pause, err)
		}
	}
}

// admitted runs the stage once breaker, rate and limit let it in.
func (s *Step[In, Out]) admitted(ctx context.Context, r run, in *In, out *Out) (err error) {
	p := &s.policies
	if p.breaker != nil {
		if err := p.breaker.enter(); err != nil {
			return err
		}
		err = ErrGoexit // unless the attempt returns
		defer func() { p.breaker.leave(ctx, err) }()
	}
	if p.rate != nil {
		if err := p.rate.wait(ctx); err != nil {
			return err
		}
	}
	if p.limit != nil {
		if err := p.limit.enter(ctx); err != nil {
			return err
		}
		defer p.limit.leave()
	}
	err = s.timed(ctx, r, in, out)
	if err != nil && p.permanentIf != nil {
		err = p.permanentIf.permanent(ctx, err)
	}
	return err
}

// timed runs the stage once, within its timeout.
func (s *Step[In, Out]) timed(ctx context.Context, r run, in *In, out *Out) error {
	if s.policies.timeout == nil {
		return s.call(ctx, r, in, out)
	}
	after := s.policies.timeout.after
	var late error = &TimeoutError{After: after}
	ctx, cancel := context.WithTimeoutCause(ctx, after, late)
	defer cancel()
	err := s.call(ctx, r, in, out)
	if context.Cause(ctx) != late || err == late {
		return err
	}
	if outcome, _ := task.Classify(err); outcome == task.Dropped {
		err = nil // a late decision to drop is a late result
	}
	return &TimeoutError{After: after, Err: err}
}

// call is the panic guard around the body: inside of the policies, so that an attempt that panics late is late.
func (s *Step[In, Out]) call(ctx context.Context, r run, in *In, out *Out) (err error) {
	defer guard(&err)
	return s.body.run(ctx, r, in, out)
}

package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/task"
)

// Step is the stage that the constructors return. Its policy methods return a changed copy; a policy that is
// set again is replaced. A Step is immutable and safe for concurrent use.
type Step[In, Out any] struct {
	n        *node
	body     body[In, Out]
	policies policies
	span     spanOptions
}

func newStep[In, Out any](n *node, b body[In, Out]) *Step[In, Out] {
	return &Step[In, Out]{n: n, body: b, span: spanOptionsFor("", n)}
}

// Retry runs the stage up to attempts times in all (1: no retry), with a pause in between: by default 100 ms,
// doubled up to 5 s, less a random part of up to half. The pause occupies the task's slot and ends with the
// context.
//
// Not retried: what says itself what is to become of the task (task.Permanent, task.Snooze, task.RetryAfter,
// task.Drop, and errors with Permanent or RetryAfter methods), a panic, and a cancelled run. On Sub and Each
// the whole of it is run again.
func (s *Step[In, Out]) Retry(attempts int, backoff ...Backoff) *Step[In, Out] {
	c := *s
	c.policies.retry = &retryPolicy{attempts, slices.Clone(backoff)}
	return &c
}

// Timeout ends the context of each attempt after d, with a *TimeoutError as its cause. It is cooperative: the
// attempt is waited for, and when it comes late its result is discarded and the error is a *TimeoutError.
func (s *Step[In, Out]) Timeout(d time.Duration) *Step[In, Out] {
	c := *s
	c.policies.timeout = &timeoutPolicy{d}
	return &c
}

// Run implements Stage.
func (s *Step[In, Out]) Run(ctx context.Context, in In) (out Out, err error) {
	if faults := allFaults(s.node()); len(faults) > 0 {
		return out, errors.New("pipeline: this stage cannot run: " + strings.Join(faults, "; "))
	}
	at := &cursor{ctx, s.n.name}
	defer func() {
		if v := recover(); v != nil {
			out, err = *new(Out), located(at, 1, newPanicError(v))
		}
	}()
	if ctx.Err() != nil {
		return out, located(at, 0, interrupted(ctx))
	}
	err = s.do(at, tracerOf(ctx), &in, &out)
	return out, err
}

func (s *Step[In, Out]) node() *node {
	if s == nil || s.n == nil {
		return nil
	}
	n := *s.n
	n.settings = append(slices.Clone(n.settings), s.policies.settings()...)
	n.faults = append(slices.Clone(n.faults), s.policies.faults()...)
	return &n
}

func (s *Step[In, Out]) place(pipeline string) placed {
	c := *s
	c.body = s.body.place(pipeline)
	c.span = spanOptionsFor(pipeline, s.n)
	return &c
}

func (s *Step[In, Out]) cell() cell { return new(value[Out]) }

func (s *Step[In, Out]) exec(at *cursor, tracer trace.Tracer, in, out cell) error {
	return s.do(at, tracer, &in.(*value[In]).v, &out.(*value[Out]).v)
}

func (s *Step[In, Out]) do(at *cursor, tracer trace.Tracer, in *In, out *Out) error {
	var err error
	n := 1
	switch {
	case tracer != nil:
		n, err = s.traced(at, tracer, in, out)
	case s.policies != (policies{}):
		n, err = s.attempts(at, nil, in, out)
	default: // the usual case: a panic goes straight to the guard of the caller
		err = s.body.run(at, nil, in, out)
	}
	if err == nil {
		return nil
	}
	*out = *new(Out)
	return located(at, n, err)
}

// traced is attempts under a span. The span is ended in any case: also when the stage ends its goroutine, and
// when its error panics on being asked what it means.
func (s *Step[In, Out]) traced(at *cursor, tracer trace.Tracer, in *In, out *Out) (n int, err error) {
	ctx, span := tracer.Start(at, s.n.name, s.span.of(at)...)
	n, err = 1, ErrGoexit
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
		endSpan(span, err)
	}()
	return s.attempts(ctx, tracer, in, out)
}

// attempts runs the stage until it succeeds, may not be retried, or has been tried often enough.
func (s *Step[In, Out]) attempts(ctx context.Context, tracer trace.Tracer, in *In, out *Out) (n int, err error) {
	retry := s.policies.retry
	for n = 1; ; n++ {
		err = s.attempt(ctx, tracer, in, out)
		if err == nil || retry == nil || n >= retry.attempts || !retryable(err) {
			return n, err
		}
		pause, fault := retry.pause(n)
		if fault != nil {
			return n, fault
		}
		if !wait(ctx, pause) {
			return n, cutShort(ctx, err)
		}
		if tracer != nil {
			recordRetry(ctx, n, pause, err)
		}
	}
}

// attempt runs the stage once, within its timeout.
func (s *Step[In, Out]) attempt(ctx context.Context, tracer trace.Tracer, in *In, out *Out) error {
	if s.policies.timeout == nil {
		return s.call(ctx, tracer, in, out)
	}
	after := s.policies.timeout.after
	var late error = &TimeoutError{After: after}
	ctx, cancel := context.WithTimeoutCause(ctx, after, late)
	defer cancel()
	err := s.call(ctx, tracer, in, out)
	if context.Cause(ctx) != late || err == late {
		return err
	}
	if outcome, _ := task.Classify(err); outcome == task.Dropped {
		err = nil // a late decision to drop is a late result
	}
	return &TimeoutError{After: after, Err: err}
}

// call is the panic guard around the body: inside of the policies, so that an attempt that panics late is late.
func (s *Step[In, Out]) call(ctx context.Context, tracer trace.Tracer, in *In, out *Out) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return s.body.run(ctx, tracer, in, out)
}

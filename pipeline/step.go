package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Step is the stage that the constructors return. Its methods return a changed copy; what is set again is
// replaced. A Step is immutable and safe for concurrent use.
//
// The state of Limit, Rate and Breaker belongs to the place where the stage stands: one stage in two pipelines
// has two, all runs of one built pipeline share one, also where that pipeline is nested in others. A stage that
// runs alone has one of its own.
type Step[In, Out any] struct {
	standing
	n        *node
	body     body[In, Out]
	policies policies
	fallback *fallback[In, Out]
	show     *show[In, Out]
	keep     *keeping[In, Out] // nil: nothing is kept of the stage
	bare     bool              // nothing is around the body but a panic guard
	direct   function[In, Out] // the body of a placed stage, when it is a function with nothing around it; nil otherwise
}

type fallback[In, Out any] struct {
	give  func(context.Context, In, error) (Out, error)
	scope bool // what stages inside did is undone before
}

type show[In, Out any] struct {
	attributes func(In, Out) []attribute.KeyValue
}

func newStep[In, Out any](n *node, b body[In, Out]) *Step[In, Out] {
	return &Step[In, Out]{standing: alone(n), n: n, body: b, bare: true}
}

// Retry runs the stage up to attempts times in all (1: no retry), with a pause in between: by default 100 ms,
// doubled up to 5 s, less a random part of up to half. The pause occupies the task's slot and ends with the
// context.
//
// Not retried: what says itself what is to become of the task (task.Permanent, task.Snooze, task.RetryAfter,
// task.Drop, and errors with Permanent or RetryAfter methods), a panic, and a cancelled run. RetryIf narrows it
// further. On a stage that holds others the whole of it is run again.
func (s *Step[In, Out]) Retry(attempts int, backoff ...Backoff) *Step[In, Out] {
	c := s.covered()
	c.policies.retry = &retryPolicy{attempts, slices.Clone(backoff)}
	return c
}

// RetryIf lets Retry try again only after errors for which is says true. is must be pure; it is not asked about
// errors that are not retried anyway. It needs a Retry.
func (s *Step[In, Out]) RetryIf(is func(error) bool) *Step[In, Out] {
	c := s.covered()
	c.policies.retryIf = &condition{is}
	return c
}

// PermanentIf makes errors permanent (task.Permanent) for which is says true: they are not retried, neither by
// the stage nor by the queue. is must be pure. It is asked about errors of the stage's own attempts that would
// be retried, timeouts and panics among them, and not once the run is cancelled.
func (s *Step[In, Out]) PermanentIf(is func(error) bool) *Step[In, Out] {
	c := s.covered()
	c.policies.permanentIf = &condition{is}
	return c
}

// Timeout ends the context of each attempt after d, with a *TimeoutError as its cause. It is cooperative: the
// attempt is waited for, and when it comes late its result is discarded and the error is a *TimeoutError.
func (s *Step[In, Out]) Timeout(d time.Duration) *Step[In, Out] {
	c := s.covered()
	c.policies.timeout = &timeoutPolicy{d}
	return c
}

// Limit lets at most n attempts of the stage run at once, over all runs of the pipeline. The others wait, each
// in its task's slot, until there is room or their context ends; they are let in in no particular order. A
// pause of Retry holds no place, and the stage's Timeout begins after the wait.
func (s *Step[In, Out]) Limit(n int) *Step[In, Out] {
	c := s.covered()
	c.policies.limit = newLimit(n)
	return c
}

// Rate lets attempts of the stage begin at most perSecond times a second on average, over all runs of the
// pipeline, and up to burst at once after a quiet time. The others wait, each in its task's slot, until it is
// their turn or their context ends. The stage's Timeout begins after the wait.
func (s *Step[In, Out]) Rate(perSecond float64, burst int) *Step[In, Out] {
	c := s.covered()
	c.policies.rate = newRate(perSecond, burst)
	return c
}

// Breaker keeps attempts away from something that is down. After that many failures in a row (see OutOf) it
// is open: for the time of pause every attempt is answered with a *BreakerOpenError, which is not retried inside
// the stage and sends the task back to its queue until then. After the pause one attempt is let through as a
// trial: if it succeeds the breaker closes, if it fails another pause begins.
//
// A failure is any error that would be retried, also a timeout or a panic. task.Permanent, task.Drop and
// task.Snooze count as answers of a healthy stage; what a cancelled run leaves behind does not count, except that a
// trial cut short by it is followed by another pause.
func (s *Step[In, Out]) Breaker(failures int, pause time.Duration, options ...BreakerOption) *Step[In, Out] {
	c := s.covered()
	c.policies.breaker = newBreaker(failures, pause, options)
	return c
}

// Fallback lets give provide the output when the stage has failed for good: its attempts are used up, its error
// is not retried, it panicked, or its breaker is open. give gets the stage's error; its own error, if any, is the
// stage's then. What stages inside did is undone before, if it can be (Compensate). It is not asked when the value was dropped or snoozed, nor when the run is cancelled. Its context
// is that of the whole stage, without the Timeout of an attempt.
func (s *Step[In, Out]) Fallback(give func(ctx context.Context, in In, err error) (Out, error)) *Step[In, Out] {
	c := s.covered()
	c.fallback = &fallback[In, Out]{give, undoable(s.n)}
	return c
}

// Describe says in a line what the stage is for. It shows in the graph and reaches the middleware.
func (s *Step[In, Out]) Describe(text string) *Step[In, Out] {
	c := *s
	c.n = s.n.described(text)
	c.info.Description = text
	return &c
}

// Trace puts attributes of the value on the stage's span. Without it no value is ever put into a trace. It is
// called once, when the stage has ended, and only when its span records; out is the zero value if the stage
// failed. A panic of attributes is noted on the span and has no other effect.
func (s *Step[In, Out]) Trace(attributes func(in In, out Out) []attribute.KeyValue) *Step[In, Out] {
	c := *s
	c.show = &show[In, Out]{attributes}
	return &c
}

// covered is a copy that has more around its body than a panic guard.
func (s *Step[In, Out]) covered() *Step[In, Out] {
	c := *s
	c.bare = false
	return &c
}

// Run implements Stage.
func (s *Step[In, Out]) Run(ctx context.Context, in In) (out Out, err error) {
	if faults := allFaults(s.node()); len(faults) > 0 {
		return out, errors.New("pipeline: this stage cannot run: " + strings.Join(faults, "; "))
	}
	w := wholeOf(s.node())
	err = w.run(ctx, func(r run) error {
		out, err = s.alone(ctx, r, in)
		return err
	})
	return out, err
}

func (s *Step[In, Out]) alone(ctx context.Context, r run, in In) (out Out, err error) {
	at := &cursor{ctx, s.n.name}
	guarded := true
	defer func() {
		if v := recover(); v != nil {
			out, err = *new(Out), located(at, 1, newPanicError(v))
		}
		if guarded {
			s.meter.lost()
		}
	}()
	if ctx.Err() != nil {
		guarded = false
		return out, located(at, 0, interrupted(ctx))
	}
	err = s.do(at, r, &in, &out)
	guarded = false
	return out, err
}

// node describes the stage with its policies, and the faults of all of it.
func (s *Step[In, Out]) node() *node {
	if s == nil || s.n == nil {
		return nil
	}
	n := *s.n
	n.settings = slices.Clone(n.settings)
	n.faults = slices.Clone(n.faults)
	if s.fallback != nil {
		n.settings = append(n.settings, setting{"fallback", "yes"})
		if s.fallback.give == nil {
			n.faults = append(n.faults, "the function given to Fallback is nil")
		}
	}
	n.settings = append(n.settings, s.policies.settings()...)
	n.faults = append(n.faults, s.policies.faults()...)
	if l := s.policies.limit; l != nil && n.batch > 0 && l.n < n.batch {
		n.faults = append(n.faults, fmt.Sprintf("Limit(%d) lets no more than that into a batch of %d: it would never be full", l.n, n.batch))
	}
	if s.keep != nil {
		s.keep.describe(&n, s.compensation())
	}
	if s.show != nil && s.show.attributes == nil {
		n.faults = append(n.faults, "the function given to Trace is nil")
	}
	return &n
}

func (s *Step[In, Out]) place(at site) placed {
	c := *s
	c.standing = at.stand(s.n)
	c.body = s.body.place(at.inside(c.info.ID))
	c.bare = s.bare && len(c.middleware) == 0
	c.direct = nil
	if c.bare && c.keep == nil {
		c.direct, _ = c.body.(function[In, Out])
	}
	if !at.nested {
		c.policies = s.policies.fresh()
	}
	return &c
}

func (s *Step[In, Out]) link(in any) link { return &linked[In, Out]{stage: s, in: in.(*In)} }

func (s *Step[In, Out]) count() *meter { return s.meter }

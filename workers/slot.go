package workers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// slot handles one task after the other. It is what the handler of its task knows as task.Slots.
type slot[T any] struct {
	crew *crew[T]

	mu      sync.Mutex
	current queue.Token         // the lease at hand
	rest    []queue.Delivery[T] // of the batch: leased, not begun
	ctx     context.Context     // of handlers, reused from task to task until it is cancelled
	cancel  context.CancelCauseFunc

	parks atomic.Int32 // how many parts of the handler wait for other tasks; written under crew.mu
	turn  int          // numbers the tasks that left something parked behind; guarded by crew.mu
}

// work is the life of a slot: wait for work as the scout, handle it, leave when another one waits.
func (s *slot[T]) work() {
	k := s.crew
	regular := false
	defer func() {
		s.close()
		if !regular {
			k.replace(s)
		}
	}()
	for {
		ctx, ok := k.takeScout(s)
		if !ok {
			break
		}
		batch := k.c.receive(ctx, k.batch())
		s.take(batch)
		k.found(len(batch) > 0)
		s.handleAll()
	}
	regular = true
}

// take notes the leases before the next scout goes out, so that no renewal misses them.
func (s *slot[T]) take(batch []queue.Delivery[T]) {
	if len(batch) == 0 {
		return
	}
	s.mu.Lock()
	s.rest = batch
	s.mu.Unlock()
	s.crew.scheduleRenewal()
}

// next makes the next lease of the batch the one at hand and gives the handler's context.
func (s *slot[T]) next() (d queue.Delivery[T], ctx context.Context, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 {
		return d, nil, false
	}
	d, s.rest = s.rest[0], s.rest[1:]
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(s.crew.r.ctx)
	}
	s.current = d.Token
	return d, s.ctx, true
}

// handleAll handles the batch. When the stop comes at least its first task is handled: for it the slot was sent.
func (s *slot[T]) handleAll() {
	began := time.Now()
	handled := 0
	defer func() { // also on runtime.Goexit: what was not begun goes back
		s.giveBack()
		if handled > 0 {
			s.crew.notePace(time.Since(began), handled)
		}
	}()
	for !s.crew.yield.Load() && (handled == 0 || s.crew.r.intake.Err() == nil) {
		d, ctx, ok := s.next()
		if !ok {
			return
		}
		handled++
		s.handle(ctx, d)
	}
}

// giveBack gives up what is leased and not begun.
func (s *slot[T]) giveBack() {
	s.mu.Lock()
	rest := s.rest
	s.rest = nil
	s.mu.Unlock()
	s.crew.c.giveBack(s.crew.r, rest)
}

// handle takes one task through its steps: begin, trace, run, classify, answer, end.
func (s *slot[T]) handle(ctx context.Context, d queue.Delivery[T]) {
	c, r := s.crew.c, s.crew.r
	r.act.begin()
	ctx, span := c.startSpan(ctx, d.Info)
	err := errGoexit
	defer func() {
		forced := errors.Is(context.Cause(ctx), task.ErrForced)
		leaseLost := errors.Is(context.Cause(ctx), task.ErrLeaseLost)
		s.end()
		done := c.answer(ctx, d.Token, d.Info, err, forced)
		if !leaseLost {
			c.complete(r, []queue.Completion{done})
		}
		if done.Outcome == task.Done || done.Outcome == task.Dropped {
			err = nil
		}
		endSpan(span, done.Outcome, err)
		if err != nil && forced {
			c.countReturned(r, err)
			return
		}
		c.count(r, err)
	}()
	err = c.call(ctx, d, s)
}

// end lets go of the lease at hand, and of what its handler left parked.
func (s *slot[T]) end() {
	s.mu.Lock()
	s.current = queue.Token{}
	s.mu.Unlock()
	s.unparkAll()
}

func (s *slot[T]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(nil)
	}
}

// holds gives the leases that are not answered yet.
func (s *slot[T]) holds() []queue.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []queue.Token
	if s.current != (queue.Token{}) {
		held = append(held, s.current)
	}
	for _, d := range s.rest {
		held = append(held, d.Token)
	}
	return held
}

// lose cancels the handler if it has the lease at hand, and takes it out of the batch if it only waits.
func (s *slot[T]) lose(t queue.Token, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == t {
		s.cancel(cause)
		return
	}
	s.rest = slices.DeleteFunc(s.rest, func(d queue.Delivery[T]) bool { return d.Token == t })
}

// call runs the handler with the task at hand in its context.
func (c *consumer[T]) call(ctx context.Context, d queue.Delivery[T], slots task.Slots) (err error) {
	if d.Err != nil {
		return d.Err // the payload cannot be decoded; it is kept and retried
	}
	if d.Info.Undo && !c.attachers.Compensates() {
		return errNoUndo("the handler of worker " + c.name)
	}
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
	}()
	ctx = task.With(ctx, d.Info, c.queue.Checkpoints(d.Token), slots)
	if c.opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.opts.timeout, &TimeoutError{c.name, c.opts.timeout})
		defer cancel()
	}
	return c.handler.Handle(ctx, d.Value)
}

// answer turns the handler's answer into what the queue is told, and logs what failed.
func (c *consumer[T]) answer(ctx context.Context, t queue.Token, info task.Info, err error, forced bool) queue.Completion {
	if err != nil && forced {
		c.env.Logger.WarnContext(ctx, "task returned: the stop was forced", "worker", c.name, "queue", info.Queue, "task", info.ID, "error", err)
		return returned(t)
	}
	outcome, wait := task.Classify(err)
	done := queue.Completion{Token: t, Outcome: outcome, After: wait, Counted: outcome != task.Snoozed}
	if err == nil {
		return done
	}
	done.Cause = err.Error()
	if outcome == task.Retry && wait == 0 {
		done.After = c.opts.retry(info.Attempt, err)
	}
	c.logAnswer(ctx, info, done, err)
	c.tell(info, done, err)
	return done
}

func (c *consumer[T]) logAnswer(ctx context.Context, info task.Info, done queue.Completion, err error) {
	args := []any{"worker", c.name, "queue", info.Queue, "task", info.ID, "attempt", info.Attempt, "error", err}
	if stack := stackOf(err); stack != "" {
		args = append(args, "stack", stack)
	}
	switch {
	case done.Outcome == task.Dropped:
		c.env.Logger.DebugContext(ctx, "task dropped", args...)
	case done.Outcome == task.Snoozed:
		c.env.Logger.DebugContext(ctx, "task snoozed", append(args, "for", done.After)...)
	case done.Outcome == task.Dead || info.LastAttempt():
		c.env.Logger.ErrorContext(ctx, "task is dead", args...)
	default:
		c.env.Logger.WarnContext(ctx, "task failed, will be retried", append(args, "in", done.After)...)
	}
}

// returned gives a task back: ready again at once, the attempt not counted.
func returned(t queue.Token) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Retry, Counted: false, Cause: task.ErrForced.Error()}
}

// startSpan goes on with the trace that the publisher began.
func (c *consumer[T]) startSpan(ctx context.Context, info task.Info) (context.Context, trace.Span) {
	if c.env.Tracing.Transport() == tracing.TransportNone {
		return tracing.Extract(ctx, info.Metadata), noop.Span{} // what the handler publishes stays in the publisher's trace
	}
	return c.env.Tracing.Resume(ctx, info.Metadata, "process "+info.Queue, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "plba"),
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", info.Queue),
		attribute.String("messaging.message.id", info.ID),
		attribute.String("worker.name", c.name),
		attribute.Int("task.attempt", info.Attempt),
	))
}

func endSpan(span trace.Span, outcome task.Outcome, err error) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("task.outcome", outcome.String()))
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		}
	}
	span.End()
}

package workers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// slot handles one task after the other.
type slot[T any] struct {
	crew *crew[T]

	mu      sync.Mutex
	held    []queue.Token // leases of the batch that are not answered yet; held[0] is the one at hand
	lost    map[queue.Token]bool
	current queue.Token
	ctx     context.Context // of handlers, reused from task to task until it is cancelled
	cancel  context.CancelCauseFunc
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
		s.handleAll(batch)
	}
	regular = true
}

// take notes the leases before the next scout goes out, so that no renewal misses them.
func (s *slot[T]) take(batch []queue.Delivery[T]) {
	if len(batch) == 0 {
		return
	}
	s.mu.Lock()
	s.held = s.held[:0]
	for _, d := range batch {
		s.held = append(s.held, d.Token)
	}
	s.mu.Unlock()
	s.crew.scheduleRenewal()
}

func (s *slot[T]) handleAll(batch []queue.Delivery[T]) {
	if len(batch) == 0 {
		return
	}
	began := time.Now()
	next := 0
	defer func() { // also on runtime.Goexit: what was not begun goes back
		s.mu.Lock()
		s.held = s.held[:0]
		s.mu.Unlock()
		s.crew.c.giveBack(s.crew.r, batch[next:])
		if next > 0 {
			s.crew.notePace(time.Since(began), next)
		}
	}()
	for next < len(batch) && !s.crew.yield.Load() && (next == 0 || s.crew.r.intake.Err() == nil) {
		d := batch[next]
		next++
		s.handle(d)
	}
}

// handle takes one task through its steps: begin, trace, run, classify, answer, end.
func (s *slot[T]) handle(d queue.Delivery[T]) {
	c, r := s.crew.c, s.crew.r
	ctx, ok := s.begin(d.Token)
	if !ok {
		return // lost while it waited in the batch
	}
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
	err = c.call(ctx, d)
}

// begin makes the lease the one at hand and gives the handler's context.
func (s *slot[T]) begin(t queue.Token) (context.Context, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost[t] {
		delete(s.lost, t)
		return nil, false
	}
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(s.crew.r.ctx)
	}
	s.current = t
	return s.ctx, true
}

// end lets go of the lease at hand.
func (s *slot[T]) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = queue.Token{}
	if len(s.held) > 0 {
		s.held = s.held[1:]
	}
}

func (s *slot[T]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(nil)
	}
}

func (s *slot[T]) holds() []queue.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]queue.Token(nil), s.held...)
}

// lose cancels the handler if it has the lease at hand, and has the slot skip it if it only waits.
func (s *slot[T]) lose(t queue.Token, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == t {
		s.cancel(cause)
		return
	}
	for _, h := range s.held {
		if h == t {
			if s.lost == nil {
				s.lost = map[queue.Token]bool{}
			}
			s.lost[t] = true
		}
	}
}

// call runs the handler with the task at hand in its context.
func (c *consumer[T]) call(ctx context.Context, d queue.Delivery[T]) (err error) {
	if d.Err != nil {
		return d.Err // the payload cannot be decoded; it is kept and retried
	}
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
	}()
	ctx = task.With(ctx, d.Info, c.queue.Checkpoints(d.Token), nil)
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

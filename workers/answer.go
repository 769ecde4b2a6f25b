package workers

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// answer turns the handler's answer into what the queue is told, logs it, and tells of failures. cause is why the handler's context ended, if it did: a handler
// that has finished is believed all the same; any other answer of it counts for less than what ended it.
func (c *consumer[T]) answer(ctx context.Context, info *task.Info, err error, cause error) queue.Completion {
	outcome, wait := task.Classify(err)
	done := queue.Completion{Outcome: outcome, After: wait, Counted: outcome == task.Retry}
	switch {
	case outcome == task.Done || outcome == task.Dropped:
	case errors.Is(cause, task.ErrForced):
		done = returned(queue.Token{})
	case errors.Is(cause, task.ErrCancelled):
		done = queue.Completion{Outcome: task.Cancelled}
	case errors.Is(cause, task.ErrLeaseLost):
		done = queue.Completion{Outcome: task.Retry, Counted: true} // which is what the queue has made of it
	case outcome == task.Retry && wait == 0:
		done.After = c.opts.retry(info.Attempt, err)
	}
	if err != nil && done.Cause == "" {
		done.Cause = err.Error()
	}
	c.logAnswer(ctx, info, done, err, cause)
	if isFailure(done) {
		c.report(info, done, err)
	}
	return done
}

// returned gives a task back: ready again at once, the attempt not counted.
func returned(t queue.Token) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Retry, Counted: false, Cause: task.ErrForced.Error()}
}

func isReturned(c queue.Completion) bool { return c.Outcome == task.Retry && !c.Counted }

// isFailure says whether an attempt has failed.
func isFailure(c queue.Completion) bool {
	return c.Outcome == task.Dead || c.Outcome == task.Retry && c.Counted
}

// isFinal says whether a failure is the last one.
func isFinal(info *task.Info, c queue.Completion) bool {
	return c.Outcome == task.Dead || info.LastAttempt()
}

// book counts a task that was answered.
func (c *consumer[T]) book(r *run, done queue.Completion, err error) {
	switch {
	case isFailure(done):
		c.failed.Add(1)
		c.noteError(err)
	case done.Outcome == task.Done || done.Outcome == task.Dropped:
		c.done.Add(1)
	case done.Outcome == task.Cancelled:
		c.cancelled.Add(1)
	}
	switch {
	case isReturned(done):
		r.giveBack(1)
	case r.stopAsked.Load():
		r.finished.Add(1)
	}
}

func (c *consumer[T]) logAnswer(ctx context.Context, info *task.Info, done queue.Completion, err, cause error) {
	if err == nil && !info.Undo {
		return
	}
	args := []any{"worker", c.name, "queue", info.Queue, "task", info.ID, "attempt", info.Attempt}
	if info.Undo {
		args = append(args, "undo", true, "given_up_for", info.Cause)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	if stack := stackOf(err); stack != "" {
		args = append(args, "stack", stack)
	}
	log := c.env.Logger
	switch {
	case isReturned(done):
		log.WarnContext(ctx, "task returned: the stop was forced", args...)
	case errors.Is(cause, task.ErrLeaseLost) && isFailure(done):
		log.WarnContext(ctx, "task failed: its lease was lost, another run may have it by now", args...)
	case done.Outcome == task.Done:
		log.InfoContext(ctx, "task undone", args...)
	case done.Outcome == task.Dropped:
		log.DebugContext(ctx, "task dropped", args...)
	case done.Outcome == task.Snoozed:
		log.DebugContext(ctx, "task snoozed", append(args, "for", done.After)...)
	case done.Outcome == task.Cancelled:
		log.InfoContext(ctx, "task cancelled", args...)
	case !isFinal(info, done):
		log.WarnContext(ctx, "task failed, will be retried", append(args, "in", done.After)...)
	case info.Undo:
		log.ErrorContext(ctx, "task is dead, and what it did is not all undone", args...)
	case c.attachers.Compensates():
		log.ErrorContext(ctx, "task is given up: it is dead, or undone first", args...)
	default:
		log.ErrorContext(ctx, "task is dead", args...)
	}
}

// startSpan goes on with the trace that the publisher began.
func (c *consumer[T]) startSpan(ctx context.Context, info *task.Info) (context.Context, trace.Span) {
	if c.env.Tracing.Transport() == tracing.TransportNone {
		if len(info.Metadata) == 0 {
			return ctx, noop.Span{}
		}
		return tracing.Extract(ctx, info.Metadata), noop.Span{} // what the handler publishes stays in the publisher's trace
	}
	name := "process " + info.Queue
	if info.Undo {
		name = "undo " + info.Queue
	}
	return c.env.Tracing.Resume(ctx, info.Metadata, name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "plba"),
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", info.Queue),
		attribute.String("messaging.message.id", info.ID),
		attribute.String("worker.name", c.name),
		attribute.Int("task.attempt", info.Attempt),
	))
}

// endSpan ends the span of a task; only a failed attempt makes it a failed one.
func endSpan(span trace.Span, done queue.Completion, err error) {
	if span.IsRecording() {
		outcome := done.Outcome.String()
		if isReturned(done) {
			outcome = "returned"
		}
		span.SetAttributes(attribute.String("task.outcome", outcome))
		switch {
		case isFailure(done):
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		case err != nil:
			span.AddEvent(outcome, trace.WithAttributes(attribute.String("reason", err.Error())))
		}
	}
	span.End()
}

// errNoUndo answers a task that is to be undone where nothing can.
func errNoUndo(handler string) error {
	return task.Permanent(fmt.Errorf("the task was given up and keeps something that can be undone, but %s does not compensate: "+
		"what is kept was written by another version of it, and must be undone by hand or by that version", handler))
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/task"
)

const tracerName = "github.com/plba/plba/pipeline"

// tracerOf gives the tracer for the stages of a run: that of the span around it, nil when that span is not
// recording.
func tracerOf(ctx context.Context) trace.Tracer {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return nil
	}
	return span.TracerProvider().Tracer(tracerName)
}

// spanOptions are the start options of a stage's span. They are made with the stage: starting a span
// allocates none.
type spanOptions []trace.SpanStartOption

func spanOptionsFor(pipeline string, n *node) spanOptions {
	attrs := []attribute.KeyValue{
		attribute.String("pipeline.stage", n.name),
		attribute.String("pipeline.stage.kind", n.kind),
	}
	if pipeline != "" {
		attrs = append(attrs, attribute.String("pipeline.name", pipeline))
	}
	return spanOptions{trace.WithAttributes(attrs...)}
}

// of adds the element when the stage is the outermost one that works on it.
func (o spanOptions) of(at context.Context) []trace.SpanStartOption {
	if e := elementAround(at); e != nil {
		return []trace.SpanStartOption{o[0], trace.WithAttributes(attribute.String("pipeline.element", e.label()))}
	}
	return o
}

// endSpan records how the stage ended. An error that a stage further inside has recorded only sets the
// status.
func endSpan(span trace.Span, err error) {
	defer span.End()
	if err == nil || !span.IsRecording() {
		return
	}
	if outcome, _ := task.Classify(err); outcome == task.Dropped {
		span.SetAttributes(attribute.String("pipeline.dropped", fmt.Sprint(err)))
		return
	}
	span.SetStatus(codes.Error, fmt.Sprint(err))
	if _, inner := unmarked(err).(*StageError); inner {
		return
	}
	var p *PanicError
	if errors.As(err, &p) {
		span.RecordError(err, trace.WithAttributes(attribute.String("exception.stacktrace", p.Stack())))
		return
	}
	span.RecordError(err)
}

// recordFallback puts on the stage's span what its fallback covers.
func recordFallback(ctx context.Context, err error) {
	trace.SpanFromContext(ctx).AddEvent("fallback", trace.WithAttributes(attribute.String("error", fmt.Sprint(err))))
}

// on puts the value on the stage's span as its author wants it.
func (s *show[In, Out]) on(span trace.Span, in *In, out *Out, err error) {
	if s == nil || !span.IsRecording() {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			span.AddEvent("trace", trace.WithAttributes(attribute.String("panic", fmt.Sprint(v))))
		}
	}()
	shown := *out
	if err != nil {
		shown = *new(Out)
	}
	span.SetAttributes(s.attributes(*in, shown)...)
}

// recordRetry puts on the stage's span that it runs again after a failed attempt.
func recordRetry(ctx context.Context, attempt int, pause time.Duration, err error) {
	trace.SpanFromContext(ctx).AddEvent("retry", trace.WithAttributes(
		attribute.Int("attempt", attempt),
		attribute.Float64("pause_seconds", pause.Seconds()),
		attribute.String("error", fmt.Sprint(err)),
	))
}

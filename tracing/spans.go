package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/plba/plba/task"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Create begins a new trace, whatever span ctx holds, with a root span of that name. The function ends the span; an error
// given to it marks the span as failed (see Step). Call it once; later calls change nothing.
func (s *Service) Create(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, func(error)) {
	ctx, span := s.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithAttributes(attrs...))
	return ctx, finish(span)
}

// Resume goes on with the trace in a task's metadata: the span it returns is a child of the span that Inject wrote there,
// with the same trace ID and the same decision on sampling. Without a valid one (see Extract) it begins a new trace.
// The span that ctx holds plays no part. The caller ends the span.
func (s *Service) Resume(
	ctx context.Context, metadata map[string]string, name string, opts ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	parent := remote(metadata)
	if !parent.IsValid() {
		return s.tracer.Start(ctx, name, append(slices.Clip(opts), trace.WithNewRoot())...)
	}
	return s.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), name, opts...)
}

// Step begins a child of the current span, from that span's own provider. The function ends it. An error given to it is
// recorded as an event and marks the span as failed; task.Drop and task.Snooze are recorded but are no failure. When the
// current span is not recording, Step makes no span and costs next to nothing.
func Step(ctx context.Context, name string) (context.Context, func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := parent.TracerProvider().Tracer(Scope).Start(ctx, name)
	return ctx, finish(span)
}

// Record sets attributes on the current span: facts about the work as a whole, such as an order number. Groups become
// dotted keys, durations and times text, and texts are cut at 4 KiB. Without a recording span nothing happens.
func Record(ctx context.Context, attrs ...slog.Attr) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attributes(attrs)...)
	}
}

// Message adds an event to the current span: something that happened at this moment. The level becomes the attribute
// message.level (DEBUG, INFO, WARN, ERROR); it does not mark the span as failed. A span keeps its latest 128 events.
// attrs are treated as in Record. Without a recording span nothing happens.
func Message(ctx context.Context, level slog.Level, msg string, attrs ...slog.Attr) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	kvs := append([]attribute.KeyValue{attribute.String("message.level", level.String())}, attributes(attrs)...)
	span.AddEvent(cut(msg), trace.WithAttributes(kvs...))
}

func finish(span trace.Span) func(error) {
	return func(err error) {
		if err != nil && span.IsRecording() {
			conclude(span, err)
		}
		span.End()
	}
}

// conclude does what span.RecordError does, but with a bounded text and with an ear for task outcomes.
func conclude(span trace.Span, err error) {
	text := cut(err.Error())
	outcome, _ := task.Classify(err)
	if outcome == task.Dropped || outcome == task.Snoozed {
		span.AddEvent(outcome.String(), trace.WithAttributes(attribute.String("reason", text)))
		return
	}
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", err)), semconv.ExceptionMessage(text)))
	span.SetStatus(codes.Error, text)
}

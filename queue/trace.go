package queue

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

var (
	messagingSystem = semconv.MessagingSystemKey.String("plba")
	producerKind    = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindProducer)}
)

// sendSpan is the span of one publish; the zero value does nothing.
type sendSpan struct{ trace.Span }

func (b *binding) startSend(ctx context.Context, queue string) (context.Context, sendSpan) {
	if b.Tracer == nil {
		return ctx, sendSpan{}
	}
	ctx, span := b.Tracer.Start(ctx, "send "+queue, producerKind...)
	if span.IsRecording() {
		span.SetAttributes(messagingSystem, semconv.MessagingOperationTypeSend,
			semconv.MessagingOperationName("send"), semconv.MessagingDestinationName(queue))
	}
	return ctx, sendSpan{span}
}

func (s sendSpan) end(receipt Receipt, err error) {
	if s.Span == nil {
		return
	}
	if s.IsRecording() && err == nil {
		s.SetAttributes(semconv.MessagingMessageID(receipt.ID), attribute.Bool("plba.task.existing", receipt.Existing))
	}
	s.finish(err)
}

func (s sendSpan) endBatch(n int, err error) {
	if s.Span == nil {
		return
	}
	if s.IsRecording() {
		s.SetAttributes(semconv.MessagingBatchMessageCount(n))
	}
	s.finish(err)
}

func (s sendSpan) finish(err error) {
	if err != nil {
		s.RecordError(err)
		s.SetStatus(codes.Error, err.Error())
	}
	s.End()
}

// inject adds the W3C headers of ctx's span, so that the handler's trace can continue there. Trace state that is
// too long is left out.
func inject(ctx context.Context, metadata map[string]string) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return metadata
	}
	if metadata == nil {
		metadata = make(map[string]string, 2)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(metadata))
	if len(metadata["tracestate"]) > maxTraceValue {
		delete(metadata, "tracestate")
	}
	return metadata
}

package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// idleKey marks the span of a look that found nothing to do.
const idleKey = attribute.Key("worker.idle")

// Idle marks the current span as one of a look for work that found none, with the attribute worker.idle. The transport memory does not keep
// traces that consist of it alone, so that a worker that polls does not push out the traces of what was done.
func Idle(ctx context.Context) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(idleKey.Bool(true))
	}
}

func isIdle(s sdktrace.ReadOnlySpan) bool {
	for _, kv := range s.Attributes() {
		if kv.Key == idleKey {
			return true
		}
	}
	return false
}

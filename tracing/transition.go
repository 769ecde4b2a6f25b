package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TransitionName is the name of transition spans.
const TransitionName = "worker.transition"

// Attributes of transition spans.
const (
	keyWorker = attribute.Key("worker.name")
	keyKind   = attribute.Key("worker.kind")
	keyFrom   = attribute.Key("worker.from")
	keyTo     = attribute.Key("worker.to")
	keyEvent  = attribute.Key("worker.event")
	keyReason = attribute.Key("worker.reason")
	keyHeld   = attribute.Key("worker.held_seconds")
)

// Transition records that a worker moved from one state to another, as one span of no length at the instant at, in a
// trace of its own, never sampled away. held is how long the state from lasted; cause is why it was left, nil if there is
// nothing to say. A valid link ties the span to an earlier one, by custom the one of the worker's start. It returns the
// new span's context, to link to; an invalid one when nothing is recorded.
func (s *Service) Transition(
	worker, kind string, from, to, event string, cause error, at time.Time, held time.Duration, link trace.SpanContext,
) trace.SpanContext {
	if !s.records() {
		return trace.SpanContext{}
	}
	attrs := append(make([]attribute.KeyValue, 0, 7), keyWorker.String(worker), keyKind.String(kind),
		keyFrom.String(from), keyTo.String(to), keyEvent.String(event), keyHeld.Float64(held.Seconds()))
	if cause != nil {
		attrs = append(attrs, keyReason.String(cut(cause.Error())))
	}
	opts := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithTimestamp(at), trace.WithAttributes(attrs...)}
	if link.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	_, span := s.tracer.Start(context.WithValue(context.Background(), transitionKey{}, true), TransitionName, opts...)
	span.End(trace.WithTimestamp(at))
	return span.SpanContext()
}

// transitionKey marks the context that a transition span is started with. No other package can set it, so no business
// span passes for a transition.
type transitionKey struct{}

// sampler records every transition and leaves the rest to the sampler inside.
type sampler struct{ sdktrace.Sampler }

func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.ParentContext.Value(transitionKey{}) != nil {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return s.Sampler.ShouldSample(p)
}

func (s sampler) Description() string { return "Transitions{" + s.Sampler.Description() + "}" }

// isTransition tells a finished transition span from a business span.
func isTransition(s sdktrace.ReadOnlySpan) bool {
	return s.Name() == TransitionName && s.InstrumentationScope().Name == Scope && !s.Parent().IsValid()
}

package tracing

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var noon = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

func TestTransitionsAtRatioZero(t *testing.T) {
	s, rec := record(t, 0)
	start := s.Transition("mails", "consume", "stopped", "starting", "start", nil, noon, time.Minute, trace.SpanContext{})
	failed := s.Transition("mails", "consume", "busy", "stopped", "fail", errBoom, noon.Add(time.Second), 1500*time.Millisecond, start)
	_, end := s.Create(context.Background(), TransitionName) // the name alone keeps nothing
	end(nil)

	spans := rec.Ended()
	if len(spans) != 2 {
		t.Fatalf("recorded %v, want two transitions", rec.names())
	}
	wants := []map[string]any{{
		"worker.name": "mails", "worker.kind": "consume", "worker.from": "stopped", "worker.to": "starting",
		"worker.event": "start", "worker.held_seconds": 60.0,
	}, {
		"worker.name": "mails", "worker.kind": "consume", "worker.from": "busy", "worker.to": "stopped",
		"worker.event": "fail", "worker.held_seconds": 1.5, "worker.reason": "boom",
	}}
	for i, span := range spans {
		if got := attributeMap(span.Attributes()); !reflect.DeepEqual(got, wants[i]) {
			t.Errorf("transition %d has\n%v, want\n%v", i, got, wants[i])
		}
		at := noon.Add(time.Duration(i) * time.Second)
		if span.Name() != "worker.transition" || !span.StartTime().Equal(at) || !span.EndTime().Equal(at) {
			t.Errorf("transition %d is %q from %s to %s", i, span.Name(), span.StartTime(), span.EndTime())
		}
		if span.Parent().IsValid() || !span.SpanContext().IsSampled() {
			t.Errorf("transition %d: parent %v, sampled %v", i, span.Parent(), span.SpanContext().IsSampled())
		}
	}
	if !spans[0].SpanContext().Equal(start) || !spans[1].SpanContext().Equal(failed) || start.TraceID() == failed.TraceID() {
		t.Error("Transition does not return the context of a trace of its own")
	}
	if len(spans[0].Links()) != 0 || len(spans[1].Links()) != 1 || !spans[1].Links()[0].SpanContext.Equal(start) {
		t.Errorf("links %v and %v, want none and one to the start", spans[0].Links(), spans[1].Links())
	}
}

func TestTransitionReasonIsCut(t *testing.T) {
	s, rec := record(t, 1)
	s.Transition("w", "loop", "busy", "stopped", "fail", errors.New(strings.Repeat("x", 2*maxText)), noon, 0, trace.SpanContext{})
	if reason := attributeMap(rec.only(t).Attributes())["worker.reason"].(string); len(reason) != maxText {
		t.Errorf("the reason has %d bytes, want %d", len(reason), maxText)
	}
}

// The sampler takes its decision for business spans from the ratio and the parent.
func TestSamplerRatio(t *testing.T) {
	const n = 2000
	for _, ratio := range []float64{0, 0.25, 1} {
		s, rec := record(t, ratio)
		for range n {
			ctx, end := s.Create(context.Background(), "work")
			_, endStep := Step(ctx, "step")
			endStep(nil)
			end(nil)
		}
		spans := float64(len(rec.Ended()))
		low, high := 2*n*(ratio-0.06), 2*n*(ratio+0.06) // more than six standard deviations
		if spans < low || spans > high || int(spans)%2 != 0 {
			t.Errorf("ratio %v: %v spans of %d, want whole traces between %v and %v", ratio, spans, 2*n, low, high)
		}
	}
	if got, want := (sampler{sdktrace.NeverSample()}).Description(), "Transitions{AlwaysOffSampler}"; got != want {
		t.Errorf("description %q, want %q", got, want)
	}
}

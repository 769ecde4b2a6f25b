package queue_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/plba/plba/queue"
)

func recordSpans(t *testing.T) (*tracetest.SpanRecorder, trace.Tracer) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return recorder, provider.Tracer("test")
}

func attributes(s sdktrace.ReadOnlySpan) map[attribute.Key]string {
	got := map[attribute.Key]string{}
	for _, a := range s.Attributes() {
		got[a.Key] = a.Value.String()
	}
	return got
}

func TestSendSpan(t *testing.T) {
	recorder, tracer := recordSpans(t)
	q, s := bound(t, queue.Binding{Tracer: tracer}, queue.Spec[mail]{Unique: func(m mail) string { return m.Account }})
	ctx, parent := tracer.Start(t.Context(), "parent")
	receipt, err := q.Send(ctx, mail{Account: "sales"}, queue.Metadata("traceparent", "overwritten"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Send(ctx, mail{Account: "sales"}); err != nil {
		t.Fatal(err)
	}
	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	span := spans[0]
	if span.Name() != "send mails" || span.SpanKind() != trace.SpanKindProducer || span.Parent().SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("span %q of kind %s below %s", span.Name(), span.SpanKind(), span.Parent().SpanID())
	}
	want := map[attribute.Key]string{
		"messaging.system": "plba", "messaging.operation.type": "send", "messaging.operation.name": "send",
		"messaging.destination.name": "mails", "messaging.message.id": receipt.ID, "plba.task.existing": "false",
	}
	got := attributes(span)
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, expected %q", key, got[key], value)
		}
	}
	if got := attributes(spans[1])["plba.task.existing"]; got != "true" {
		t.Errorf("the second send says existing: %s", got)
	}
	header := s.records[0].Info.Metadata["traceparent"]
	if !strings.Contains(header, span.SpanContext().TraceID().String()+"-"+span.SpanContext().SpanID().String()) {
		t.Errorf("traceparent is %q, the span is %s", header, span.SpanContext().SpanID())
	}
}

func TestBatchSpan(t *testing.T) {
	recorder, tracer := recordSpans(t)
	q, s := bound[mail](t, queue.Binding{Tracer: tracer})
	if _, err := q.PublishAll(t.Context(), make([]mail, 300)); err != nil {
		t.Fatal(err)
	}
	spans := recorder.Ended()
	if len(spans) != 1 || spans[0].Name() != "send mails" || attributes(spans[0])["messaging.batch.message_count"] != "300" {
		t.Fatalf("spans %v", spans)
	}
	first, last := s.records[0].Info.Metadata, s.records[299].Info.Metadata
	if first["traceparent"] == "" || first["traceparent"] != last["traceparent"] {
		t.Errorf("headers %v and %v", first, last)
	}
	if first["own"] = "x"; last["own"] != "" {
		t.Error("tasks share their metadata")
	}
}

func TestFailedSendSpan(t *testing.T) {
	recorder, tracer := recordSpans(t)
	q, _ := bound[mail](t, queue.Binding{Tracer: tracer})
	if _, err := q.Send(t.Context(), mail{}, queue.Priority(1000)); err == nil {
		t.Fatal("no error")
	}
	span := recorder.Ended()[0]
	if span.Status().Code != codes.Error || !strings.Contains(span.Status().Description, "priority 1000") || len(span.Events()) != 1 {
		t.Errorf("status %+v, events %v", span.Status(), span.Events())
	}
}

func TestTraceGoesOnWithoutATracer(t *testing.T) {
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceState: state})
	for name, tracer := range map[string]trace.Tracer{"none": nil, "noop": noop.NewTracerProvider().Tracer("")} {
		t.Run(name, func(t *testing.T) {
			q, s := bound[mail](t, queue.Binding{Tracer: tracer})
			if err := q.Publish(trace.ContextWithSpanContext(t.Context(), remote), mail{}); err != nil {
				t.Fatal(err)
			}
			got := s.last(t).Info.Metadata
			if got["traceparent"] != "00-01000000000000000000000000000000-0200000000000000-00" || got["tracestate"] != "vendor=1" {
				t.Errorf("metadata %v", got)
			}
			if err := q.Publish(t.Context(), mail{}); err != nil {
				t.Fatal(err)
			}
			if got := s.last(t).Info.Metadata; got != nil {
				t.Errorf("without a trace: metadata %v", got)
			}
		})
	}
}

func TestLongTraceStateIsDropped(t *testing.T) {
	var members []string
	for _, k := range []string{"a", "b", "c"} {
		members = append(members, k+"="+strings.Repeat("x", 200))
	}
	state, err := trace.ParseTraceState(strings.Join(members, ","))
	if err != nil {
		t.Fatal(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceState: state})
	q, s := bound[mail](t, queue.Binding{})
	if err := q.Publish(trace.ContextWithSpanContext(t.Context(), remote), mail{}); err != nil {
		t.Fatal(err)
	}
	got := s.last(t).Info.Metadata
	if _, there := got["tracestate"]; there || got["traceparent"] == "" {
		t.Errorf("metadata %v", got)
	}
}

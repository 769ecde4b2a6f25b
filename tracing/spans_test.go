package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/task"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

func TestCreateBeginsANewTrace(t *testing.T) {
	s, rec := record(t, 1)
	outer, end := s.Create(context.Background(), "outer")
	inner, endInner := s.Create(outer, "inner", attribute.String("mail", "7"))
	endInner(nil)
	endInner(errBoom) // the second call changes nothing
	end(nil)

	if a, b := trace.SpanContextFromContext(outer), trace.SpanContextFromContext(inner); a.TraceID() == b.TraceID() {
		t.Error("the inner trace has the ID of the outer one")
	}
	if got := rec.names(); !reflect.DeepEqual(got, []string{"inner", "outer"}) {
		t.Fatalf("spans %v", got)
	}
	span := rec.Ended()[0]
	if span.Parent().IsValid() {
		t.Error("the inner span has a parent")
	}
	if span.Status().Code != codes.Unset {
		t.Errorf("status %v", span.Status())
	}
	if got := attributeMap(span.Attributes()); !reflect.DeepEqual(got, map[string]any{"mail": "7"}) {
		t.Errorf("attributes %v", got)
	}
}

func TestEndWithAnError(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status codes.Code
		event  string
		attrs  map[string]any
	}{
		"error": {errBoom, codes.Error, "exception",
			map[string]any{"exception.type": "*errors.errorString", "exception.message": "boom"}},
		"permanent": {task.Permanent(errBoom), codes.Error, "exception",
			map[string]any{"exception.type": "*task.outcomeError", "exception.message": "boom"}},
		"drop": {fmt.Errorf("load: %w", task.Drop("a bounce")), codes.Unset, "dropped",
			map[string]any{"reason": "load: dropped: a bounce"}},
		"snooze": {task.Snooze(time.Hour, "closed"), codes.Unset, "snoozed",
			map[string]any{"reason": "snoozed: closed"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, rec := record(t, 1)
			_, end := s.Create(context.Background(), "work")
			end(c.err)
			span := rec.only(t)
			if span.Status().Code != c.status {
				t.Errorf("status %v, want %v", span.Status(), c.status)
			}
			if len(span.Events()) != 1 {
				t.Fatalf("%d events", len(span.Events()))
			}
			ev := span.Events()[0]
			if got := attributeMap(ev.Attributes); ev.Name != c.event || !reflect.DeepEqual(got, c.attrs) {
				t.Errorf("event %q %v, want %q %v", ev.Name, got, c.event, c.attrs)
			}
		})
	}
}

func TestHugeErrorIsCut(t *testing.T) {
	s, rec := record(t, 1)
	_, end := s.Create(context.Background(), "work")
	end(errors.New(strings.Repeat("ж", maxText)))
	span := rec.only(t)
	message := attributeMap(span.Events()[0].Attributes)["exception.message"].(string)
	if len(message) != maxText || len(span.Status().Description) != maxText || strings.ContainsRune(message, '\uFFFD') {
		t.Errorf("message has %d bytes and the status %d, want %d whole characters", len(message), len(span.Status().Description), maxText)
	}
}

func TestAttributesOfOthersAreCut(t *testing.T) {
	s, rec := record(t, 1)
	_, span := s.TracerProvider().Tracer("elsewhere").Start(context.Background(), "work")
	span.SetAttributes(attribute.String("long", strings.Repeat("x", 2*maxText)))
	span.End()
	if got := rec.only(t).Attributes()[0].Value.AsString(); len(got) != maxText {
		t.Errorf("the attribute has %d bytes, want %d", len(got), maxText)
	}
}

func TestStepIsAChild(t *testing.T) {
	s, rec := record(t, 1)
	ctx, end := s.Create(context.Background(), "root")
	step, endStep := Step(ctx, "step")
	endStep(errBoom)
	end(nil)
	child, root := rec.Ended()[0], rec.Ended()[1]
	if child.Parent().SpanID() != root.SpanContext().SpanID() || !child.SpanContext().Equal(trace.SpanContextFromContext(step)) {
		t.Errorf("step %v is not the child of %v", child.SpanContext(), root.SpanContext())
	}
	if child.InstrumentationScope().Name != Scope || child.Status().Code != codes.Error {
		t.Errorf("scope %q, status %v", child.InstrumentationScope().Name, child.Status())
	}
}

// Business code runs unchanged where nothing is recorded: no span, not sampled, or after the end of the span.
func TestNothingIsRecordedWithoutARecordingSpan(t *testing.T) {
	s, rec := record(t, 0)
	unsampled, end := s.Create(context.Background(), "unsampled")
	defer end(nil)
	for name, ctx := range map[string]context.Context{"no span": context.Background(), "unsampled": unsampled} {
		step, endStep := Step(ctx, "step")
		if step != ctx {
			t.Errorf("%s: Step made a context", name)
		}
		endStep(errBoom)
		Record(ctx, slog.Any("x", resolving{t}))
		Message(ctx, slog.LevelInfo, "x", slog.Any("x", resolving{t}))
	}
	if len(rec.Ended())+len(rec.Started()) != 0 {
		t.Errorf("recorded: %v", rec.names())
	}
}

// resolving fails the test when somebody asks for its value.
type resolving struct{ t *testing.T }

func (r resolving) LogValue() slog.Value {
	r.t.Error("a value was resolved for a span that does not record")
	return slog.Value{}
}

type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("***") }

func TestRecordAndMessage(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	attrs := []slog.Attr{
		slog.String("text", "a"), slog.Int("int", -1), slog.Uint64("uint", 1), slog.Uint64("uint_huge", math.MaxUint64),
		slog.Float64("float", 1.5), slog.Bool("bool", true), slog.Duration("duration", 1500*time.Millisecond), slog.Time("time", at),
		slog.Any("error", errBoom), slog.Any("list", []string{"a", "b"}), slog.Any("nil", nil), slog.Any("secret", secret("hunter2")),
		slog.Group("order", slog.Int("lines", 3), slog.Group("customer", slog.String("id", "c1"))),
		slog.Group("", slog.String("inline", "yes")), slog.String("", "no key"),
	}
	want := map[string]any{
		"text": "a", "int": int64(-1), "uint": int64(1), "uint_huge": "18446744073709551615",
		"float": 1.5, "bool": true, "duration": "1.5s", "time": "2026-02-03T04:05:06.000007Z",
		"error": "boom", "list": []string{"a", "b"}, "nil": "<nil>", "secret": "***",
		"order.lines": int64(3), "order.customer.id": "c1", "inline": "yes",
	}
	s, rec := record(t, 1)
	ctx, end := s.Create(context.Background(), "work")
	Record(ctx, attrs...)
	Message(ctx, slog.LevelWarn, "odd", attrs...)
	end(nil)

	span := rec.only(t)
	if got := attributeMap(span.Attributes()); !reflect.DeepEqual(got, want) {
		t.Errorf("Record made\n%v, want\n%v", got, want)
	}
	want["message.level"] = "WARN"
	ev := span.Events()[0]
	if got := attributeMap(ev.Attributes); ev.Name != "odd" || !reflect.DeepEqual(got, want) {
		t.Errorf("Message made %q\n%v, want\n%v", ev.Name, got, want)
	}
	if span.Status().Code != codes.Unset {
		t.Errorf("a message changed the status to %v", span.Status())
	}
}

func TestMessageTextIsCut(t *testing.T) {
	s, rec := record(t, 1)
	ctx, end := s.Create(context.Background(), "work")
	long := strings.Repeat("x", maxText+1)
	Message(ctx, slog.LevelInfo, long, slog.Any("list", []string{long}))
	end(nil)
	ev := rec.only(t).Events()[0]
	if list := attributeMap(ev.Attributes)["list"].([]string); len(ev.Name) != maxText || len(list[0]) != maxText {
		t.Errorf("name has %d bytes, the listed text %d, want %d", len(ev.Name), len(list[0]), maxText)
	}
}

func TestResumeGoesOnWithTheTrace(t *testing.T) {
	poller, polled := record(t, 1)
	consumer, consumed := record(t, 0) // the decision was taken where the trace began
	ctx, end := poller.Create(context.Background(), "poll")
	metadata := map[string]string{"kind": "mail"}
	Inject(ctx, metadata)
	end(nil)

	elsewhere, endElsewhere := consumer.Create(context.Background(), "elsewhere")
	ctx, span := consumer.Resume(elsewhere, metadata, "process mails", trace.WithSpanKind(trace.SpanKindConsumer))
	_, endStep := Step(ctx, "load")
	endStep(nil)
	span.End()
	endElsewhere(nil)

	root, load, process := polled.only(t), consumed.Ended()[0], consumed.Ended()[1]
	if got := process.Parent(); got.SpanID() != root.SpanContext().SpanID() || !got.IsRemote() {
		t.Errorf("parent %v, want the remote span %v", got, root.SpanContext())
	}
	for _, s := range []trace.SpanContext{process.SpanContext(), load.SpanContext()} {
		if s.TraceID() != root.SpanContext().TraceID() {
			t.Errorf("trace %s, want %s", s.TraceID(), root.SpanContext().TraceID())
		}
	}
	if process.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("kind %v", process.SpanKind())
	}
}

func TestResumeKeepsATraceUnsampled(t *testing.T) {
	s, rec := record(t, 1)
	metadata := map[string]string{"traceparent": "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-00"}
	ctx, span := s.Resume(context.Background(), metadata, "handle")
	span.End()
	if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != "0102030405060708090a0b0c0d0e0f10" || len(rec.Started()) != 0 {
		t.Errorf("trace %s, %d spans recorded", got, len(rec.Started()))
	}
}

func TestResumeWithoutATraceBeginsOne(t *testing.T) {
	for name, metadata := range map[string]map[string]string{
		"nil": nil, "none": {"x": "y"}, "broken": {"traceparent": "00-zz"},
		"injected": {"traceparent": "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01\r\nX: y"},
	} {
		t.Run(name, func(t *testing.T) {
			s, rec := record(t, 1)
			outer, end := s.Create(context.Background(), "the worker's own")
			defer end(nil)
			opts := make([]trace.SpanStartOption, 0, 4) // with room: the caller's array must stay as it is
			_, span := s.Resume(outer, metadata, "handle", opts...)
			span.End()
			got := rec.only(t)
			if got.Parent().IsValid() || got.SpanContext().TraceID() == trace.SpanContextFromContext(outer).TraceID() {
				t.Errorf("span %v has parent %v, want a new root", got.SpanContext(), got.Parent())
			}
			if opts[:1][0] != nil {
				t.Error("Resume wrote into the caller's options")
			}
		})
	}
}

package runtime_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recordShop runs a worker that finds one thing and publishes it, and one that handles it, from start to stop, and gives the spans.
func recordShop(t *testing.T) []sdktrace.ReadOnlySpan {
	rec := tracetest.NewSpanRecorder()
	a := run(t, func(r *runtime.Registry) {
		mails := runtime.QueueOf[string](r, "mails")
		left := 1
		r.Worker(workers.Consume("email-processing", mails, handle(func(ctx context.Context, _ string) error {
			_, end := tracing.Step(ctx, "store")
			time.Sleep(1100 * time.Millisecond) // not at a moment at which the worker looks whether it is idle
			end(nil)
			return nil
		}), workers.Concurrency(3)))
		r.Worker(workers.Poll("mail-polling", time.Hour, func(ctx context.Context) (int, error) {
			if left == 0 {
				return 0, nil
			}
			left--
			return 1, mails.Publish(ctx, "an order")
		}))
	}, runtime.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec))))
	pass(10 * time.Second) // the second poll came at once, the third is an hour away, give or take
	stop(t, a, runtime.Reason("signal terminated"))
	return rec.Ended()
}

func attributes(s sdktrace.ReadOnlySpan) map[attribute.Key]string {
	m := map[attribute.Key]string{}
	for _, kv := range s.Attributes() {
		m[kv.Key] = kv.Value.String()
	}
	return m
}

// Every move of a worker, and of the runtime itself, is a span; from stopped to stopped, with what was told of it.
func TestTransitionSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := recordShop(t)
		byWorker := map[string]*strings.Builder{}
		startOf := map[string]trace.SpanContext{}
		began := spans[0].StartTime()
		for _, s := range spans {
			if s.Name() != tracing.TransitionName {
				continue
			}
			at := attributes(s)
			name := at["worker.name"]
			if byWorker[name] == nil {
				byWorker[name] = &strings.Builder{}
			}
			link := "no link"
			for _, l := range s.Links() {
				if l.SpanContext.Equal(startOf[name]) {
					link = "linked to the start"
				}
			}
			if at["worker.event"] == "start" {
				startOf[name] = s.SpanContext()
			}
			if s.Parent().IsValid() || !s.StartTime().Equal(s.EndTime()) {
				t.Errorf("a transition is a root span of no length: %+v", s)
			}
			fmt.Fprintf(byWorker[name], "  %5.2fs  %-8s --%s--> %-8s  held %gs, %s", s.StartTime().Sub(began).Seconds(),
				at["worker.from"], at["worker.event"], at["worker.to"], seconds(t, s), link)
			if reason, ok := at["worker.reason"]; ok {
				fmt.Fprintf(byWorker[name], ", reason: %s", reason)
			}
			fmt.Fprintf(byWorker[name], "\n          kind %s, attributes %s\n", at["worker.kind"], keys(s))
		}
		var text strings.Builder
		for _, name := range []string{"app", "mail-polling", "email-processing"} {
			fmt.Fprintf(&text, "%s\n%s", name, byWorker[name])
			delete(byWorker, name)
		}
		if len(byWorker) != 0 {
			t.Errorf("transitions of others: %v", byWorker)
		}
		golden(t, "transitions.txt", text.String())
	})
}

func seconds(t *testing.T, s sdktrace.ReadOnlySpan) float64 {
	t.Helper()
	for _, kv := range s.Attributes() {
		if kv.Key == "worker.held_seconds" {
			return kv.Value.AsFloat64()
		}
	}
	t.Errorf("no worker.held_seconds in %v", s.Attributes())
	return -1
}

func keys(s sdktrace.ReadOnlySpan) string {
	var names []string
	for _, kv := range s.Attributes() {
		names = append(names, strings.TrimPrefix(string(kv.Key), "worker."))
	}
	return strings.Join(names, " ")
}

// One trace leads from the poll over the queue into the handler.
func TestOneTraceFromPollToHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := recordShop(t)
		var poll sdktrace.ReadOnlySpan
		for _, s := range spans { // the first poll found something
			if s.Name() == "poll mail-polling" && (poll == nil || s.StartTime().Before(poll.StartTime())) {
				poll = s
			}
		}
		if poll == nil {
			t.Fatal("no span of the poll")
		}
		at := poll.SpanContext()
		children := map[trace.SpanID]sdktrace.ReadOnlySpan{}
		for _, s := range spans {
			if s.SpanContext().TraceID() == at.TraceID() && s.Parent().IsValid() {
				children[s.Parent().SpanID()] = s
			}
		}
		var text strings.Builder
		for depth, s := 0, poll; s != nil; depth++ {
			fmt.Fprintf(&text, "%s%s (%s, %s)\n", strings.Repeat("  ", depth), s.Name(), s.SpanKind(), s.EndTime().Sub(s.StartTime()))
			s = children[s.SpanContext().SpanID()]
		}
		want := `poll mail-polling (internal, 0s)
  send mails (producer, 0s)
    process mails (consumer, 1.1s)
      store (internal, 1.1s)
`
		if text.String() != want {
			t.Errorf("the trace is\n%s\nwant\n%s", &text, want)
		}
	})
}

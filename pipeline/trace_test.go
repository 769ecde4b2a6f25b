package pipeline_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// recorded runs f under a span and gives the spans that ended inside of it, in the order of ending.
func recorded(t *testing.T, sampler sdktrace.Sampler, f func(ctx context.Context)) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sampler))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	ctx, span := provider.Tracer("worker").Start(t.Context(), "process")
	f(ctx)
	spans := recorder.Ended()
	span.End()
	return spans
}

// tree draws spans as "parent>name attribute=value …", sorted.
func tree(spans []sdktrace.ReadOnlySpan) []string {
	names := map[trace.SpanID]string{}
	for _, s := range spans {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var lines []string
	for _, s := range spans {
		line := names[s.Parent().SpanID()] + ">" + s.Name()
		attrs := slices.Clone(s.Attributes())
		slices.SortFunc(attrs, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
		for _, a := range attrs {
			line += fmt.Sprintf(" %s=%s", strings.TrimPrefix(string(a.Key), "pipeline."), a.Value.String())
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func TestSpans(t *testing.T) {
	inner := pipeline.New[int, int]("inner").Stage(add("i", 1)).MustBuild()
	p := pipeline.New[int, []int]("p").
		Stage(add("a", 1)).
		Stage(inner).
		Stage(pipeline.Pure("split", func(v int) []int { return []int{v, v} })).
		Stage(pipeline.Each("e", add("s", 1)).KeyedBy(func(int) string { return "x" })).
		Stage(pipeline.Each("f", inner)).
		MustBuild()
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) {
		if _, err := p.Run(ctx, 1); err != nil {
			t.Error(err)
		}
	})
	want := []string{
		">a name=p stage=a stage.kind=map",
		">e name=p stage=e stage.kind=each",
		">f name=p stage=f stage.kind=each",
		">inner name=p stage=inner stage.kind=pipeline",
		">split name=p stage=split stage.kind=pure",
		"e>s element=x name=p stage=s stage.kind=map",
		"e>s element=x#2 name=p stage=s stage.kind=map",
		"f>inner element=0 name=p stage=inner stage.kind=pipeline",
		"f>inner element=1 name=p stage=inner stage.kind=pipeline",
		"inner>i name=inner stage=i stage.kind=map",
		"inner>i name=inner stage=i stage.kind=map",
		"inner>i name=inner stage=i stage.kind=map",
	}
	slices.Sort(want)
	if got := tree(spans); !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if name := spans[0].InstrumentationScope().Name; name != "github.com/plba/plba/pipeline" {
		t.Errorf("tracer %q", name)
	}
}

func TestNoSpansWhenNothingRecords(t *testing.T) {
	var inside trace.SpanContext
	p := pipeline.New[int, int]("p").Stage(pipeline.Tap("a", func(ctx context.Context, _ int) error {
		inside = trace.SpanContextFromContext(ctx)
		return nil
	})).MustBuild()
	var around trace.SpanContext
	spans := recorded(t, sdktrace.NeverSample(), func(ctx context.Context) {
		around = trace.SpanContextFromContext(ctx)
		_, _ = p.Run(ctx, 1)
	})
	if len(spans) != 0 || !inside.Equal(around) {
		t.Errorf("%d spans; the stage sees span %v, its task %v", len(spans), inside.SpanID(), around.SpanID())
	}
}

func TestSpanOutcomes(t *testing.T) {
	panics := pipeline.Map("s", func(context.Context, int) (int, error) { panic("out of paper") })
	for name, c := range map[string]struct {
		stage  pipeline.Stage[int, int]
		status codes.Code
		text   string
		events []string
		drop   string
	}{
		"done":  {add("s", 1), codes.Unset, "", nil, ""},
		"error": {fails("s", errAway), codes.Error, "database away", []string{"exception"}, ""},
		"drop":  {fails("s", task.Drop("not ours")), codes.Unset, "", nil, "dropped: not ours"},
		"retry": {fails("s", errAway).Retry(3, func(int) time.Duration { return 0 }), codes.Error, "database away", []string{"retry", "retry", "exception"}, ""},
		"panic": {panics, codes.Error, "panic: out of paper", []string{"exception"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = c.stage.Run(ctx, 1) })
			if len(spans) != 1 {
				t.Fatalf("%d spans", len(spans))
			}
			s := spans[0]
			if got := s.Status(); got.Code != c.status || got.Description != c.text {
				t.Errorf("status %v %q", got.Code, got.Description)
			}
			var events []string
			for _, e := range s.Events() {
				events = append(events, e.Name)
			}
			if !slices.Equal(events, c.events) {
				t.Errorf("events %v, want %v", events, c.events)
			}
			set := attribute.NewSet(s.Attributes()...)
			if drop, _ := set.Value("pipeline.dropped"); drop.AsString() != c.drop {
				t.Errorf("pipeline.dropped = %q", drop.AsString())
			}
		})
	}
}

// The exception is recorded where it happened, with the stack of a panic; the spans around it only fail.
func TestExceptionIsRecordedOnce(t *testing.T) {
	panics := pipeline.Map("s", func(context.Context, int) (int, error) { panic("out of paper") })
	inner := pipeline.New[int, int]("inner").Stage(panics).MustBuild()
	p := pipeline.New[int, int]("p").Stage(inner).MustBuild()
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = p.Run(ctx, 1) })
	if len(spans) != 2 || spans[0].Name() != "s" || len(spans[0].Events()) != 1 || len(spans[1].Events()) != 0 {
		t.Fatalf("spans %v", tree(spans))
	}
	if spans[1].Status().Code != codes.Error {
		t.Errorf("the span of the pipeline around it: %v", spans[1].Status())
	}
	set := attribute.NewSet(spans[0].Events()[0].Attributes...)
	if stack, _ := set.Value("exception.stacktrace"); !strings.Contains(stack.AsString(), "trace_test.go") {
		t.Errorf("stack %q", stack.AsString())
	}
}

func TestSpanEndsWithTheGoroutine(t *testing.T) {
	leaves := pipeline.Map("s", func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil })
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) {
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = leaves.Run(ctx, 1) })
		wg.Wait()
	})
	if len(spans) != 1 || spans[0].Status().Description != pipeline.ErrGoexit.Error() {
		t.Errorf("spans %v", tree(spans))
	}
}

// A value shows on its stage's span when the author says so, and nowhere else.
func TestTrace(t *testing.T) {
	show := func(in, out int) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.Int("in", in), attribute.Int("out", out)}
	}
	throws := func(int, int) []attribute.KeyValue { panic("out of paper") }
	calls := 0
	counts := func(int, int) []attribute.KeyValue { calls++; return nil }
	p := pipeline.New[int, int]("p").
		Stage(add("a", 1)).
		Stage(add("b", 10).Trace(show)).
		Stage(script(new(int), errAway).Retry(2, noPause).Trace(counts)).
		Stage(add("c", 1).Trace(throws)).
		Stage(fails("d", errAway).Trace(show)).
		MustBuild()
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) {
		if _, err := p.Run(ctx, 1); err == nil || err.Error() != "p/d: database away" {
			t.Error(err)
		}
	})
	want := []string{
		">a name=p stage=a stage.kind=map",
		">b in=2 out=12 name=p stage=b stage.kind=map",
		">c name=p stage=c stage.kind=map",
		">d in=8 out=0 name=p stage=d stage.kind=map",
		">s name=p stage=s stage.kind=map",
	}
	if got := tree(spans); !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range spans {
		if events := s.Events(); s.Name() == "c" && (len(events) != 1 || events[0].Name != "trace" || s.Status().Code != codes.Unset) {
			t.Errorf("events %v, status %v", events, s.Status())
		}
	}
	if _, _ = p.Run(t.Context(), 1); calls != 1 {
		t.Errorf("asked %d times", calls)
	}
}

// What a fallback covers is told on the span, which is fine otherwise.
func TestFallbackShows(t *testing.T) {
	s := fails("s", errAway).Fallback(func(context.Context, int, error) (int, error) { return 1, nil })
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = s.Run(ctx, 1) })
	if len(spans) != 1 || spans[0].Status().Code != codes.Unset || len(spans[0].Events()) != 1 || spans[0].Events()[0].Name != "fallback" {
		t.Errorf("spans %v", spans)
	}
}

func TestSpansOfCombinators(t *testing.T) {
	answer := pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error { return nil })
	pick := func(_ context.Context, _ int, a, _ int) (int, error) { return a, nil }
	p := pipeline.New[int, int]("p").
		Stage(pipeline.Switch("sw", sign, pipeline.On("plus", add("up", 1)))).
		Stage(pipeline.Both("both", add("x", 1), add("y", 1), pick)).
		Stage(pipeline.Validate("check", func(context.Context, int) error { return errAway }, answer)).
		MustBuild()
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = p.Run(ctx, 1) })
	want := []string{
		">both name=p stage=both stage.kind=both",
		">check dropped=dropped: rejected: database away name=p stage=check stage.kind=validate",
		">sw name=p stage=sw stage.kind=switch",
		"both>x name=p stage=x stage.kind=map",
		"both>y name=p stage=y stage.kind=map",
		"check>answer name=p stage=answer stage.kind=sink",
		"sw>up name=p stage=up stage.kind=map",
	}
	if got := tree(spans); !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

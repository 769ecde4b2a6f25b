package tracing

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := Config{Transport: "none", Ratio: 1, Recent: 1}
	stdout := good
	stdout.Transport = "stdout"
	bad := good
	bad.Transport = "file"

	_, err := New(bad, "shop", nil)
	checkError(t, err, []string{"tracing: transport:", `"file"`})
	_, err = New(stdout, "shop", nil)
	checkError(t, err, []string{"tracing: transport stdout: the writer is nil"})
	_, err = New(good, "", nil)
	checkError(t, err, []string{"tracing: transport none: the service name is empty"})
	_, err = NewWith(nil, 1, "shop")
	checkError(t, err, []string{"tracing: the transport is nil"})
	_, err = NewWith(recorder{}, 1.1, "shop")
	checkError(t, err, []string{"tracing: transport recorder: ratio 1.1 is not between 0 and 1"})
}

func TestNewMakesTheTransportAsked(t *testing.T) {
	for _, name := range []string{TransportNone, TransportStdout, TransportMemory} {
		s, err := New(Config{Transport: name, Ratio: 1, Recent: 1}, "shop", new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		if s.Transport() != name {
			t.Errorf("transport is %q, want %q", s.Transport(), name)
		}
		if (s.Recent() != nil) != (name == TransportMemory) {
			t.Errorf("transport %s: Recent is %v", name, s.Recent())
		}
		_, span := s.TracerProvider().Tracer("x").Start(context.Background(), "work")
		if span.IsRecording() != (name != TransportNone) {
			t.Errorf("transport %s: a span is recording: %v", name, span.IsRecording())
		}
		span.End()
		shutdown(t, s)
	}
}

func TestNoOpMakesNoSpans(t *testing.T) {
	for _, tr := range []Transport{NoOpTransport{}, &NoOpTransport{}} {
		s, err := NewWith(tr, 1, "shop")
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := s.Create(context.Background(), "work")
		end(errBoom)
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
			t.Errorf("%T: a span was made: %v", tr, sc)
		}
		if sc := s.Transition("w", "loop", "idle", "busy", "work", nil, time.Now(), 0, trace.SpanContext{}); sc.IsValid() {
			t.Errorf("%T: a transition span was made: %v", tr, sc)
		}
		if s.Counts() != (Counts{}) {
			t.Errorf("%T: counts %+v", tr, s.Counts())
		}
		shutdown(t, s)
	}
}

// A task that passes through a process without tracing must not lose its trace.
func TestNoOpPassesTheTraceOn(t *testing.T) {
	s, _ := NewWith(NoOpTransport{}, 1, "shop")
	in := map[string]string{"traceparent": "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"}
	ctx, span := s.Resume(context.Background(), in, "handle")
	defer span.End()
	out := map[string]string{}
	Inject(ctx, out)
	if out["traceparent"] != in["traceparent"] {
		t.Errorf("went on as %q, want %q", out["traceparent"], in["traceparent"])
	}
}

func TestWrapLeavesTheProviderAlone(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec))
	s := Wrap(tp)
	if s.TracerProvider() != trace.TracerProvider(tp) || s.Transport() != "application" || s.Recent() != nil || s.Counts() != (Counts{}) {
		t.Error("Wrap does not show the application's provider")
	}
	shutdown(t, s)
	_, end := s.Create(context.Background(), "after shutdown")
	end(nil)
	s.Transition("w", "loop", "idle", "busy", "work", nil, time.Now(), 0, trace.SpanContext{})
	if n := len(rec.Ended()); n != 2 {
		t.Errorf("%d spans, want 2: Shutdown must not close the application's provider", n)
	}
	if _, end := Wrap(nil).Create(context.Background(), "x"); end == nil {
		t.Error("Wrap(nil) does not work")
	}
}

// closing is a transport whose Shutdown the test decides.
type closing struct {
	NoOpTransport
	shutdown func(context.Context) error
}

func (closing) Name() string                         { return "slow" }
func (c closing) Shutdown(ctx context.Context) error { return c.shutdown(ctx) }

func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s, err := NewWith(closing{shutdown: func(context.Context) error { <-release; return nil }}, 1, "shop")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		err = s.Shutdown(ctx)
		checkError(t, err, []string{"transport slow was still busy"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		close(release)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("a later Shutdown waits for the first: %v", err)
		}
	})
}

func TestShutdownReachesTheTransportThoughTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s, _ := NewWith(closing{shutdown: func(ctx context.Context) error { calls++; return ctx.Err() }}, 1, "shop")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
		synctest.Wait()
		if err := s.Shutdown(context.Background()); calls != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("the transport was shut down %d times, want once; second Shutdown: %v", calls, err)
		}
	})
}

func TestShutdownSurvivesAPanic(t *testing.T) {
	s, _ := NewWith(closing{shutdown: func(context.Context) error { panic("boom") }}, 1, "shop")
	checkError(t, s.Shutdown(context.Background()), []string{"tracing: shutdown of transport slow: panic: boom"})
}

func TestSpansAfterShutdownGoNowhere(t *testing.T) {
	s, rec := record(t, 1)
	_, late := s.Create(context.Background(), "ends late")
	shutdown(t, s)
	late(nil)
	_, end := s.Create(context.Background(), "begins late")
	end(nil)
	s.Transition("w", "loop", "idle", "busy", "work", nil, time.Now(), 0, trace.SpanContext{})
	if names := rec.names(); len(names) != 0 {
		t.Errorf("recorded after Shutdown: %v", names)
	}
}

func TestResourceNamesTheService(t *testing.T) {
	s, rec := record(t, 1)
	_, end := s.Create(context.Background(), "work")
	end(nil)
	if got := rec.only(t).Resource().String(); !strings.Contains(got, "service.name=test") {
		t.Errorf("resource %q does not name the service", got)
	}
}

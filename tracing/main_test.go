package tracing

import (
	"context"
	"errors"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// recorder is a transport that keeps the finished spans for the test to look at.
type recorder struct{ *tracetest.SpanRecorder }

func (recorder) Name() string { return "recorder" }

// record makes a service at that ratio whose spans the test can look at.
func record(t *testing.T, ratio float64) (*Service, recorder) {
	t.Helper()
	rec := recorder{tracetest.NewSpanRecorder()}
	s, err := NewWith(rec, ratio, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, s) })
	return s, rec
}

// memory makes a service that keeps that many recent traces.
func memory(t *testing.T, recent int) *Service {
	t.Helper()
	s, err := New(Config{Transport: TransportMemory, Ratio: 1, Recent: recent}, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, s) })
	return s
}

func shutdown(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// only is the one span that was recorded.
func (r recorder) only(t *testing.T) sdktrace.ReadOnlySpan {
	t.Helper()
	spans := r.Ended()
	if len(spans) != 1 {
		t.Fatalf("%d spans were recorded, want 1: %v", len(spans), r.names())
	}
	return spans[0]
}

func (r recorder) names() []string {
	var names []string
	for _, s := range r.Ended() {
		names = append(names, s.Name())
	}
	return names
}

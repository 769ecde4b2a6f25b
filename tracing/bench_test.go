package tracing

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

func benchService(b *testing.B, transport string, ratio float64) *Service {
	b.Helper()
	s, err := New(Config{Transport: transport, Ratio: ratio, Recent: 200}, "bench", io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s
}

func BenchmarkTransition(b *testing.B) {
	for _, transport := range []string{TransportNone, TransportMemory, TransportStdout} {
		b.Run(transport, func(b *testing.B) {
			s := benchService(b, transport, 0)
			b.ReportAllocs()
			for b.Loop() {
				s.Transition("mails", "consume", "idle", "busy", "work", nil, noon, time.Second, trace.SpanContext{})
			}
		})
	}
}

// BenchmarkTask is one handled task: resume, one step with a fact and a message, end.
func BenchmarkTask(b *testing.B) {
	for _, c := range []struct {
		name, transport string
		flags           string
	}{
		{"none", TransportNone, "01"}, {"unsampled", TransportMemory, "00"},
		{"memory", TransportMemory, "01"}, {"stdout", TransportStdout, "01"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchService(b, c.transport, 1)
			metadata := map[string]string{"traceparent": goodParent[:53] + c.flags}
			b.ReportAllocs()
			for b.Loop() {
				ctx, span := s.Resume(context.Background(), metadata, "process")
				ctx, end := Step(ctx, "load")
				Record(ctx, slog.Int("lines", 3))
				Message(ctx, slog.LevelInfo, "loaded")
				end(nil)
				span.End()
			}
		})
	}
}

// BenchmarkList is a page of the control plane over a full store.
func BenchmarkList(b *testing.B) {
	s := benchService(b, TransportMemory, 1)
	for range 200 {
		work(s, "work", 20)
		move(s)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Recent().List(50)
	}
}

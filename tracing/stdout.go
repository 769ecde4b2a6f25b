package tracing

import (
	"context"
	"encoding/json"
	"io"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// stdout writes each finished span at once, as one line of JSON in one Write. Nothing is buffered, so nothing is lost when
// the process dies, and the lines stand in order between those of the log. The price is that the code whose span ends
// waits for the write.
type stdout struct {
	mu     sync.Mutex // one writer at a time
	w      io.Writer
	counts counts
}

// line is what stdout writes: a span and the application that it is from.
type line struct {
	Service string `json:"service"`
	Span
}

func newStdout(w io.Writer) *stdout { return &stdout{w: w} }

func (*stdout) Name() string { return TransportStdout }

func (*stdout) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (t *stdout) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	text, err := json.Marshal(line{Service: serviceName(s), Span: newSpan(s)})
	if err == nil {
		err = t.write(append(text, '\n'))
	}
	if err != nil {
		t.counts.fail(1, err)
		return
	}
	t.counts.export(1)
}

func (t *stdout) write(text []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.w.Write(text)
	return err
}

func (*stdout) ForceFlush(context.Context) error { return nil }
func (*stdout) Shutdown(context.Context) error   { return nil }

func (t *stdout) Counts() Counts { return t.counts.snapshot() }

func serviceName(s sdktrace.ReadOnlySpan) string {
	name, _ := s.Resource().Set().Value(semconv.ServiceNameKey)
	return name.AsString()
}

package tracing

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Transport takes finished spans away: it is an OpenTelemetry span processor with a name. The built-in ones are
// chosen by Config.Transport; an application brings its own with NewWith. An exporter (OTLP, Zipkin, …) becomes a
// Transport with Batch.
//
// OnStart and OnEnd are called in the goroutine that runs the business code, so they must be quick, must not block and
// must not panic. OnEnd gets spans that are recorded but not sampled too; a transport passes over those. Shutdown is called
// once, after the last OnEnd, and should end when its context does: the service does not wait longer.
type Transport interface {
	// Name is the transport's name in messages and in the status, e.g. "otlp".
	Name() string
	sdktrace.SpanProcessor
}

// Counts tells what became of the sampled spans that a transport was given, since it was made.
type Counts struct {
	Exported  uint64 `json:"exported"`             // handed over with success
	Dropped   uint64 `json:"dropped"`              // given up because a buffer was full or the transport was closed
	Failed    uint64 `json:"failed"`               // refused by the receiver
	LastError string `json:"last_error,omitempty"` // of the last failed hand-over
}

// Counter is implemented by transports that count. The built-in ones and Batch do.
type Counter interface {
	// Counts is a consistent snapshot; it never blocks on an export.
	Counts() Counts
}

// NoOpTransport records nothing. A service that is given it makes no spans at all, as with Config.Transport "none".
type NoOpTransport struct{}

// Name is "none".
func (NoOpTransport) Name() string { return TransportNone }

// OnStart does nothing.
func (NoOpTransport) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd does nothing.
func (NoOpTransport) OnEnd(sdktrace.ReadOnlySpan) {}

// ForceFlush does nothing.
func (NoOpTransport) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing.
func (NoOpTransport) Shutdown(context.Context) error { return nil }

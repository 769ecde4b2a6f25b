package tracing

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Metadata keys of the W3C trace context.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// maxHeader is the longest value, in bytes, that is taken from or put into metadata. W3C asks for 512 of tracestate.
const maxHeader = 512

// Inject writes the span context of ctx into metadata as traceparent and tracestate, in place of what was there. A ctx
// without a span changes nothing, so that forwarded metadata goes on with its trace; neither does a nil map. Inject never
// writes a value that Extract would not take.
func Inject(ctx context.Context, metadata map[string]string) {
	if metadata == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	delete(metadata, tracestate) // a state left over would belong to another trace
	propagation.TraceContext{}.Inject(ctx, carrier(metadata))
}

// Extract returns ctx with the span of metadata as its remote parent. Metadata may come from anywhere: a value that is
// longer than 512 bytes, holds a control character (CR and LF among them) or breaks the W3C format counts as absent. Without
// a valid traceparent ctx is returned as it is. The map is only read.
func Extract(ctx context.Context, metadata map[string]string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, carrier(metadata))
}

// remote is the span context in metadata, invalid if there is none.
func remote(metadata map[string]string) trace.SpanContext {
	return trace.SpanContextFromContext(Extract(context.Background(), metadata))
}

// carrier is metadata as OpenTelemetry reads and writes it, without the values that could do harm.
type carrier map[string]string

var _ propagation.TextMapCarrier = carrier(nil)

func (c carrier) Get(key string) string {
	if v := c[key]; harmless(v) {
		return v
	}
	return ""
}

func (c carrier) Set(key, value string) {
	if harmless(value) {
		c[key] = value
	}
}

func (c carrier) Keys() []string { return []string{traceparent, tracestate} }

func harmless(value string) bool {
	if len(value) > maxHeader {
		return false
	}
	for i := range len(value) {
		if b := value[i]; b < ' ' || b == 0x7f {
			return false
		}
	}
	return true
}

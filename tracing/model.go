package tracing

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Kind tells what a trace is about.
type Kind string

// The kinds of traces.
const (
	KindBusiness   Kind = "business"   // work of the application
	KindTransition Kind = "transition" // one move of a worker's state machine
)

// Summary is one line in the list of recent traces.
type Summary struct {
	TraceID         string    `json:"trace_id"`
	Kind            Kind      `json:"kind"`
	Name            string    `json:"name"`                    // of the root span; of the first one kept when the root is not here
	Detail          string    `json:"detail,omitempty"`        // of a transition: "mails: idle → busy (work)"
	Start           time.Time `json:"start"`                   // of the earliest span
	DurationSeconds float64   `json:"duration_seconds"`        // from the earliest start to the latest end
	SpanCount       int       `json:"span_count"`              // kept
	DroppedSpans    int       `json:"dropped_spans,omitempty"` // beyond SpansPerTrace
	Errors          int       `json:"errors,omitempty"`        // kept spans with status error
}

// Trace is one trace with the spans that are kept of it.
type Trace struct {
	Summary
	// Spans are in the order of the tree: each before its children, siblings by their start.
	Spans []Span `json:"spans"`
}

// Span is a finished span as JSON shows it. It is read-only: copies share maps and slices.
type Span struct {
	TraceID         string         `json:"trace_id"`
	SpanID          string         `json:"span_id"`
	ParentID        string         `json:"parent_id,omitempty"`
	Name            string         `json:"name"`
	Kind            string         `json:"kind"`  // internal, producer, consumer, client or server
	Scope           string         `json:"scope"` // which package made it
	Start           time.Time      `json:"start"`
	DurationSeconds float64        `json:"duration_seconds"`
	Status          string         `json:"status"` // unset, ok or error
	StatusMessage   string         `json:"status_message,omitempty"`
	Attributes      map[string]any `json:"attributes,omitempty"` // bool, int64, float64, string and lists of them
	Events          []Event        `json:"events,omitempty"`
	Links           []Link         `json:"links,omitempty"`
	Dropped         int            `json:"dropped,omitempty"` // attributes, events and links beyond the limits
}

// Event is something that happened during a span.
type Event struct {
	Name       string         `json:"name"`
	Time       time.Time      `json:"time"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// Link names a span that another one belongs with without being its child.
type Link struct {
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

func newSpan(s sdktrace.ReadOnlySpan) Span {
	span := Span{
		TraceID:         s.SpanContext().TraceID().String(),
		SpanID:          s.SpanContext().SpanID().String(),
		Name:            cut(s.Name()),
		Kind:            s.SpanKind().String(),
		Scope:           s.InstrumentationScope().Name,
		Start:           s.StartTime().UTC(),
		DurationSeconds: s.EndTime().Sub(s.StartTime()).Seconds(),
		Status:          statusName(s.Status().Code),
		StatusMessage:   cut(s.Status().Description),
		Attributes:      attributeMap(s.Attributes()),
		Dropped:         s.DroppedAttributes() + s.DroppedEvents() + s.DroppedLinks(),
	}
	if s.Parent().IsValid() {
		span.ParentID = s.Parent().SpanID().String()
	}
	for _, e := range s.Events() {
		span.Events = append(span.Events, Event{Name: cut(e.Name), Time: e.Time.UTC(), Attributes: attributeMap(e.Attributes)})
	}
	for _, l := range s.Links() {
		span.Links = append(span.Links, Link{
			TraceID: l.SpanContext.TraceID().String(), SpanID: l.SpanContext.SpanID().String(), Attributes: attributeMap(l.Attributes),
		})
	}
	return span
}

func statusName(code codes.Code) string { return strings.ToLower(code.String()) }

func attributeMap(kvs []attribute.KeyValue) map[string]any {
	if len(kvs) == 0 {
		return nil
	}
	m := make(map[string]any, len(kvs))
	for _, kv := range kvs {
		m[string(kv.Key)] = jsonValue(kv.Value)
	}
	return m
}

// jsonValue is v as a value that JSON can hold in every case: NaN and infinities, bytes and nested values become text.
func jsonValue(v attribute.Value) any {
	switch v.Type() {
	case attribute.STRING:
		return cut(v.AsString())
	case attribute.BOOL, attribute.INT64, attribute.BOOLSLICE, attribute.INT64SLICE:
		return v.AsInterface()
	case attribute.FLOAT64:
		if f := v.AsFloat64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	case attribute.STRINGSLICE:
		texts := v.AsStringSlice()
		for i, text := range texts {
			texts[i] = cut(text)
		}
		return texts
	}
	return cut(v.String())
}

// inTreeOrder sorts spans so that each comes before its children. A span whose parent is not among them stands as a root;
// siblings go by their start, and by their place in spans when that is equal.
func inTreeOrder(spans []Span) []Span {
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	here := make(map[string]bool, len(spans))
	for _, s := range spans {
		here[s.SpanID] = true
	}
	var roots []Span
	children := make(map[string][]Span, len(spans))
	for _, s := range spans {
		if s.ParentID == s.SpanID || !here[s.ParentID] {
			roots = append(roots, s)
		} else {
			children[s.ParentID] = append(children[s.ParentID], s)
		}
	}
	ordered := make([]Span, 0, len(spans))
	for stack := reversed(roots); len(stack) > 0; {
		s := stack[len(stack)-1]
		ordered = append(ordered, s)
		stack = append(stack[:len(stack)-1], reversed(children[s.SpanID])...)
	}
	return ordered
}

func reversed(spans []Span) []Span {
	slices.Reverse(spans)
	return spans
}

package tracing

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// SpansPerTrace is how many spans Recent keeps of one trace: the first half of them and, in place of what came between,
// the latest half to end. So the root and the outer stages, which end last, stay beside the first examples of the rest.
const SpansPerTrace = 512

// Recent is the transport memory: the latest traces of this process. Business traces and transitions stand on shelves of
// their own, each with Config.Recent places, so that busy workers do not push business traces out. A full shelf
// gives up the trace that was quiet for longest; should that one have more spans to come, it comes back with those alone. A trace that
// is nothing but a look that found nothing (see Idle) is not kept at all.
// Safe for concurrent use, readable after Shutdown too.
type Recent struct {
	counts counts

	mu      sync.Mutex
	places  int // on each shelf
	shelves map[Kind]*shelf
	traces  map[trace.TraceID]*list.Element // of *kept, on whichever shelf
	clock   uint64                          // grows with every span: what was touched last
}

type shelf struct {
	order   *list.List // of *kept; the front was touched last
	evicted uint64
}

// kept is what is known of one trace.
type kept struct {
	id         trace.TraceID
	kind       Kind
	touched    uint64
	start, end time.Time
	spans      []Span
	dropped    int
}

func newRecent(places int) *Recent {
	return &Recent{
		places: places,
		traces: make(map[trace.TraceID]*list.Element),
		shelves: map[Kind]*shelf{
			KindBusiness:   {order: list.New()},
			KindTransition: {order: list.New()},
		},
	}
}

// Name is "memory".
func (*Recent) Name() string { return TransportMemory }

// OnStart does nothing: only finished spans are kept.
func (*Recent) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps a finished span.
func (r *Recent) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	kind := KindBusiness
	if isTransition(s) {
		kind = KindTransition
	}
	span := newSpan(s)

	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.traces[s.SpanContext().TraceID()]; !known && isIdle(s) {
		return
	}
	t := r.touch(s.SpanContext().TraceID(), kind)
	if t.start.IsZero() || s.StartTime().Before(t.start) {
		t.start = s.StartTime()
	}
	if s.EndTime().After(t.end) {
		t.end = s.EndTime()
	}
	if t.add(span) {
		r.counts.export(1)
	} else {
		r.counts.drop(1)
	}
}

// touch finds or makes the trace and moves it to the front of its shelf.
func (r *Recent) touch(id trace.TraceID, kind Kind) *kept {
	r.clock++
	el, ok := r.traces[id]
	if !ok {
		el = r.shelves[kind].order.PushFront(&kept{id: id, kind: kind})
		r.traces[id] = el
		r.makeRoom(r.shelves[kind])
	}
	t := el.Value.(*kept)
	t.touched = r.clock
	r.shelves[t.kind].order.MoveToFront(el)
	return t
}

func (r *Recent) makeRoom(s *shelf) {
	for s.order.Len() > r.places {
		oldest := s.order.Remove(s.order.Back()).(*kept)
		delete(r.traces, oldest.id)
		s.evicted++
	}
}

// add keeps span; false when another one was given up for it.
func (t *kept) add(span Span) bool {
	if len(t.spans) < SpansPerTrace {
		t.spans = append(t.spans, span)
		return true
	}
	const half = SpansPerTrace / 2
	t.spans[half+t.dropped%half] = span
	t.dropped++
	return false
}

// ForceFlush does nothing: a span is kept when it ends.
func (*Recent) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing: what was kept can still be read.
func (*Recent) Shutdown(context.Context) error { return nil }

// Counts tells how many spans were kept (Exported) and how many were given up because their trace had more than
// SpansPerTrace (Dropped). What went later with whole traces is told by Evicted.
func (r *Recent) Counts() Counts { return r.counts.snapshot() }

// Evicted is how many traces of that kind had to make room for later ones.
func (r *Recent) Evicted(kind Kind) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.shelves[kind]; s != nil {
		return s.evicted
	}
	return 0
}

// List gives the latest limit traces, the one with the latest news first; a limit of 0 or less gives all. Only traces of
// the given kinds are listed, of all kinds when none is given. The result is never nil.
func (r *Recent) List(limit int, kinds ...Kind) []Summary {
	if len(kinds) == 0 {
		kinds = []Kind{KindBusiness, KindTransition}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []*kept{}
	for kind, s := range r.shelves {
		if !slices.Contains(kinds, kind) {
			continue
		}
		for el := s.order.Front(); el != nil; el = el.Next() {
			found = append(found, el.Value.(*kept))
		}
	}
	slices.SortFunc(found, func(a, b *kept) int { return cmp.Compare(b.touched, a.touched) })
	if limit > 0 && limit < len(found) {
		found = found[:limit]
	}
	summaries := make([]Summary, len(found))
	for i, t := range found {
		summaries[i] = t.summary()
	}
	return summaries
}

// Get gives the trace with that ID (32 hexadecimal digits, lower case); false when it is not, or no longer, here.
func (r *Recent) Get(traceID string) (Trace, bool) {
	id, err := trace.TraceIDFromHex(traceID)
	if err != nil {
		return Trace{}, false
	}
	r.mu.Lock()
	el, ok := r.traces[id]
	if !ok {
		r.mu.Unlock()
		return Trace{}, false
	}
	t := el.Value.(*kept)
	summary, spans := t.summary(), slices.Clone(t.spans)
	r.mu.Unlock()
	return Trace{Summary: summary, Spans: inTreeOrder(spans)}, true
}

func (t *kept) summary() Summary {
	top := t.top()
	s := Summary{
		TraceID: t.id.String(), Kind: t.kind, Name: top.Name,
		Start: t.start.UTC(), DurationSeconds: t.end.Sub(t.start).Seconds(),
		SpanCount: len(t.spans), DroppedSpans: t.dropped,
	}
	if t.kind == KindTransition {
		a := top.Attributes
		s.Detail = fmt.Sprintf("%v: %v → %v (%v)", a[string(keyWorker)], a[string(keyFrom)], a[string(keyTo)], a[string(keyEvent)])
	}
	for _, span := range t.spans {
		if span.Status == "error" {
			s.Errors++
		}
	}
	return s
}

// top is the root span, or the earliest one kept when the root is not here (yet).
func (t *kept) top() Span {
	top := t.spans[0]
	for _, span := range t.spans {
		if span.ParentID == "" {
			return span
		}
		if span.Start.Before(top.Start) {
			top = span
		}
	}
	return top
}

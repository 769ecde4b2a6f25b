package tracing

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

// work makes one business trace with n steps below the root and returns its ID.
func work(s *Service, name string, n int) string {
	ctx, end := s.Create(context.Background(), name)
	for i := range n {
		_, endStep := Step(ctx, fmt.Sprint("step ", i))
		endStep(nil)
	}
	end(nil)
	return trace.SpanContextFromContext(ctx).TraceID().String()
}

func move(s *Service) string {
	return s.Transition("mails", "consume", "idle", "busy", "work", nil, noon, time.Second, trace.SpanContext{}).TraceID().String()
}

func names(list []Summary) []string {
	got := []string{}
	for _, s := range list {
		got = append(got, s.Name)
	}
	return got
}

func TestRecentShowsATrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, 10)
		begun := time.Now()
		ctx, end := s.Create(context.Background(), "poll", attribute.Int("mails", 2))
		time.Sleep(time.Second)
		outer, endOuter := Step(ctx, "outer")
		_, endInner := Step(outer, "inner")
		endInner(errBoom)
		endOuter(nil)
		_, endLast := Step(ctx, "last")
		endLast(nil)
		time.Sleep(time.Second)
		end(nil)

		id := trace.SpanContextFromContext(ctx).TraceID().String()
		got, ok := s.Recent().Get(id)
		if !ok {
			t.Fatal("the trace is not there")
		}
		want := Summary{TraceID: id, Kind: KindBusiness, Name: "poll", Start: begun.UTC(), DurationSeconds: 2, SpanCount: 4, Errors: 1}
		if got.Summary != want {
			t.Errorf("summary\n%+v, want\n%+v", got.Summary, want)
		}
		if list := s.Recent().List(0); len(list) != 1 || list[0] != want {
			t.Errorf("list %+v", list)
		}
		var order []string
		for _, span := range got.Spans {
			order = append(order, span.Name)
		}
		// All three steps fall on one instant of virtual time: the tree orders them.
		if want := []string{"poll", "outer", "inner", "last"}; !reflect.DeepEqual(order, want) {
			t.Errorf("spans %v, want %v", order, want)
		}
		root, inner := got.Spans[0], got.Spans[2]
		if root.ParentID != "" || inner.ParentID != got.Spans[1].SpanID || root.DurationSeconds != 2 || root.Kind != "internal" {
			t.Errorf("root %+v\ninner %+v", root, inner)
		}
		if inner.Status != "error" || inner.StatusMessage != "boom" || inner.Events[0].Name != "exception" || root.Status != "unset" {
			t.Errorf("inner %+v", inner)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
	})
}

func TestRecentIsBoundedInTraces(t *testing.T) {
	s := memory(t, 3)
	var ids []string
	for i := range 5 {
		ids = append(ids, work(s, fmt.Sprint("trace ", i), 1))
	}
	r := s.Recent()
	if got, want := names(r.List(0)), []string{"trace 4", "trace 3", "trace 2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	if got, want := names(r.List(2)), []string{"trace 4", "trace 3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("list of 2 %v, want %v", got, want)
	}
	for i, id := range ids {
		if _, ok := r.Get(id); ok != (i >= 2) {
			t.Errorf("trace %d is there: %v", i, ok)
		}
	}
	if got := r.Evicted(KindBusiness); got != 2 {
		t.Errorf("%d evicted, want 2", got)
	}
	if len(r.traces) != 3 {
		t.Errorf("the index holds %d traces, want 3", len(r.traces))
	}
}

// The trace that was quiet for longest goes, not the one that began first.
func TestRecentKeepsATraceInUse(t *testing.T) {
	s := memory(t, 2)
	ctx, end := s.Create(context.Background(), "long")
	for i := range 4 {
		_, endStep := Step(ctx, "step")
		endStep(nil)
		work(s, fmt.Sprint("short ", i), 0)
	}
	end(nil)
	if got, want := names(s.Recent().List(0)), []string{"long", "short 3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	if got := s.Recent().List(1)[0].SpanCount; got != 5 {
		t.Errorf("the long trace has %d spans, want 5", got)
	}
}

func TestTransitionsDoNotPushBusinessTracesOut(t *testing.T) {
	s := memory(t, 2)
	work(s, "order", 0)
	for range 100 {
		move(s)
	}
	r := s.Recent()
	if got, want := names(r.List(0)), []string{TransitionName, TransitionName, "order"}; !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	if got, want := names(r.List(5, KindBusiness)), []string{"order"}; !reflect.DeepEqual(got, want) {
		t.Errorf("business %v, want %v", got, want)
	}
	moves := r.List(0, KindTransition)
	if len(moves) != 2 || moves[0].Kind != KindTransition || moves[0].Detail != "mails: idle → busy (work)" {
		t.Errorf("transitions %+v", moves)
	}
	if got := r.List(0, "nonsense"); got == nil || len(got) != 0 {
		t.Errorf("an unknown kind lists %v, want an empty list", got)
	}
	if b, m, n := r.Evicted(KindBusiness), r.Evicted(KindTransition), r.Evicted("nonsense"); b != 0 || m != 98 || n != 0 {
		t.Errorf("evicted %d, %d and %d, want 0, 98 and 0", b, m, n)
	}
	if got, ok := r.Get(moves[0].TraceID); !ok || len(got.Spans) != 1 || got.Spans[0].Attributes["worker.to"] != "busy" {
		t.Errorf("Get of a transition: %v %+v", ok, got)
	}
}

// A huge trace keeps its first spans, its latest ones and with them the root, and counts the rest.
func TestRecentIsBoundedInSpans(t *testing.T) {
	const n = 3*SpansPerTrace + 10
	s := memory(t, 2)
	id := work(s, "huge", n)
	got, _ := s.Recent().Get(id)
	if len(got.Spans) != SpansPerTrace || got.SpanCount != SpansPerTrace || got.DroppedSpans != n+1-SpansPerTrace {
		t.Fatalf("%d spans, summary %+v", len(got.Spans), got.Summary)
	}
	if want := (Counts{Exported: SpansPerTrace, Dropped: n + 1 - SpansPerTrace}); s.Counts() != want {
		t.Errorf("counts %+v, want %+v", s.Counts(), want)
	}
	kept := map[string]bool{}
	for _, span := range got.Spans {
		kept[span.Name] = true
	}
	for _, name := range []string{"huge", "step 0", fmt.Sprint("step ", SpansPerTrace/2-1), fmt.Sprint("step ", n-1), fmt.Sprint("step ", n-SpansPerTrace/2+1)} {
		if !kept[name] {
			t.Errorf("%q was given up", name)
		}
	}
	if got.Name != "huge" || got.Spans[0].Name != "huge" {
		t.Errorf("the root is not on top: %q, %q", got.Name, got.Spans[0].Name)
	}
}

func TestRecentOfASpanWithoutItsRoot(t *testing.T) {
	s := memory(t, 2)
	_, span := s.Resume(context.Background(), map[string]string{"traceparent": goodParent}, "handle")
	span.End()
	got, ok := s.Recent().Get("0102030405060708090a0b0c0d0e0f10")
	if !ok || got.Name != "handle" || got.Spans[0].ParentID != "0102030405060708" {
		t.Errorf("%v %+v", ok, got)
	}
}

func TestRecentGetRefusesWhatIsNoID(t *testing.T) {
	s := memory(t, 1)
	id := work(s, "x", 0)
	for _, bad := range []string{"", "../x", id + "0", strings.ToUpper(id) + "!", strings.Repeat("0", 32), "0102030405060708090a0b0c0d0e0f10"} {
		if _, ok := s.Recent().Get(bad); ok {
			t.Errorf("Get(%q) found something", bad)
		}
	}
}

func TestRecentCutsWhatOthersRecorded(t *testing.T) {
	s := memory(t, 1)
	_, span := s.Tracer().Start(context.Background(), "x")
	span.RecordError(fmt.Errorf("%s", strings.Repeat("y", 3*maxText))) // not through this package
	span.AddEvent("list", trace.WithAttributes(attribute.StringSlice("l", []string{strings.Repeat("z", 2*maxText)})))
	span.End()
	got, _ := s.Recent().Get(span.SpanContext().TraceID().String())
	events := got.Spans[0].Events
	if n := len(events[0].Attributes["exception.message"].(string)); n != maxText {
		t.Errorf("the message has %d bytes, want %d", n, maxText)
	}
	if n := len(events[1].Attributes["l"].([]string)[0]); n != maxText {
		t.Errorf("the listed text has %d bytes, want %d", n, maxText)
	}
}

func TestRecentCountsWhatTheSpanDropped(t *testing.T) {
	s := memory(t, 1)
	ctx, end := s.Create(context.Background(), "x")
	for i := range sdktrace.DefaultEventCountLimit + 3 {
		Message(ctx, 0, fmt.Sprint(i))
	}
	end(nil)
	id := trace.SpanContextFromContext(ctx).TraceID().String()
	got, _ := s.Recent().Get(id)
	if span := got.Spans[0]; span.Dropped != 3 || len(span.Events) != sdktrace.DefaultEventCountLimit || span.Events[0].Name != "3" {
		t.Errorf("dropped %d, %d events from %q on", span.Dropped, len(span.Events), span.Events[0].Name)
	}
}

// Whatever happens, the bounds hold, the index agrees with the shelves and every span is counted once.
func TestRecentProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.IntRange(1, 5).Draw(t, "places")
		r := newRecent(places)
		s := Wrap(newProvider(r, 1, "test"))
		open := []context.Context{context.Background()}
		spans := 0
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				ctx, end := s.Create(context.Background(), "root")
				end(nil)
				spans++
				open = append(open, ctx)
			},
			"child": func(t *rapid.T) {
				parent := rapid.SampledFrom(open).Draw(t, "parent")
				_, span := s.Tracer().Start(parent, "child")
				span.End()
				spans++
			},
			"transition": func(*rapid.T) { move(s); spans++ },
			"": func(t *rapid.T) {
				all := r.List(0)
				for _, kind := range []Kind{KindBusiness, KindTransition} {
					if n := len(r.List(0, kind)); n > places {
						t.Fatalf("%d traces of kind %s in %d places", n, kind, places)
					}
				}
				if len(all) != len(r.traces) {
					t.Fatalf("%d traces listed, %d in the index", len(all), len(r.traces))
				}
				for _, sum := range all {
					got, ok := r.Get(sum.TraceID)
					if !ok || got.Summary != sum || len(got.Spans) != sum.SpanCount {
						t.Fatalf("listed %+v, got %v %+v", sum, ok, got)
					}
				}
				if c := r.Counts(); int(c.Exported+c.Dropped) != spans {
					t.Fatalf("counts %+v after %d spans", c, spans)
				}
			},
		})
	})
}

func TestRecentUnderConcurrentUse(t *testing.T) {
	s := memory(t, 20)
	const goroutines, rounds = 6, 60
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range rounds {
				id := work(s, "work", i%4)
				move(s)
				s.Recent().Get(id)
				for _, sum := range s.Recent().List(5) {
					if got, ok := s.Recent().Get(sum.TraceID); ok {
						if _, err := json.Marshal(got); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	r := s.Recent()
	if b, m := len(r.List(0, KindBusiness)), len(r.List(0, KindTransition)); b != 20 || m != 20 {
		t.Errorf("%d business traces and %d transitions, want 20 of each", b, m)
	}
	const made = goroutines * rounds
	// A business trace can be evicted in the middle of its work and come back.
	if b, m := r.Evicted(KindBusiness), r.Evicted(KindTransition); b < made-20 || m != made-20 {
		t.Errorf("evicted %d and %d, want %d of each", b, m, made-20)
	}
}

// Siblings that overlap stand in the order in which they began.
func TestRecentOrdersSiblingsByStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, 1)
		ctx, end := s.Create(context.Background(), "root")
		_, endFirst := Step(ctx, "first")
		time.Sleep(time.Second)
		_, endSecond := Step(ctx, "second")
		endSecond(nil)
		endFirst(nil)
		end(nil)
		got, _ := s.Recent().Get(s.Recent().List(1)[0].TraceID)
		if order := []string{got.Spans[0].Name, got.Spans[1].Name, got.Spans[2].Name}; !reflect.DeepEqual(order, []string{"root", "first", "second"}) {
			t.Errorf("spans %v", order)
		}
	})
}

// The root ends last: until then the earliest span gives the trace its name.
func TestRecentNamesATraceByItsEarliestSpan(t *testing.T) {
	s := memory(t, 1)
	ctx, end := s.Create(context.Background(), "root")
	first, endFirst := Step(ctx, "first")
	_, endSecond := Step(first, "second")
	endSecond(nil)
	endFirst(nil)
	if got := s.Recent().List(1)[0]; got.Name != "first" || got.SpanCount != 2 {
		t.Errorf("before the root has ended: %+v", got)
	}
	end(nil)
	if got := s.Recent().List(1)[0]; got.Name != "root" {
		t.Errorf("after the root has ended: %+v", got)
	}
}

// A poll that finds nothing every second must not push out what was done; one that did something is kept whole.
func TestIdleTracesAreNotKept(t *testing.T) {
	s, err := New(Config{Transport: TransportMemory, Ratio: 1, Recent: 2}, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	look := func(found bool) {
		ctx, end := s.Create(t.Context(), "poll")
		if found {
			_, done := Step(ctx, "fetch")
			done(nil)
		}
		Idle(ctx)
		end(nil)
	}
	look(true)
	for range 10 {
		look(false)
	}
	got := s.Recent().List(0)
	if len(got) != 1 || got[0].Name != "poll" || got[0].SpanCount != 2 {
		t.Errorf("kept %+v", got)
	}
	if n := s.Recent().Evicted(KindBusiness); n != 0 {
		t.Errorf("%d traces made room", n)
	}
}

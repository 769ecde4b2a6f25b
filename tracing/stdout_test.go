package tracing

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ids counts, so that golden files are stable.
type ids struct{ last uint64 }

func (g *ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	g.last++
	binary.BigEndian.PutUint64(id[8:], g.last)
	return id, g.NewSpanID(ctx, id)
}

func (g *ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	g.last++
	binary.BigEndian.PutUint64(id[:], g.last)
	return id
}

func TestStdoutGolden(t *testing.T) {
	var out bytes.Buffer
	tp := newProvider(newStdout(&out), 1, "shop", sdktrace.WithIDGenerator(&ids{}))
	s := Wrap(tp)
	start := s.Transition("mails", "consume", "stopped", "starting", "start", nil, noon, time.Second, trace.SpanContext{})
	s.Transition("mails", "consume", "starting", "stopped", "fail", errBoom, noon.Add(time.Second), time.Second, start)

	at := func(ms int) trace.SpanEventOption {
		return trace.WithTimestamp(noon.Add(time.Duration(ms) * time.Millisecond))
	}
	ctx, root := s.Tracer().Start(context.Background(), "process mails", trace.WithSpanKind(trace.SpanKindConsumer), at(0))
	_, step := s.Tracer().Start(ctx, "parse \"a\nb\"", at(1), trace.WithAttributes(
		attribute.Int("lines", 3), attribute.Bool("csv", true), attribute.Float64("share", 0.5), attribute.Float64("odd", math.NaN()),
		attribute.StringSlice("columns", []string{"article", "quantity"}), attribute.Float64Slice("weights", []float64{1, math.Inf(1)}),
		attribute.Int64Slice("counts", []int64{1, 2})))
	step.AddEvent("line skipped", at(2), trace.WithAttributes(attribute.String("message.level", "WARN")))
	step.SetStatus(codes.Error, "line 3: no quantity")
	step.End(at(3))
	root.SetStatus(codes.Ok, "")
	root.End(at(4))

	const golden = "testdata/stdout.golden"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("stdout wrote\n%s\nwant (run with -update to accept)\n%s", got, want)
	}
}

func TestStdoutPassesOverUnsampledSpans(t *testing.T) {
	var out bytes.Buffer
	s, err := New(Config{Transport: "stdout", Ratio: 0, Recent: 1}, "shop", &out)
	if err != nil {
		t.Fatal(err)
	}
	_, end := s.Create(context.Background(), "work")
	end(nil)
	s.Transition("w", "loop", "idle", "busy", "work", nil, noon, 0, trace.SpanContext{})
	shutdown(t, s)
	if lines := strings.Count(out.String(), "\n"); lines != 1 || s.Counts() != (Counts{Exported: 1}) {
		t.Errorf("%d lines, counts %+v; want the transition alone:\n%s", lines, s.Counts(), out.String())
	}
}

// refusing fails every second write.
type refusing struct{ n int }

func (w *refusing) Write(p []byte) (int, error) {
	w.n++
	if w.n%2 == 0 {
		return 0, errBoom
	}
	return len(p), nil
}

func TestStdoutCountsFailedWrites(t *testing.T) {
	s, err := New(Config{Transport: "stdout", Ratio: 1, Recent: 1}, "shop", &refusing{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, end := s.Create(context.Background(), "work")
		end(nil)
	}
	if got, want := s.Counts(), (Counts{Exported: 3, Failed: 2, LastError: "boom"}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	shutdown(t, s)
}

func TestStdoutLinesStayWhole(t *testing.T) {
	var out bytes.Buffer // unguarded: the race detector sees overlapping writes
	s, err := New(Config{Transport: "stdout", Ratio: 1, Recent: 1}, "shop", &out)
	if err != nil {
		t.Fatal(err)
	}
	const goroutines, spans = 8, 50
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range spans {
				ctx, end := s.Create(context.Background(), "work")
				Message(ctx, 0, "step")
				end(nil)
			}
		})
	}
	wg.Wait()
	shutdown(t, s)
	seen := map[string]bool{}
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		seen[l.SpanID] = true
	}
	if len(seen) != goroutines*spans || s.Counts().Exported != goroutines*spans {
		t.Errorf("%d different spans, counts %+v, want %d", len(seen), s.Counts(), goroutines*spans)
	}
}

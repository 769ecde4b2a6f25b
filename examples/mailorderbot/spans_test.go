package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

var update = flag.Bool("update", false, "write testdata/golden/*.txt anew")

const spansHead = `# The spans that the bot exports from start to stop, for an inbox with one mail of two order files.
#
# What differs from run to run is written so: held_seconds, which is measured, as "0 or more"; IDs of messages as "(id)"; that a worker turns busy and
# idle again several times in a row, once. Everything else is as exported. Transitions stand in their order, for each worker. In the trace of the
# mail an indent is a child; spans of one name beside each other are sorted by their attributes. Of the polls, only the one that found the mail is shown.
#
# go test ./examples/mailorderbot -run GoldenSpans -update writes this file.
`

// TestGoldenSpans compares the spans of both workers, from stopped to stopped, with the committed ones. The pause between two polls is long, so that how
// often a worker turns busy does not depend on the machine: mail-polling polls until it finds nothing new, then both come to rest, then they are stopped.
func TestGoldenSpans(t *testing.T) {
	spans := record(t)
	got := spansHead + transitions(t, spans, "mail-polling") + transitions(t, spans, "email-processing") + way(t, spans)
	path := filepath.Join("testdata", "golden", "spans.txt")
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("the spans differ from %s (-update writes it anew):\n%s\nall:\n%s", path,
			diff(strings.Split(got, "\n"), strings.Split(string(want), "\n")), got)
	}
}

// record runs the bot over one mail and gives all exported spans.
func record(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	raw, err := os.ReadFile(filepath.Join("testdata", "mails", "07-two-files.eml"))
	must(t, err)
	m := &module{out: io.Discard, mails: "given", deliver: []mailserver.File{{Name: "07-two-files.eml", Raw: raw}}}
	app, err := plba.New(m, slices.Concat(m.options(), []plba.Option{
		plba.WithSetting("mail_order_bot.store", filepath.Join(t.TempDir(), "orders.db")),
		plba.WithSetting("mail_order_bot.poll_every", "1h"),
		plba.WithoutControlListener(), plba.WithOutput(t.Output()), plba.WithTracerProvider(provider),
	})...)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, app.Start(ctx))
	for !atRest(app, m) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the bot does not come to rest: %+v", app.Status())
		}
	}
	_, err = app.Stop(ctx)
	must(t, err)
	must(t, app.Close(ctx))
	must(t, provider.Shutdown(ctx))
	return recorder.Ended()
}

// atRest: the mail is moved and both workers have become idle after it.
func atRest(app *plba.App, m *module) bool {
	for _, w := range app.Status().Workers {
		if w.State != workers.Idle || w.Done == 0 {
			return false
		}
	}
	return m.demo.server.Counts()["INBOX"] == 0
}

// transitions writes a worker's transitions, each with its attributes.
func transitions(t *testing.T, spans []sdktrace.ReadOnlySpan, worker string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\nworker %s\n", worker)
	var begin trace.SpanContext
	var events []string
	for _, s := range spans {
		if s.Name() != tracing.TransitionName || attr(s, "worker.name") != worker {
			continue
		}
		link := "no link"
		if attr(s, "worker.event") == "start" {
			begin = s.SpanContext()
		}
		for _, l := range s.Links() {
			if link = "linked to something else"; l.SpanContext.SpanID() == begin.SpanID() {
				link = "linked to the start"
			}
		}
		if s.Parent().IsValid() || !s.EndTime().Equal(s.StartTime()) {
			t.Errorf("a transition is no point in time with a trace of its own: %+v", s)
		}
		events = append(events, fmt.Sprintf("  %s → %s  %s %s, %s\n", attr(s, "worker.from"), attr(s, "worker.to"), attributes(t, s), s.SpanKind(), link))
		if n := len(events); n >= 4 && slices.Equal(events[n-2:], events[n-4:n-2]) {
			events = events[:n-2]
		}
	}
	b.WriteString(strings.Join(events, ""))
	return b.String()
}

func attr(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// attributes writes all attributes in the order of their names.
func attributes(t *testing.T, s sdktrace.ReadOnlySpan) string {
	t.Helper()
	var texts []string
	for _, kv := range s.Attributes() {
		value := kv.Value.String()
		switch kv.Key {
		case "worker.held_seconds":
			if held := kv.Value.AsFloat64(); held < 0 || held > patience.Seconds() {
				t.Errorf("%s: %v", kv.Key, held)
			}
			value = "0 or more"
		case "messaging.message.id":
			value = "(id)"
		}
		texts = append(texts, string(kv.Key)+"="+value)
	}
	slices.Sort(texts)
	return "{" + strings.Join(texts, ", ") + "}"
}

// way writes the trace of the mail as a tree.
func way(t *testing.T, spans []sdktrace.ReadOnlySpan) string {
	t.Helper()
	i := slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "move" })
	if i < 0 {
		t.Fatal("no span of the last stage")
	}
	children := map[trace.SpanID][]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		if s.SpanContext().TraceID() == spans[i].SpanContext().TraceID() {
			children[s.Parent().SpanID()] = append(children[s.Parent().SpanID()], s)
		}
	}
	b := strings.Builder{}
	b.WriteString("\ntrace of the mail\n")
	var write func(parent trace.SpanID, indent string)
	write = func(parent trace.SpanID, indent string) {
		slices.SortFunc(children[parent], func(x, y sdktrace.ReadOnlySpan) int {
			if x.Name() == y.Name() {
				return cmp.Compare(attributes(t, x), attributes(t, y))
			}
			return x.StartTime().Compare(y.StartTime())
		})
		for _, s := range children[parent] {
			fmt.Fprintf(&b, "%s%s  %s %s, status %s\n", indent, s.Name(), attributes(t, s), s.SpanKind(), strings.ToLower(s.Status().Code.String()))
			write(s.SpanContext().SpanID(), indent+"  ")
		}
	}
	write(trace.SpanID{}, "  ")
	return b.String()
}

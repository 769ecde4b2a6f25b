package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/plba/plba/logging"

	"go.opentelemetry.io/otel/trace"
)

var formats = []string{logging.FormatText, logging.FormatJSON}

func newManager(t *testing.T, format string, w io.Writer) *logging.Manager {
	t.Helper()
	m, err := logging.New(logging.Config{Level: "debug", Format: format}, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// withSpan returns a context with a span whose ids are easy to recognise.
func withSpan(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xAA, 15: 0x01}, SpanID: trace.SpanID{0xBB, 7: 0x02},
	}))
}

const (
	traceID = "aa000000000000000000000000000001"
	spanID  = "bb00000000000002"
)

func TestConfig(t *testing.T) {
	var c logging.Config
	c.SetDefaults()
	if c != (logging.Config{Level: "info", Format: "text"}) {
		t.Errorf("defaults: %+v", c)
	}
	for _, c := range []logging.Config{{}, c, {Level: "debug", Format: "json"}, {Level: "warn"}, {Level: "error"}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	bad := logging.Config{Level: "INFO", Format: "xml"}
	want := "level \"INFO\" is not one of debug, info, warn, error\nformat \"xml\" is not one of text, json"
	if err := bad.Validate(); fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := logging.New(bad, io.Discard); fmt.Sprint(err) != "logging: "+want {
		t.Errorf("New: %v", err)
	}
	if _, err := logging.New(c, nil); err == nil {
		t.Error("no writer is no error")
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	m, err := logging.New(logging.Config{}, &out)
	if err != nil {
		t.Fatal(err)
	}
	derived := m.Logger().With("a", 1).WithGroup("g") // made before the change
	write := func() string {
		out.Reset()
		for _, l := range []*slog.Logger{m.Logger(), derived} {
			l.Debug("debug")
			l.Info("info")
			l.Error("error")
		}
		var seen []string
		for line := range strings.Lines(out.String()) {
			_, msg, _ := strings.Cut(line, "msg=")
			seen = append(seen, strings.Fields(msg)[0])
		}
		return strings.Join(seen, " ")
	}
	if m.Level() != slog.LevelInfo || write() != "info error info error" {
		t.Errorf("at %v: %s", m.Level(), write())
	}
	m.SetLevel(slog.LevelDebug)
	if m.Level() != slog.LevelDebug || write() != "debug info error debug info error" {
		t.Errorf("at %v: %s", m.Level(), write())
	}
	m.SetLevel(slog.LevelError)
	if m.Level() != slog.LevelError || write() != "error error" {
		t.Errorf("at %v: %s", m.Level(), write())
	}
	if first, second := m.Logger(), m.Logger(); first != second {
		t.Error("Logger makes a new one each time")
	}
}

func TestTraceIDs(t *testing.T) {
	var out bytes.Buffer
	log := newManager(t, logging.FormatJSON, &out).Logger()
	for name, c := range map[string]struct {
		log  *slog.Logger
		want string
	}{
		"plain":      {log, `"msg":"m","x":1,"trace_id":"T","span_id":"S"`},
		"attributes": {log.With("a", 1), `"msg":"m","a":1,"x":1,"trace_id":"T","span_id":"S"`},
		"group":      {log.WithGroup("g"), `"msg":"m","trace_id":"T","span_id":"S","g":{"x":1}`},
		"all": {
			log.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").WithGroup("h").With("c", 3),
			`"msg":"m","a":1,"trace_id":"T","span_id":"S","g":{"b":2,"h":{"c":3,"x":1}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for ctx, want := range map[context.Context]string{
				withSpan(t.Context()): strings.NewReplacer(`"T"`, `"`+traceID+`"`, `"S"`, `"`+spanID+`"`).Replace(c.want),
				t.Context():           strings.Replace(c.want, `"trace_id":"T","span_id":"S"`, "", 1),
			} {
				out.Reset()
				c.log.InfoContext(ctx, "m", "x", 1)
				want = strings.NewReplacer(",,", ",", ",}", "}").Replace(want + "}")
				_, got, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), `"level":"INFO",`)
				if got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// Loggers derived from the same one must not see each other's attributes.
func TestDerivedLoggersAreIndependent(t *testing.T) {
	var out bytes.Buffer
	base := newManager(t, logging.FormatText, &out).Logger().WithGroup("g").With("a", 1)
	one, two := base.With("one", 1), base.With("two", 2)
	for log, want := range map[*slog.Logger]string{
		one: "span_id=" + spanID + " g.a=1 g.one=1\n", two: "span_id=" + spanID + " g.a=1 g.two=2\n",
	} {
		out.Reset()
		log.InfoContext(withSpan(t.Context()), "m")
		if !strings.HasSuffix(out.String(), want) {
			t.Errorf("got %q, want the end %q", out.String(), want)
		}
	}
}

// hostile text tries to end the line and to begin a record of its own.
const hostile = "x\r\nlevel=ERROR msg=forged\n{\"level\":\"ERROR\"}\u2028\u0085\x1b[31m\x00"

type hostileStruct struct{ Text string }

type hostileText struct{}

func (hostileText) MarshalText() ([]byte, error) { return []byte(hostile), nil }

func TestOneRecordIsOneLine(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			log := newManager(t, format, &out).Logger()
			records := []func(){
				func() { log.Info(hostile) },
				func() { log.Info("m", "value", hostile) },
				func() { log.Info("m", hostile, "value") },
				func() { log.Info("m", "error", errors.New(hostile)) },
				func() { log.Info("m", "struct", hostileStruct{hostile}, "text", hostileText{}) },
				func() {
					log.Info("m", "bytes", []byte(hostile), "list", []string{hostile}, "map", map[string]string{hostile: hostile})
				},
				func() { log.Info("m", "raw", json.RawMessage("{\"a\":\n1}")) },
				func() { log.With(hostile, hostile).WithGroup(hostile).Info(hostile, hostile, hostile) },
				func() { log.Info("m", slog.Group(hostile, hostile, hostile)) },
				func() { log.Info("m", []any{hostile}...) }, // a value without a key
			}
			for i, record := range records {
				out.Reset()
				record()
				line, rest, found := strings.Cut(out.String(), "\n")
				if !found || rest != "" {
					t.Errorf("record %d is not one line: %q", i, out.String())
				}
				if strings.ContainsFunc(line, unicode.IsControl) {
					t.Errorf("record %d holds control characters: %q", i, line)
				}
				if format == logging.FormatJSON && !json.Valid([]byte(line)) {
					t.Errorf("record %d is not JSON: %s", i, line)
				}
				if strings.Contains(line, "forged") && !strings.Contains(line, `\u0085`) && !strings.Contains(line, `"bytes"`) {
					t.Errorf("record %d lost its text: %s", i, line)
				}
			}
		})
	}
}

func TestConcurrentRecordsDoNotMix(t *testing.T) {
	const writers, records = 8, 50
	var out lines
	m := newManager(t, logging.FormatJSON, &out)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			log := m.Logger().With("writer", i).WithGroup("g")
			for j := range records {
				log.InfoContext(withSpan(t.Context()), "m", "record", j)
				m.SetLevel(slog.LevelInfo)
			}
		})
	}
	wg.Wait()
	if out.count != writers*records || out.broken != 0 {
		t.Errorf("%d records, %d of them broken; want %d", out.count, out.broken, writers*records)
	}
}

func TestJSONKeepsTheValue(t *testing.T) {
	var out bytes.Buffer
	const text = "a\x7f\u0080é\u009f\u00a0漢\n"
	newManager(t, logging.FormatJSON, &out).Logger().Info(text, "k", "plain é")
	var record struct{ Msg, K string }
	if err := json.Unmarshal(out.Bytes(), &record); err != nil || record.Msg != text || record.K != "plain é" {
		t.Errorf("%q gives %+v, %v", out.String(), record, err)
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriterErrorsAreReturned(t *testing.T) {
	for _, format := range formats {
		for _, msg := range []string{"plain", "esc\u0085aped"} {
			h := newManager(t, format, broken{}).Logger().Handler()
			if err := h.Handle(t.Context(), slog.NewRecord(time.Time{}, 0, msg, 0)); !errors.Is(err, errBroken) {
				t.Errorf("%s, %q: %v", format, msg, err)
			}
		}
	}
}

// lines counts writes without a lock of its own: the logger promises that they do not overlap.
type lines struct{ count, broken int }

func (l *lines) Write(p []byte) (int, error) {
	l.count++
	if !json.Valid(p) || bytes.Count(p, []byte("\n")) != 1 {
		l.broken++
	}
	return len(p), nil
}

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/health"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/tracing"
)

// operator talks to the control plane of a bot, knowing what the bot has printed and nothing else.
type operator struct {
	t          testing.TB
	url, token string
	client     *http.Client
}

var (
	addressLine = regexp.MustCompile(`control plane at (http://[0-9.]+:[0-9]+)`)
	tokenLine   = regexp.MustCompile(`(?m)^ {6}([A-Za-z0-9_-]{43})$`)
)

func newOperator(t testing.TB, p *process) *operator {
	t.Helper()
	if !p.stderr.await(t, "address and token", func(text string) bool { return addressLine.MatchString(text) && tokenLine.MatchString(text) }) {
		t.Fatal("the program ended before it told the address of its control plane")
	}
	o := &operator{t: t, client: &http.Client{Timeout: patience}}
	o.url, o.token = addressLine.FindStringSubmatch(p.stderr.String())[1], tokenLine.FindStringSubmatch(p.stderr.String())[1]
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// get reads what is at a path.
func get[T any](o *operator, path, token string) (v T) {
	o.t.Helper()
	body := o.fetch(path, token)
	if err := json.Unmarshal(body, &v); err != nil {
		o.t.Fatalf("%s: %v\n%s", path, err, body)
	}
	return v
}

func (o *operator) fetch(path, token string) []byte {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.url+path, nil)
	must(o.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := o.client.Do(req)
	must(o.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(o.t, err)
	if resp.StatusCode != http.StatusOK {
		o.t.Fatalf("%s: %s\n%s", path, resp.Status, body)
	}
	return body
}

// TestServing looks at the demonstration from outside, after it has worked through its mails and while it waits for more.
func TestServing(t *testing.T) {
	p := start(t, "mailorderbot", "-listen", anyPort)
	o := newOperator(t, p)
	p.stdout.await(t, "report", func(text string) bool {
		return strings.Contains(text, "The inbox is empty. New mails are taken as they come")
	})
	if out := p.stdout.String(); !strings.Contains(out, "\nORDERS\n") || !strings.Contains(out, "\nmails in ") || !strings.Contains(out, "Control plane: ") {
		t.Errorf("the report is not whole:\n%s", out)
	}
	if h := get[health.Report](o, "/health", ""); h.State != health.StateOK {
		t.Errorf("health: %+v", h)
	}
	if rt := get[control.RuntimeInfo](o, "/api/v1/runtime", ""); rt.Name != "mail_order_bot" || !rt.Ready || len(rt.Workers) != 2 {
		t.Errorf("runtime: %+v", rt)
	}
	ws := get[control.WorkerList](o, "/api/v1/workers", "").Workers
	if len(ws) != 2 || ws[0].Name != "mail-polling" || ws[1].Name != "email-processing" || ws[1].Concurrency != 3 || ws[1].Done < uint64(len(wanted(t))) || ws[1].Failed != 0 {
		t.Errorf("workers: %+v", ws)
	}
	g := get[pipeline.Graph](o, "/api/v1/pipelines/orders", "")
	var stages []string
	for _, n := range g.Nodes {
		stages = append(stages, n.Name)
	}
	if want := []string{"orders", "load", "parse", "attachments", "decode", "decide", "store", "confirm", "move"}; !slices.Equal(stages, want) {
		t.Errorf("the pipeline's stages are %v, want %v", stages, want)
	}
	var doc struct{ OpenAPI string }
	if doc = get[struct{ OpenAPI string }](o, "/openapi.json", ""); !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi.json: version %q", doc.OpenAPI)
	}
	if page := string(o.fetch("/docs/", "")); !strings.Contains(page, "<html") {
		t.Errorf("/docs/: %s", tail(page))
	}
	if runtime.GOOS != "windows" {
		must(t, p.cmd.Process.Signal(syscall.SIGTERM))
		p.wantExit(0)
	}
}

// TestOneTrace finds a mail's whole way in one trace: from the poll that found it over the queue to the last stage.
func TestOneTrace(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "mails", "07-two-files.eml"))
	must(t, err)
	p := start(t, "mailorderbot", "-listen", anyPort, "-mails", folder(t, map[string]string{"1.eml": string(raw)}))
	o := newOperator(t, p)
	p.stdout.await(t, "report", func(text string) bool { return strings.Contains(text, "The inbox is empty.") })
	for _, summary := range get[control.TraceList](o, "/api/v1/traces?kind=business&limit=200", o.token).Traces {
		tr := get[tracing.Trace](o, "/api/v1/traces/"+summary.TraceID, o.token)
		if way := wayOf(tr.Spans, "move"); len(way) > 0 {
			if want := []string{"poll mail-polling", "send mails", "process mails", "move"}; !slices.Equal(way, want) {
				t.Errorf("the way to the last stage is %v, want %v", way, want)
			}
			for _, stage := range []string{"load", "parse", "decode", "decide", "store", "confirm"} {
				if len(wayOf(tr.Spans, stage)) == 0 {
					t.Errorf("no span %s in the trace", stage)
				}
			}
			return
		}
	}
	t.Error("no trace has a span of the last stage")
}

// wayOf gives the names of the spans from the root to the first one of that name.
func wayOf(spans []tracing.Span, name string) (way []string) {
	byID := map[string]tracing.Span{}
	for _, s := range spans {
		byID[s.SpanID] = s
	}
	for _, s := range spans {
		if s.Name != name {
			continue
		}
		for ok := true; ok; s, ok = byID[s.ParentID] {
			way = append(way, s.Name)
		}
		slices.Reverse(way)
		return way
	}
	return nil
}

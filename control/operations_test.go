package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/health"
	"github.com/plba/plba/openapi"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// publish puts mails into the queue and waits until the consumer has begun with each.
func (p *plane) publish(ids ...int) {
	p.t.Helper()
	for _, id := range ids {
		if err := p.bot.mails.Publish(p.t.Context(), mail{id}); err != nil {
			p.t.Fatal(err)
		}
	}
	for range ids {
		<-p.bot.handling
	}
}

// checkAnswer compares an answer of success with the document.
func checkAnswer(t *testing.T, s spec, at string, op specOperation, a answer) {
	t.Helper()
	r, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok || a.status >= 300 {
		t.Errorf("%s: status %d: %s", at, a.status, a.body)
		return
	}
	media, ok := r.Content[a.header.Get("Content-Type")]
	if !ok {
		t.Errorf("%s: type %q is not in the document", at, a.header.Get("Content-Type"))
		return
	}
	if strings.HasSuffix(a.header.Get("Content-Type"), "json") {
		var body any
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		s.conform(t, at, media.Schema, body)
	}
}

// conform checks a value against a schema, more strictly than the document: every field must be known.
func (s spec) conform(t *testing.T, at string, schema specSchema, value any) {
	t.Helper()
	if name, ok := strings.CutPrefix(schema.Ref, "#/components/schemas/"); ok {
		schema = s.Components.Schemas[name]
	}
	if len(schema.Enum) > 0 && !slices.Contains(schema.Enum, value) {
		t.Errorf("%s: %v is not one of %v", at, value, schema.Enum)
	}
	if schema.Type == nil && schema.Properties == nil {
		return // anything
	}
	switch v := value.(type) {
	case map[string]any:
		if schema.Type != "object" {
			t.Errorf("%s: an object where %v is documented", at, schema.Type)
		}
		for _, name := range schema.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s: %s is missing", at, name)
			}
		}
		for name, field := range v {
			if sub, ok := schema.Properties[name]; ok {
				s.conform(t, at+"."+name, sub, field)
			} else if schema.Properties != nil {
				t.Errorf("%s: %s is not documented", at, name)
			}
		}
	case []any:
		if schema.Type != "array" || schema.Items == nil {
			t.Fatalf("%s: a list where %v is documented", at, schema.Type)
		}
		for i, item := range v {
			s.conform(t, fmt.Sprintf("%s[%d]", at, i), *schema.Items, item)
		}
	case string:
		if schema.Type != "string" && schema.Type != nil {
			t.Errorf("%s: a text where %v is documented", at, schema.Type)
		}
	case float64:
		if schema.Type != "integer" && schema.Type != "number" {
			t.Errorf("%s: a number where %v is documented", at, schema.Type)
		}
	case bool:
		if schema.Type != "boolean" {
			t.Errorf("%s: a truth value where %v is documented", at, schema.Type)
		}
	default:
		t.Errorf("%s: %v where %v is documented", at, v, schema.Type)
	}
}

// The examples of the document are valid too.
func TestExamplesConform(t *testing.T) {
	s := loadSpec(t)
	examples := 0
	check := func(at string, r specResponse) {
		for media, c := range r.Content {
			if c.Example != nil {
				examples++
				s.conform(t, at+" as "+media, c.Schema, c.Example)
			}
		}
	}
	s.each(func(method, path string, op specOperation) {
		for status, r := range op.Responses {
			check(method+" "+path+" "+status, r)
		}
	})
	for name, r := range s.Components.Responses {
		check(name, r)
	}
	if examples < 25 {
		t.Errorf("only %d examples", examples)
	}
}

func TestProbes(t *testing.T) {
	p := startPlane(t, nil)
	for _, path := range []string{"/livez", "/readyz", "/startupz"} {
		if got := string(p.get(path).body); got != "{\"ok\":true}\n" {
			t.Errorf("%s: %s", path, got)
		}
		if a := p.do(http.MethodHead, path, ""); a.status != 200 || len(a.body) != 0 {
			t.Errorf("HEAD %s: %d %s", path, a.status, a.body)
		}
		if a := p.get(path + "?ts=123"); a.status != 200 {
			t.Errorf("%s with a parameter: %d", path, a.status)
		}
	}
	if _, err := control.NewService(p.app).Stop("test", control.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	p.waitState(workers.Stopped)
	if got := problem(t, p.get("/readyz"), 503); got.Detail != "the runtime is stopped" {
		t.Errorf("/readyz: %s", got.Detail)
	}
	for _, path := range []string{"/livez", "/startupz"} {
		if a := p.get(path); a.status != 200 {
			t.Errorf("%s of a stopped runtime: %d", path, a.status)
		}
	}
}

func TestProbesBeforeTheFirstStart(t *testing.T) {
	p := newPlane(t, nil)
	svc := control.NewService(p.app)
	for name, ask := range map[string]func() (bool, string){"ready": svc.Ready, "started": svc.Started} {
		if ok, reason := ask(); ok || !strings.Contains(reason, "stopped") {
			t.Errorf("%s before the start: %v, %q", name, ok, reason)
		}
	}
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() (bool, string){"ready": svc.Ready, "started": svc.Started} {
		if ok, reason := ask(); !ok || reason != "" {
			t.Errorf("%s after the start: %v, %q", name, ok, reason)
		}
	}
}

func TestHealth(t *testing.T) {
	p := startPlane(t, nil)
	report := read[health.Report](t, p.get("/health"), 200)
	var names []string
	for _, c := range report.Components {
		names = append(names, c.Name)
	}
	if report.State != health.StateOK || !slices.Equal(names, []string{"shop", "email-processing", "mail-polling"}) {
		t.Errorf("%s: %v", report.State, names)
	}
	// A critical worker that dies makes the application unhealthy.
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	p.bot.breakShop(context.DeadlineExceeded)
	p.command("/api/v1/runtime/start", "")
	eventually(t, "the start failed", func() bool {
		c := read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200).LastOperation
		return c != nil && c.Asked == "startRuntime" && !c.EndedAt.IsZero()
	})
	report = read[health.Report](t, p.get("/health"), 503)
	if report.State != health.StateUnhealthy || !strings.Contains(report.Reason, "shop is unhealthy") {
		t.Errorf("%s: %s", report.State, report.Reason)
	}
}

func TestWorkerIsDrawn(t *testing.T) {
	p := startPlane(t, nil)
	p.bot.holdHandlers(t)
	p.publish(1)
	w := read[control.WorkerDetail](t, p.get("/api/v1/workers/email-processing"), 200)
	if w.State != workers.Busy || w.InFlight != 1 || !w.Critical || w.Health.State != health.StateOK {
		t.Errorf("%+v", w.Status)
	}
	l := w.Lifecycle
	if l.Initial != workers.Stopped || l.Current != workers.Busy || len(l.States) != 5 || len(l.Moves) != 7 ||
		!slices.Equal(l.Allowed, workers.Lifecycle().Allowed(workers.Busy)) {
		t.Errorf("%+v", l)
	}
	for _, want := range []string{"stateDiagram-v2\n", "[*] --> stopped", "stopped --> starting : start", "class busy current"} {
		if !strings.Contains(l.Mermaid, want) {
			t.Errorf("the drawing lacks %q:\n%s", want, l.Mermaid)
		}
	}
	var moves []string
	for _, m := range append(w.History, w.Activity...) {
		moves = append(moves, fmt.Sprintf("%s %s %s", m.From, m.Event, m.To))
	}
	if want := []string{"stopped start starting", "starting ready idle", "idle work busy"}; !slices.Equal(moves, want) {
		t.Errorf("moves %q, want %q", moves, want)
	}
	list := read[control.WorkerList](t, p.get("/api/v1/workers"), 200).Workers
	if len(list) != 2 || list[0].Name != "email-processing" || list[1].Name != "mail-polling" {
		t.Errorf("workers %+v", list)
	}
}

func TestQueues(t *testing.T) {
	p := startPlane(t, nil)
	release := p.bot.holdHandlers(t)
	p.publish(1)
	for id := range 3 {
		if err := p.bot.mails.Publish(t.Context(), mail{id}); err != nil {
			t.Fatal(err)
		}
	}
	q := read[control.QueueDetail](t, p.get("/api/v1/queues/mails"), 200)
	if q.State != control.QueueOpen || q.Backend != "memory" || q.Durable || q.Stats == nil || q.Stats.Running != 1 || q.Stats.Ready != 3 || q.Stats.Published != 4 {
		t.Errorf("%+v %+v", q, q.Stats)
	}
	release()
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	list := read[control.QueueList](t, p.get("/api/v1/queues"), 200).Queues
	if len(list) != 1 || list[0].State != control.QueueClosed || list[0].Stats != nil {
		t.Errorf("queues of a stopped runtime: %+v", list)
	}
}

func TestPipelines(t *testing.T) {
	p := startPlane(t, nil)
	list := read[control.PipelineList](t, p.get("/api/v1/pipelines"), 200).Pipelines
	if len(list) != 1 || list[0].Name != "orders" || list[0].Stages != 2 || list[0].In != "control_test.mail" {
		t.Errorf("pipelines %+v", list)
	}
	g := read[pipeline.Graph](t, p.get("/api/v1/pipelines/orders"), 200)
	if len(g.Nodes) != 3 || g.Nodes[1].Name != "load" {
		t.Errorf("graph %+v", g)
	}
	drawing := g.MermaidWith(map[string]pipeline.Counters{"orders": {}, "orders/load": {}, "orders/store": {}})
	for _, ask := range []answer{
		p.get("/api/v1/pipelines/orders?format=mermaid"),
		p.get("/api/v1/pipelines/orders", header("Accept", "text/vnd.mermaid")),
		p.get("/api/v1/pipelines/orders", header("Accept", "application/json;q=0.5, text/vnd.mermaid")),
	} {
		if ask.status != 200 || ask.header.Get("Content-Type") != "text/vnd.mermaid" || string(ask.body) != drawing || ask.header.Get("Vary") != "Accept" {
			t.Errorf("%d %v %s", ask.status, ask.header, ask.body)
		}
	}
	for _, accept := range []string{"", "*/*", "text/html", "application/json, text/vnd.mermaid"} {
		read[pipeline.Graph](t, p.get("/api/v1/pipelines/orders", header("Accept", accept)), 200)
	}
	read[pipeline.Graph](t, p.get("/api/v1/pipelines/orders?format=json", header("Accept", "text/vnd.mermaid")), 200)
	problem(t, p.get("/api/v1/pipelines/orders?format=svg"), 422)
}

func TestTraces(t *testing.T) {
	p := startPlane(t, nil)
	p.publish(1, 2)
	all := func(query string) []tracing.Summary {
		return read[control.TraceList](t, p.get("/api/v1/traces"+query, bearer(p.token)), 200).Traces
	}
	eventually(t, "both mails are traced", func() bool { return len(all("?kind=business")) >= 2 })
	for _, s := range all("?kind=transition") {
		if s.Kind != tracing.KindTransition {
			t.Errorf("kind %s", s.Kind)
		}
	}
	if n := len(all("?limit=1")); n != 1 {
		t.Errorf("limit 1 gave %d", n)
	}
	if n := len(all("?limit=999999999")); n < 3 {
		t.Errorf("an absurd limit gave %d", n)
	}
	for _, bad := range []string{"?limit=0", "?limit=-1", "?limit=ten", "?limit=99999999999999999999", "?kind=x", "?limt=1"} {
		problem(t, p.get("/api/v1/traces"+bad, bearer(p.token)), 422)
	}
	id := all("?kind=business")[0].TraceID
	one := read[tracing.Trace](t, p.get("/api/v1/traces/"+id, bearer(p.token)), 200)
	if one.TraceID != id || len(one.Spans) == 0 {
		t.Errorf("%+v", one)
	}
	problem(t, p.get("/api/v1/traces/0123456789abcdef0123456789abcdef", bearer(p.token)), 404)
	problem(t, p.get("/api/v1/traces/x", bearer(p.token)), 404)
}

func TestTracesAreAConflictWithoutMemory(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.tracing.transport": "none"})
	for _, path := range []string{"/api/v1/traces", "/api/v1/traces/0123456789abcdef0123456789abcdef"} {
		got := problem(t, p.get(path, bearer(p.token)), 409)
		if !strings.Contains(got.Detail, "platform.tracing.transport: memory") || got.State != "none" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	p := startPlane(t, nil)
	for path, there := range map[string]string{
		"/api/v1/workers/mail": "email-processing, mail-polling", "/api/v1/queues/mail": "mails", "/api/v1/pipelines/order": "orders",
		"/api/v1/workers/Email-Processing": "email-processing", "/api/v1/queues/01": "mails",
	} {
		if got := problem(t, p.get(path), 404); !strings.Contains(got.Detail, "there are: "+there) {
			t.Errorf("%s: %s", path, got.Detail)
		}
	}
	problem(t, p.get("/api/v1/workers/"+strings.Repeat("x", 101)), 422)
}

func TestDocumentAndPage(t *testing.T) {
	p := startPlane(t, nil)
	if got, want := p.get("/openapi.json"), string(openapi.JSON()); got.status != 200 || string(got.body) != want {
		t.Errorf("/openapi.json: %d, %d bytes, want %d", got.status, len(got.body), len(want))
	}
	if got := p.get("/openapi.yaml"); got.status != 200 || string(got.body) != string(openapi.YAML()) || got.header.Get("Content-Type") != "application/yaml" {
		t.Errorf("/openapi.yaml: %d %v", got.status, got.header)
	}
	if a := p.get("/docs"); a.status != http.StatusPermanentRedirect || a.header.Get("Location") != "/docs/" {
		t.Errorf("/docs: %d %v", a.status, a.header)
	}
	page := p.get("/docs/")
	if page.status != 200 || !strings.Contains(string(page.body), "/openapi.json") || !strings.Contains(page.header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("/docs/: %d %v", page.status, page.header)
	}
	if a := p.get("/docs/swagger-ui.css"); a.status != 200 || len(a.body) == 0 {
		t.Errorf("/docs/swagger-ui.css: %d", a.status)
	}
	problem(t, p.get("/docs/other.js"), 404)
	problem(t, p.do(http.MethodPost, "/docs/", "", bearer(p.token)), 405)
}

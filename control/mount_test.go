package control_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

// mounted is a bot whose control plane has no listener and is part of another server.
func mounted(t *testing.T, prefix string, settings map[string]any) (p *plane, base string) {
	t.Helper()
	b := newBot()
	b.more = operations(shopOperations)
	p = planeWith(t, b, settings, control.WithoutListener())
	h, err := p.http.Handler(prefix)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(prefix, h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return p, server.URL
}

// ask sends a request to another address than the channel's.
func (p *plane) ask(method, url, body string, changes ...with) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(req)
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, text}
}

func TestMounted(t *testing.T) {
	p, base := mounted(t, "/plba/", withTokens())
	ops := bearer(operatorToken)
	problem(t, p.ask("GET", base+"/plba/livez", ""), 503) // not started
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.http.Addr() != "" || p.terminal.String() != "" {
		t.Errorf("it listens on %q and shows %q", p.http.Addr(), p.terminal)
	}
	for path, want := range map[string]int{
		"/plba/livez": 200, "/plba/api/v1/runtime": 401, "/plba/health": 401, "/plba/docs/": 401, "/plba/openapi.json": 401, "/plba/app/count": 401, "/plba/app/count/open": 200, "/plba/": 404,
	} {
		if a := p.ask("GET", base+path, ""); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	read[health.Report](t, p.ask("GET", base+"/plba/health", "", ops), 200)
	read[Count](t, p.ask("GET", base+"/plba/app/count", "", ops), 200)
	problem(t, p.ask("GET", base+"/plba/api/v1/nothing", "", ops), 404)
	// Names of hosts are the business of whoever owns the mux.
	read[control.RuntimeInfo](t, p.ask("GET", base+"/plba/api/v1/runtime", "", ops, host("shop.example.org")), 200)
	// Another site's page may not act, and no path goes out of the prefix.
	problem(t, p.ask("POST", base+"/plba/api/v1/runtime/stop", "", ops, header("Origin", "https://attacker.example")), 403)
	problem(t, p.ask("GET", base+"/plba/api/v1/workers/..%2f..%2fruntime", "", ops), 400)

	// A stop over the API leaves it up, the stop of the application does not.
	a := p.ask("POST", base+"/plba/api/v1/runtime/stop", "", ops)
	read[control.Operation](t, a, 202)
	if got := a.header.Get("Location"); !strings.HasPrefix(got, "/plba/api/v1/") {
		t.Errorf("Location %q", got)
	}
	eventually(t, "it is stopped", func() bool {
		return read[control.RuntimeInfo](t, p.ask("GET", base+"/plba/api/v1/runtime", "", ops), 200).State == workers.Stopped
	})
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	problem(t, p.ask("GET", base+"/plba/api/v1/runtime", "", ops), 503)
}

// Document, page and redirect know where they are.
func TestMountedDocument(t *testing.T) {
	p, base := mounted(t, "/deep/plba/", withTokens())
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	viewer := bearer(viewerToken)
	var s spec
	if err := json.Unmarshal(p.ask("GET", base+"/deep/plba/openapi.json", "", viewer).body, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Servers) != 1 || s.Servers[0].URL != "/deep/plba" {
		t.Errorf("servers %+v", s.Servers)
	}
	if _, there := s.Paths["/api/v1/runtime"]; !there || s.Paths["/app/count"] == nil {
		t.Error("paths are missing")
	}
	if a := p.ask("GET", base+"/deep/plba/docs", "", viewer); a.status != 308 || a.header.Get("Location") != "/deep/plba/docs/" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if page := p.ask("GET", base+"/deep/plba/docs/", "", viewer); page.status != 200 || !strings.Contains(string(page.body), `"/deep/plba/openapi.json"`) {
		t.Errorf("%d %s", page.status, page.body)
	}
	if css := p.ask("GET", base+"/deep/plba/docs/swagger-ui.css", "", viewer); css.status != 200 || len(css.body) == 0 {
		t.Errorf("%d", css.status)
	}
}

// A handler may be made while the application runs, and beside a listener; hosts are looked at if some are configured.
func TestMountedLate(t *testing.T) {
	settings := withTokens()
	settings["platform.control.allowed_hosts"] = []any{"shop.example.org"}
	p := startPlane(t, settings)
	h, err := p.http.Handler("/")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"shop.example.org": 200, "attacker.example": 421} {
		req := httptest.NewRequest("GET", "http://"+name+"/api/v1/runtime", nil)
		req.Header.Set("Authorization", "Bearer "+viewerToken)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s: %d, want %d", name, rec.Code, want)
		}
	}
	read[control.RuntimeInfo](t, p.get("/api/v1/runtime", bearer(viewerToken)), 200)
}

func TestMountIsRefused(t *testing.T) {
	p := newPlane(t, nil)
	if _, err := p.http.Handler("/plba/"); err == nil || !strings.Contains(err.Error(), "no authentication is configured") || !strings.Contains(err.Error(), "tokens: [{name: ops") {
		t.Errorf("%v", err)
	}
	p = newPlane(t, withTokens())
	for _, bad := range []string{"", "plba/", "/plba", "//", "/a//b/", "/../", "/a/./", "/{x}/", "/a b/", "/ä/", "/a%2f/"} {
		if _, err := p.http.Handler(bad); err == nil || !strings.Contains(err.Error(), "a prefix begins and ends with a slash") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

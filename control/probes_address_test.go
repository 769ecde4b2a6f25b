package control_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// The second address serves probes and nothing else, to everybody and without anything that could be guessed.
func TestProbesAlone(t *testing.T) {
	settings := withTokens()
	settings["platform.control.probes"] = "127.0.0.1:0"
	p := startPlane(t, settings)
	base := "http://" + p.http.ProbesAddr()
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/startupz": 200, "/livez?ts=1": 200, "/health": 404, "/api/v1/runtime": 404, "/docs/": 404, "/openapi.json": 404, "/metrics": 404, "/": 404,
		"/debug/pprof/heap": 404, "/app/x": 404,
	} {
		if a := p.ask("GET", base+path, "", host("10.1.2.3:8081"), bearer(strings.ToUpper(adminToken))); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	problem(t, p.ask("POST", base+"/api/v1/runtime/stop", "", bearer(strings.ToUpper(adminToken))), 404)
	problem(t, p.ask("POST", base+"/livez", ""), 405)
	if a := p.get("/livez"); a.status != 200 {
		t.Errorf("on the main address: %d", a.status)
	}
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.http.ProbesAddr() != "" {
		t.Error("it still listens")
	}
}

// A taken address of the probes fails the start, and leaves nothing open.
func TestTakenPortOfTheProbes(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	p := newPlane(t, map[string]any{"platform.control.probes": other.Addr().String()})
	if err := p.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "platform.control.probes: "+other.Addr().String()+" is taken") {
		t.Errorf("%v", err)
	}
	if p.http.Addr() != "" || p.terminal.String() != "" {
		t.Errorf("%q %q", p.http.Addr(), p.terminal)
	}
}

func TestProfiles(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.control.pprof": true})
	take := func(path string) answer { return p.get("/debug/pprof/"+path, bearer(p.token)) }
	for _, name := range []string{"heap", "goroutine", "allocs", "mutex", "block", "threadcreate", "cpu?seconds=1", "trace?seconds=1"} {
		if a := take(name); a.status != 200 || a.header.Get("Content-Type") != "application/octet-stream" || len(a.body) == 0 {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
	}
	if a := take("goroutine?debug=1"); a.status != 200 || !strings.HasPrefix(string(a.body), "goroutine profile: total") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if got := problem(t, take("odd"), 404); !strings.Contains(got.Detail, "there are: allocs, block, cpu, goroutine") {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"cpu?seconds=0", "cpu?seconds=31", "heap?debug=3", "cpu?seconds=x"} {
		problem(t, take(bad), 422)
	}
	if got := p.audit("?asked=getProfile&limit=1"); len(got) != 1 || got[0].By != "first-run" {
		t.Errorf("%+v", got)
	}
	// One at a time.
	var wg sync.WaitGroup
	results := make([]int, 2)
	for i := range results {
		wg.Go(func() { results[i] = take("cpu?seconds=1").status })
	}
	wg.Wait()
	if results[0]+results[1] != 200+409 {
		t.Errorf("%v", results)
	}
}

// They are for admins, and off unless they are switched on.
func TestProfilesAreForAdmins(t *testing.T) {
	p := startPlane(t, withTokens())
	problem(t, p.get("/debug/pprof/heap"), 401)
	problem(t, p.get("/debug/pprof/heap", bearer(operatorToken)), 403)
	if got := problem(t, p.get("/debug/pprof/heap", bearer(strings.ToUpper(adminToken))), 404); !strings.Contains(got.Detail, "platform.control.pprof: true") {
		t.Errorf("%+v", got)
	}
	// Nobody gets them by the global mux, by having this package linked.
	if _, pattern := http.DefaultServeMux.Handler(&http.Request{Method: "GET", URL: &url.URL{Path: "/debug/pprof/heap"}}); pattern != "" {
		t.Errorf("the global mux serves %q", pattern)
	}
}

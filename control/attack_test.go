package control_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are, and gives the answers that came back until the server closed or fell silent.
func (p *plane) raw(request string) answer {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.http.Addr())
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		p.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatalf("%q: %v", request, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, body}
}

func TestHosts(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.control.allowed_hosts": []any{"plba.example.org", "10.1.2.3"}})
	_, port, _ := net.SplitHostPort(p.http.Addr())
	for _, good := range []string{
		"127.0.0.1", "127.0.0.1:" + port, "127.9.9.9", "localhost", "LOCALHOST:1", "localhost.", "[::1]", "[::1]:" + port, "plba.example.org", "PLBA.example.org.:80", "10.1.2.3",
	} {
		if a := p.get("/livez", host(good)); a.status != 200 {
			t.Errorf("%s: %d", good, a.status)
		}
	}
	for _, bad := range []string{
		"attacker.example", "attacker.example:" + port, "localhost.attacker.example", "127.0.0.1.attacker.example", "10.1.2.4", "0.0.0.0", "[::2]", "xlocalhost",
	} {
		for _, path := range []string{"/livez", "/api/v1/runtime", "/docs/", "/nothing"} {
			if got := problem(t, p.get(path, host(bad), bearer(p.token)), 421); !strings.Contains(got.Detail, "platform.control.allowed_hosts") {
				t.Errorf("%s: %s", bad, got.Detail)
			}
		}
	}
	problem(t, p.raw("GET /livez HTTP/1.0\r\n\r\n"), 421)
}

// A page of another site can send requests from the operator's browser; none that changes something gets through.
func TestCrossSite(t *testing.T) {
	p := startPlane(t, nil)
	for _, from := range [][]with{
		{header("Sec-Fetch-Site", "cross-site")},
		{header("Sec-Fetch-Site", "same-site")},
		{header("Origin", "https://attacker.example")},
		{header("Origin", "null")},
		{header("Origin", "http://127.0.0.1:1")},
	} {
		for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch} {
			problem(t, p.do(method, "/api/v1/runtime/stop", "{}", append(from, bearer(p.token))...), 403)
		}
		if a := p.get("/livez", from...); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("a read: %d %v", a.status, a.header)
		}
	}
	own := []with{header("Sec-Fetch-Site", "same-origin"), header("Origin", "http://"+p.http.Addr()), bearer(p.token)}
	problem(t, p.do(http.MethodPost, "/api/v1/runtime/start", "", own...), 409) // admitted, but it runs
}

func TestBodiesThatAreTooLong(t *testing.T) {
	p := startPlane(t, nil)
	long := `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, path := range []string{"/api/v1/runtime/stop", "/api/v1/runtime/start"} {
		problem(t, p.command(path, long), 413)
		chunked := func(r *http.Request) { r.ContentLength = -1 }
		problem(t, p.do(http.MethodPost, path, long, bearer(p.token), chunked), 413)
	}
	// Up to the limit it is looked at.
	exactly := `{"reason":"` + strings.Repeat("x", 1<<20-13) + `"}`
	if len(exactly) != 1<<20 {
		t.Fatal(len(exactly))
	}
	problem(t, p.command("/api/v1/runtime/stop", exactly), 422)
	// Nobody reads the body of who may not ask: it is announced and never sent.
	head := "POST /api/v1/runtime/stop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
	problem(t, p.raw(head), 401)
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	p := startPlane(t, nil)
	head := "POST /api/v1/runtime/stop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + p.token + "\r\n"
	problem(t, p.raw(head+"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"), 400)
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "+;+", "a/b+json;+", "text/plain+json", "json"} {
		got := p.do(http.MethodPost, "/api/v1/runtime/stop", `{"mode":"force"}`, bearer(p.token), header("Content-Type", media))
		problem(t, got, 415)
	}
	if !p.app.Ready() {
		t.Error("one of them stopped the runtime")
	}
}

// What is wrong with a body is told without repeating it.
func TestNothingIsEchoed(t *testing.T) {
	p := startPlane(t, nil)
	const secret = "S3CR3T"
	for _, body := range []string{
		`{"mode":"` + secret + `"}`, `{"timeout":"` + secret + `"}`, `{"reason":"\n` + secret + `"}`, `{"exit":"` + secret + `"}`, `{"reason":{"` + secret + `":1}}`,
		`["` + secret + `"]`, `"` + secret + `"`, `{"mode":"` + secret, secret, `{"unknown":"` + secret + `"}`,
	} {
		if a := p.command("/api/v1/runtime/stop", body); bytes.Contains(a.body, []byte(secret)) || a.status/100 != 4 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	numbers := `{"timeout":` + strings.Repeat("7", 400) + `}`
	if a := p.command("/api/v1/runtime/stop", numbers); bytes.Contains(a.body, []byte("7777")) || a.status != 422 && a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := p.command("/api/v1/runtime/stop", `{"`+strings.Repeat("k", 5000)+`":1}`); len(a.body) > 1000 {
		t.Errorf("a long key came back in %d bytes", len(a.body))
	}
}

func TestPaths(t *testing.T) {
	p := startPlane(t, nil)
	for path, want := range map[string]int{
		"/api/v1/workers/../runtime/stop": 400, "/api/v1/workers/..%2fruntime": 400, "/api/v1/workers/%2e%2e/runtime": 400, "/api/v1/workers/%2E%2E/runtime": 400,
		"/api/v1/workers/a%2Fb": 400, "/api/v1/workers/a%5cb": 400, "/api/v1/workers/a%5Cb": 404, "//livez": 400, "/./livez": 400, "/api//v1/runtime": 400, "/api/v1/%72untime": 400,
		"/api/v1/workers/a%00b": 400, "/api/v1/workers/a%0d%0ab": 400, "/api/v1/workers/%1b[31m": 400, "/api/v1/workers/%ff": 400, "/api/v1/workers/%e2%80%ae": 400,
		"/livez/": 404, "/": 404, "/nothing": 404, "/api": 404, "/api/v1/workers/": 404, "/LIVEZ": 404, "/openapi": 404, "/schemas/Problem.json": 404, "/openapi-3.0.json": 404,
		"/api/v1/workers/mail-polling;x=1": 404, "/docs/..%2f..%2fetc/passwd": 400, "/docs/%2e%2e/livez": 400,
	} {
		a := p.raw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + p.token + "\r\n\r\n")
		problem(t, a, want)
	}
	problem(t, p.raw("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 400)
	problem(t, p.raw("GET http://attacker.example/api/v1/runtime HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 421)
}

func TestMethods(t *testing.T) {
	p := startPlane(t, nil)
	for path, allow := range map[string]string{
		"/livez": "GET, HEAD", "/api/v1/runtime": "GET, HEAD", "/api/v1/runtime/stop": "POST", "/api/v1/queues/mails/tasks/1": "GET, HEAD, DELETE", "/api/v1/workers/mail-polling": "GET, HEAD, PATCH", "/openapi.json": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := p.do(method, path, "", bearer(p.token))
			problem(t, a, 405)
			if a.header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, a.header.Get("Allow"), allow)
			}
		}
	}
	problem(t, p.do("DELETE", "/nothing", "", bearer(p.token)), 404)
}

// An odd Accept does not change what the answer is.
func TestAccept(t *testing.T) {
	p := startPlane(t, nil)
	for _, accept := range []string{"", "*/*", "json", "text/html", "application/problem+json", "application/cbor", ";;;,"} {
		if a := p.get("/api/v1/runtime", header("Accept", accept)); a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %v", accept, a.status, a.header)
		}
		problem(t, p.get("/api/v1/workers/x", header("Accept", accept)), 404)
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	p := startPlane(t, nil)
	for _, a := range []answer{
		p.get("/livez"), p.get("/nothing"), p.get("/api/v1/traces"), p.get("/docs/"), p.get("/livez", host("attacker.example")), p.command("/api/v1/runtime/stop", "{"),
	} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if a.header.Get(name) != want {
				t.Errorf("%d: %s is %q", a.status, name, a.header.Get(name))
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || a.header.Get("Server") != "" {
			t.Errorf("%d: policy %q", a.status, csp)
		}
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	p := startPlane(t, nil)
	got := problem(t, p.get("/api/v1/pipelines/orders?fromat=mermaid"), 422)
	if len(got.Errors) != 1 || got.Errors[0].Location != "query.fromat" {
		t.Errorf("%+v", got)
	}
}

// Many at once: nothing is mixed up.
func TestManyAtOnce(t *testing.T) {
	p := startPlane(t, withTokens())
	done := make(chan error, 50)
	for i := range 50 {
		go func() {
			token, path, want := viewerToken, "/api/v1/workers/mail-polling", 200
			switch i % 3 {
			case 1:
				token, path, want = adminToken, "/api/v1/traces", 401 // written in lower case it is no token; ten tries
			case 2:
				path, want = fmt.Sprintf("/api/v1/queues/no-%d", i), 404
			}
			for range 4 {
				a := p.do(http.MethodGet, path, "", bearer(token))
				if a.status != want && (i%3 != 1 || a.status != 429) && a.status != 429 {
					done <- fmt.Errorf("%s: %d, want %d", path, a.status, want)
					return
				}
				if want == 404 && a.status == 404 && !strings.Contains(string(a.body), fmt.Sprintf("no-%d", i)) {
					done <- fmt.Errorf("%s: %s", path, a.body)
					return
				}
			}
			done <- nil
		}()
	}
	for range 50 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

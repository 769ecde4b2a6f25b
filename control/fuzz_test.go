package control_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/plba/plba/workers"
)

// FuzzRequest sends what HTTP can carry to a channel in memory, with the rights of an admin. Nothing makes it fail, and every refusal is a whole problem.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/api/v1/runtime", "localhost", "", ""},
		{"POST", "/api/v1/runtime/stop", "127.0.0.1:80", "application/json", `{"mode":"graceful","timeout":"5s","reason":"x","exit":false}`},
		{"POST", "/api/v1/runtime/stop", "localhost", "application/json; charset=utf-8", `{"MODE":"x","mode":"force","mode":7}`},
		{"POST", "/api/v1/runtime/stop", "[::1]", "", `{"timeout":"1e9h"}` + "\x00"},
		{"POST", "/api/v1/runtime/start", "localhost", "text/plain", "x"},
		{"GET", "/api/v1/pipelines/orders?format=mermaid", "localhost", "", ""},
		{"GET", "/api/v1/traces?limit=1&limit=2&kind=business", "localhost", "", ""},
		{"HEAD", "/docs/..%2f", "[::1", "+;+", "[[[["},
		{"GET", "/api/v1/workers/%F0%9F%90%B9?%zz", "local\u212Aost", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	p := startPlane(f, nil)
	f.Fuzz(func(t *testing.T, method, target, host, media, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(method, " \r\n\t") || method == "" {
			t.Skip("no server would get that far")
		}
		req := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		req.Method, req.URL, req.Host, req.RemoteAddr = method, u, host, "127.0.0.1:1"
		req.Header.Set("Authorization", "Bearer "+p.token)
		if media != "" {
			req.Header.Set("Content-Type", media)
		}
		rec := httptest.NewRecorder()
		p.http.ServeHTTP(rec, req)
		notReady := rec.Code == 503 && strings.HasSuffix(u.Path, "z") && p.app.Status().State != workers.Idle
		if rec.Code >= 500 && !notReady {
			t.Fatalf("%s %s: %d %s", method, target, rec.Code, rec.Body)
		}
		if rec.Code >= 400 {
			problem(t, answer{rec.Code, rec.Header(), rec.Body.Bytes()}, rec.Code)
		}
	})
}

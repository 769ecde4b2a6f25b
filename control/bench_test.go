package control_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/plba/plba/runtime"
)

// sink is a response writer that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

// bare is the same answer by hand: no token, no host, no document.
func bare(app *runtime.App) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/runtime", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(app.Status())
	})
	return mux
}

// BenchmarkRuntimeStatus is GET /api/v1/runtime in memory: of the channel with and without a token, and of a handler by hand.
func BenchmarkRuntimeStatus(b *testing.B) {
	p := benchPlane(b)
	run := func(name string, h http.Handler, token string) {
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/runtime", nil)
			req.RemoteAddr = "127.0.0.1:1234"
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			w := &sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, req)
			}
			if got := w.header.Get("Content-Type"); got != "application/json" {
				b.Fatalf("type %q", got)
			}
		})
	}
	run("bare", bare(p.app), "")
	run("open", p.http, "")
	run("token", p.http, p.token)
}

// BenchmarkRuntimeStatusOverLoopback is the same over a connection that is kept.
func BenchmarkRuntimeStatusOverLoopback(b *testing.B) {
	p := benchPlane(b)
	server := httptest.NewServer(bare(p.app))
	defer server.Close()
	run := func(name, base string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := p.client.Get(base + "/api/v1/runtime")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
					b.Fatal(res.StatusCode, err)
				}
				_ = res.Body.Close()
			}
		})
	}
	run("bare", server.URL)
	run("channel", "http://"+p.http.Addr())
}

func benchPlane(b *testing.B) *plane {
	b.Helper()
	p := startPlane(b, nil)
	p.waitIdle()
	return p
}

package control_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/runtime"
)

// A port that is taken fails the start before any worker runs, and names address and setting.
func TestTakenPort(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	p := newPlane(t, map[string]any{"platform.control.listen": other.Addr().String()})
	err = p.app.Start(t.Context())
	var failed *runtime.StartError
	if !errors.As(err, &failed) || failed.Name != "control" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{other.Addr().String(), "platform.control.listen", "taken by another program"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if p.terminal.String() != "" {
		t.Errorf("a token was shown:\n%s", p.terminal)
	}
	// Once the port is free, the same channel starts.
	_ = other.Close()
	if err := p.app.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddressThatIsNotHere(t *testing.T) {
	cc := control.Config{Enabled: true, Listen: "127.0.0.1:0"}
	plane, err := control.New(cc, control.WithTerminal(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	h := plane.HTTP()
	if plane.Name() != "control" || h.Name() != "http" || h.Addr() != "" {
		t.Errorf("%q %q", h.Name(), h.Addr())
	}
	// Before Start nobody is served, and Stop has nothing to do.
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/livez", nil))
	if rec.Code != 503 || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	if err := errors.Join(h.Stop(t.Context()), plane.Stop(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestStartTwice(t *testing.T) {
	p := startPlane(t, nil)
	if err := p.plane.Start(t.Context(), p.app); err == nil {
		t.Error("a second Start is accepted")
	}
	if a := p.get("/livez"); a.status != 200 {
		t.Errorf("%d", a.status)
	}
}

// Without its listener the channel serves the same.
func TestServeHTTP(t *testing.T) {
	p := startPlane(t, nil)
	req := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/runtime", nil)
	req.RemoteAddr = "127.0.0.1:1234"
	rec := httptest.NewRecorder()
	p.http.ServeHTTP(rec, req)
	if rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	req.RemoteAddr = "203.0.113.7:1234"
	rec = httptest.NewRecorder()
	p.http.ServeHTTP(rec, req)
	if rec.Code != 401 {
		t.Errorf("from elsewhere: %d %s", rec.Code, rec.Body)
	}
}

// A failing terminal is no reason not to run.
type brokenTerminal struct{}

func (brokenTerminal) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestBrokenTerminal(t *testing.T) {
	p := newPlane(t, nil)
	h, err := control.New(control.Config{Enabled: true, Listen: "127.0.0.1:0"}, control.WithTerminal(brokenTerminal{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), p.app); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// Starts, stops and requests at once.
func TestStopUnderLoad(t *testing.T) {
	p := startPlane(t, nil)
	addr := p.http.Addr()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := p.client.Get("http://" + addr + "/api/v1/runtime")
				if err != nil {
					continue // between Stop and Start nobody listens
				}
				if _, err := io.ReadAll(res.Body); err == nil && res.StatusCode != 200 && res.StatusCode != 503 {
					t.Errorf("status %d", res.StatusCode)
				}
				_ = res.Body.Close()
			}
		})
	}
	for range 5 {
		if err := p.plane.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.plane.Start(t.Context(), p.app); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

func TestEnrol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stored []string
		store := func(_ context.Context, s Signup) (Signup, error) { stored = append(stored, s.Email); return s, nil }
		app := plbatest.Start(t, plba.Modules(&Sales{}, &Crm{Store: store}), plba.WithConfigYAML("platform: {}"))
		app.WaitState("enrol", workers.Idle)
		for _, email := range []string{"a@example.org", "king@example.org"} {
			if res := plbatest.Feed(app, "signups", Signup{email}); res.Outcome != task.Done {
				t.Fatal(res.Err)
			}
		}
		if !slices.Equal(stored, []string{"a@example.org", "king@example.org"}) {
			t.Errorf("stored %q", stored)
		}
	})
}

func TestOrders(t *testing.T) {
	s := &Sales{}
	if _, err := plba.New(plba.Modules(s), plba.WithoutControlListener()); err != nil {
		t.Fatal(err)
	}
	if paid, err := s.Orders.Next("new", "pay"); err != nil || paid != "paid" {
		t.Errorf("%s, %v", paid, err)
	}
}

// The token is "secret".
const settings = `
platform:
  control:
    tokens: [{name: dashboard, role: viewer, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}]`

// served is a server under test.
type served struct {
	t      *testing.T
	url    string
	client *http.Client
	log    *output
	spans  *tracetest.SpanRecorder
	meters *sdkmetric.ManualReader
	stop   context.CancelFunc
	over   chan error
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func serve(t *testing.T, crm *Crm) *served {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{
		t: t, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second},
		log: &output{}, spans: tracetest.NewSpanRecorder(), meters: sdkmetric.NewManualReader(), stop: cancel, over: make(chan error, 1),
	}
	t.Cleanup(cancel)
	t.Cleanup(s.client.CloseIdleConnections)
	tp, mp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.meters))
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	go func() { s.over <- Serve(ctx, l, http.NewServeMux(), crm, tp, mp, log, settings) }()
	return s
}

func (s *served) do(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return resp.StatusCode, string(text)
}

func (s *served) signUp(email string) {
	s.t.Helper()
	if status, text := s.do("POST", "/signup", url.Values{"email": {email}}.Encode()); status != http.StatusAccepted {
		s.t.Fatalf("signup: %d %s", status, text)
	}
}

// counted is the value of a counter of the application's own.
func (s *served) counted(name string) (sum int64) {
	s.t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.meters.Collect(s.t.Context(), &all); err != nil {
		s.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, p := range data.DataPoints {
					sum += p.Value
				}
			}
		}
	}
	return sum
}

// The whole of it: its own server with the control plane mounted takes signups and stops when it is told to, with what was taken stored.
func TestServe(t *testing.T) {
	stored := make(chan string, 10)
	s := serve(t, &Crm{Store: func(_ context.Context, su Signup) (Signup, error) { stored <- su.Email; return su, nil }})
	s.signUp("a@example.org")
	s.signUp("king@example.org")
	got := []string{<-stored, <-stored}
	if slices.Sort(got); !slices.Equal(got, []string{"a@example.org", "king@example.org"}) {
		t.Errorf("stored %q", got)
	}

	for path, want := range map[string]string{"/plba/app/sales/count": "2", "/plba/readyz": `{"ok":true}`} {
		if status, text := s.do("GET", path, ""); status != 200 || strings.TrimSpace(text) != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	var list struct {
		Workers []workers.Status `json:"workers"`
	}
	status, text := s.do("GET", "/plba/api/v1/workers", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != 200 || len(list.Workers) != 1 || list.Workers[0].Name != "enrol" {
		t.Errorf("workers: %d %s, %v", status, text, err)
	}
	if status, text := s.do("POST", "/plba/api/v1/runtime/stop", ""); status != http.StatusForbidden {
		t.Errorf("a viewer stops the application: %d %s", status, text)
	}

	s.stop()
	if err := <-s.over; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if n := s.counted("signups.stored"); n != 2 {
		t.Errorf("its own meter counted %d", n)
	}
	if n := strings.Count(s.log.String(), `"msg":"stored"`); n != 2 || !strings.Contains(s.log.String(), `"receipt":{"clean":true`) {
		t.Errorf("its own log:\n%s", s.log)
	}
	names := map[string]int{}
	for _, span := range s.spans.Ended() {
		names[span.Name()]++
	}
	if names["process signups"] != 2 || names["send signups"] != 2 || names["worker.transition"] == 0 {
		t.Errorf("its own tracer: %v", names)
	}
	if _, err := s.client.Get(s.url + "/plba/livez"); err == nil {
		t.Error("the server still answers")
	}
}

// What has been taken is stored although the stop came in between.
func TestStopFinishesWhatWasTaken(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, &Crm{Store: func(_ context.Context, su Signup) (Signup, error) {
		close(begun)
		<-release
		return su, nil
	}})
	s.signUp("a@example.org")
	<-begun
	s.stop()
	close(release)
	if err := <-s.over; err != nil || s.counted("signups.stored") != 1 {
		t.Errorf("Serve: %v, %d stored", err, s.counted("signups.stored"))
	}
}

// Without tokens the control plane is not put into anybody's server.
func TestServeInsistsOnAuthentication(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Serve(t.Context(), l, http.NewServeMux(), &Crm{Store: func(_ context.Context, s Signup) (Signup, error) { return s, nil }},
		tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), slog.New(slog.DiscardHandler), "platform: {}")
	if err == nil || errors.Is(err, http.ErrServerClosed) || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("Serve: %v", err)
	}
}

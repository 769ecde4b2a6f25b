package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testGate is a gate with one token of the role viewer, and an API on it that has no operations.
func testGate(t *testing.T, log *slog.Logger) (*gate, *api) {
	t.Helper()
	g := newGate("", newHosts(Config{Listen: "127.0.0.1:0"}), &doorman{newAuthority(Config{}, nil), emptyService(t)}, log)
	cfg := huma.Config{
		OpenAPI: newDocument(""), Formats: map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()}, DefaultFormat: "application/json",
		Transformers: []huma.Transformer{sanitise},
	}
	return g, &api{API: huma.NewAPI(cfg, router{g, cfg.Components.Schemas}), log: log}
}

func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://localhost"+path, nil)
	req.RemoteAddr = "127.0.0.1:1"
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

// A panic ends its request with a 500 that does not tell why; the log does.
func TestPanicInAnOperation(t *testing.T) {
	var log strings.Builder
	g, a := testGate(t, slog.New(slog.NewTextHandler(&log, nil)))
	register(a, endpoint{id: "explode", method: "GET", path: "/explode", access: accessProbe, tag: tagProbes}, func(context.Context, *struct{}) (*said[Probe], error) {
		panic("the secret is out")
	})
	rec := ask(g, "GET", "/explode")
	if rec.Code != 500 || rec.Header().Get("Content-Type") != problemType || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if !strings.Contains(log.String(), "the secret is out") || !strings.Contains(log.String(), "gate_internal_test.go") {
		t.Errorf("the log lacks panic or stack: %s", log.String())
	}
}

// After half an answer another one would be garbage: the connection is cut.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	g, _ := testGate(t, quiet())
	g.handle(rule{method: "GET", path: "/half", need: accessProbe, body: bodyRule{limit: maxBody}}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("now")
	})
	g.handle(rule{method: "GET", path: "/abort", need: accessProbe, body: bodyRule{limit: maxBody}}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, path := range []string{"/half", "/abort"} {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("%s: recovered %v", path, v)
				}
			}()
			ask(g, "GET", path)
		}()
	}
}

// The cause of a failure stays in the log.
func TestFailureOfAnOperation(t *testing.T) {
	var log strings.Builder
	g, a := testGate(t, slog.New(slog.NewTextHandler(&log, nil)))
	fail := func(path string, err error) {
		register(a, endpoint{id: path[1:], method: "GET", path: path, access: accessProbe, tag: tagProbes}, func(context.Context, *struct{}) (*said[Probe], error) {
			return nil, err
		})
	}
	fail("/plain", errors.New("password=hunter2"))
	fail("/huma", huma.Error502BadGateway("password=hunter2", errors.New("password=hunter2")))
	for _, path := range []string{"/plain", "/huma"} {
		rec := ask(g, "GET", path)
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "hunter2") || !strings.Contains(rec.Body.String(), "the log of the application says why") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if strings.Count(log.String(), "hunter2") < 2 {
		t.Errorf("the log lacks the causes: %s", log.String())
	}
}

// Huma's own errors lose what they repeat, whoever makes them.
func TestSanitise(t *testing.T) {
	g, a := testGate(t, quiet())
	huma.Register(a.API, huma.Operation{
		OperationID: "raw", Method: "GET", Path: "/raw", Metadata: map[string]any{accessKey: accessProbe},
	}, func(_ context.Context, in *struct {
		Kind string `query:"kind"`
	}) (*said[Probe], error) {
		detail := &huma.ErrorDetail{Message: "wrong", Location: "body.x", Value: "hunter2"}
		switch in.Kind {
		case "plain":
			return nil, errors.New("hunter2")
		case "500":
			return nil, huma.Error500InternalServerError("hunter2", detail)
		}
		return nil, huma.Error409Conflict("no", detail, nil)
	})
	for kind, want := range map[string]int{"plain": 500, "500": 500, "409": 409} {
		rec := ask(g, "GET", "/raw?kind="+kind)
		if rec.Code != want || rec.Header().Get("Content-Type") != problemType || strings.Contains(rec.Body.String(), "hunter2") {
			t.Errorf("%s: %d %v %s", kind, rec.Code, rec.Header(), rec.Body)
		}
	}
}

// What does not say what it demands admits nobody, the admin neither.
func TestDenyByDefault(t *testing.T) {
	g, a := testGate(t, quiet())
	text, token := firstRun()
	g.door.auth.chain = []Authenticator{tokens{token}}
	huma.Register(a.API, huma.Operation{OperationID: "bare", Method: "GET", Path: "/bare"}, func(context.Context, *struct{}) (*said[Probe], error) {
		t.Error("it was reached")
		return nil, nil
	})
	g.handle(rule{method: "GET", path: "/odd", need: Access{Role: "superuser", Without: Never}, body: bodyRule{limit: maxBody}}, func(http.ResponseWriter, *http.Request) { t.Error("it was reached") })
	for _, path := range []string{"/bare", "/odd"} {
		if rec := ask(g, "GET", path); rec.Code != 401 {
			t.Errorf("%s for nobody: %d", path, rec.Code)
		}
		req := httptest.NewRequest("GET", "http://localhost"+path, nil)
		req.Header.Set("Authorization", "Bearer "+text)
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, req)
		if rec.Code != 403 {
			t.Errorf("%s for the admin: %d", path, rec.Code)
		}
	}
}

func TestRoles(t *testing.T) {
	all := []Role{"", "root", Viewer, Operator, Admin}
	for i, r := range all {
		for j, need := range all {
			want := i >= j && j >= 2
			if r.may(need) != want {
				t.Errorf("%q may %q: %v", r, need, !want)
			}
		}
	}
}

// The address that the request came in at is as good a name as any: orchestrators probe by it.
func TestHostThatIsTheAddress(t *testing.T) {
	h := newHosts(Config{Listen: "0.0.0.0:80"})
	req := httptest.NewRequest("GET", "http://10.1.2.3:80/livez", nil)
	at := func(addr string) *http.Request {
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		return req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, net.Addr(local)))
	}
	if !h.allow(at("10.1.2.3:80")) || !h.allow(at("[::ffff:10.1.2.3]:80")) || h.allow(at("10.1.2.4:80")) || h.allow(req) {
		t.Error("only the address itself is allowed")
	}
}

// A client that sends nothing, or stops in the middle, is cut off.
func TestSlowClients(t *testing.T) {
	for name, c := range map[string]struct {
		sends string
		after time.Duration
	}{
		"nothing":         {"", readHeaderTimeout},
		"half a header":   {"GET /livez HTTP/1.1\r\nHost: localh", readHeaderTimeout},
		"half a body":     {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{", readTimeout},
		"no next request": {"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, _ := testGate(t, quiet())
				g.handle(rule{method: "GET", path: "/livez", need: accessProbe, body: bodyRule{limit: maxBody}}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
				g.handle(rule{method: "POST", path: "/echo", need: accessProbe, body: bodyRule{limit: maxBody}}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
				client, server := net.Pipe()
				l := &oneListener{conn: server, closed: make(chan struct{})}
				s := newServer(g, quiet())
				served := make(chan struct{})
				go serve(s, l, served, quiet())
				began := time.Now()
				go func() { _, _ = io.WriteString(client, c.sends) }()
				_, _ = io.ReadAll(client) // until the server hangs up
				if took := time.Since(began); took < c.after || took > c.after+time.Second {
					t.Errorf("cut off after %s, want %s", took, c.after)
				}
				_ = s.Close()
				<-served
			})
		})
	}
}

// oneListener accepts one connection.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func TestThrottle(t *testing.T) {
	th, now := newThrottle(), time.Unix(0, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range loginTries {
		if _, ok := th.take(a, now); !ok {
			t.Fatal("fewer tries than promised")
		}
	}
	if wait, ok := th.take(a, now); ok || wait != loginEvery {
		t.Errorf("the next one waits %s, want %s", wait, loginEvery)
	}
	if _, ok := th.take(b, now); !ok {
		t.Error("another address is concerned")
	}
	if _, ok := th.take(a, now.Add(loginEvery)); !ok {
		t.Error("nothing came back")
	}
	if _, ok := th.take(a, now.Add(loginEvery)); ok {
		t.Error("more came back than one")
	}
	// Networks of IPv6 clients are one; IPv4 written as IPv6 is the same address.
	if th.key(netip.MustParseAddr("2001:db8::1"), now) != th.key(netip.MustParseAddr("2001:db8::2"), now) ||
		th.key(netip.MustParseAddr("::ffff:192.0.2.1"), now) != th.key(a, now) || th.key(netip.MustParseAddr("2001:db8:0:1::1"), now) == th.key(netip.MustParseAddr("2001:db8::1"), now) {
		t.Error("addresses are told apart wrongly")
	}
}

// Right tokens cost nothing and leave nothing behind.
func TestThrottleGivesBack(t *testing.T) {
	th, now := newThrottle(), time.Unix(0, 0)
	a := netip.MustParseAddr("192.0.2.1")
	for range 10 * loginTries {
		if _, ok := th.take(a, now); !ok {
			t.Fatal("a right token was refused")
		}
		th.giveBack(a, now)
	}
	if len(th.used) != 0 {
		t.Errorf("%d addresses are tracked", len(th.used))
	}
}

// Its memory is bounded, and an attacker with many addresses gets no more tries than the bound allows.
func TestThrottleIsBounded(t *testing.T) {
	th, now := newThrottle(), time.Unix(0, 0)
	granted := 0
	for i := range 3 * loginTracked {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, ok := th.take(addr, now); ok {
			granted++
		}
	}
	if len(th.used) > loginTracked+1 || granted > loginTracked+loginTries {
		t.Errorf("%d addresses, %d tries", len(th.used), granted)
	}
	later := now.Add(time.Hour)
	if _, ok := th.take(netip.MustParseAddr("192.0.2.1"), later); !ok || len(th.used) > 2 {
		t.Errorf("after an hour %d addresses are still tracked", len(th.used))
	}
}

// Over any stretch of time an address gets at most its tries at once and one more each interval.
func TestThrottleProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th, now := newThrottle(), time.Unix(0, 0)
		addr := netip.MustParseAddr("192.0.2.1")
		wrong := 0
		var elapsed time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			step := time.Duration(rapid.Int64Range(0, int64(2*loginEvery)).Draw(t, "pause"))
			elapsed += step
			now = now.Add(step)
			if _, ok := th.take(addr, now); !ok {
				continue
			}
			if rapid.Bool().Draw(t, "right") {
				th.giveBack(addr, now)
			} else {
				wrong++
			}
		}
		if limit := loginTries + int(elapsed/loginEvery); wrong > limit {
			t.Fatalf("%d wrong tokens in %s, the limit is %d", wrong, elapsed, limit)
		}
	})
}

// The table of descriptions has nothing that the document lacks.
func TestDescriptionsAreInTheDocument(t *testing.T) {
	a := newAPI(nil, nil, nil, catalogue(Config{}), nil)
	schemas := a.OpenAPI().Components.Schemas.Map()
	for key, text := range descriptions {
		name, field, _ := strings.Cut(key, ".")
		found := schemas[name] != nil && (field == "" || schemas[name].Properties[field] != nil)
		if !found || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q is in no schema, or no sentence", key, text)
		}
	}
}

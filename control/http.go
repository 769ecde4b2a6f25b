package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plba/plba/openapi"
	"github.com/plba/plba/runtime"
)

// The limits of a connection. A client that is slower is cut off.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second // of the whole request
	writeTimeout      = 30 * time.Second // of the answer
	idleTimeout       = 60 * time.Second // between requests
	maxHeader         = 32 << 10
)

// HTTP is the control channel that speaks HTTP. It implements runtime.Channel; all methods are safe for concurrent use.
type HTTP struct {
	cfg      Config
	terminal io.Writer
	door     doorman
	token    string // made at the first start, until it has been shown

	serving atomic.Pointer[gate] // nil while it does not run

	mu     sync.Mutex // guards what follows
	svc    *Service
	server *http.Server
	addr   net.Addr
	served chan struct{} // closed when the server has ended
}

var _ runtime.Channel = (*HTTP)(nil)

// Option tunes NewHTTP.
type Option interface{ http(*HTTP) }

type option func(*HTTP)

func (f option) http(h *HTTP) { f(h) }

// WithTerminal is where the token of the first run is shown, once (default os.Stderr). It is never logged.
func WithTerminal(w io.Writer) Option { return option(func(h *HTTP) { h.terminal = w }) }

// NewHTTP makes the channel. It does no I/O; the error names everything in cfg that cannot be used.
func NewHTTP(cfg Config, opts ...Option) (*HTTP, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &HTTP{cfg: cfg, terminal: os.Stderr}
	for _, opt := range opts {
		opt.http(h)
	}
	h.door = doorman{tokens: newTokens(cfg.Tokens), configured: len(cfg.Tokens) > 0, throttle: newThrottle()}
	if !h.door.configured {
		text, t := firstRun()
		h.token, h.door.tokens = text, tokens{t}
	}
	return h, nil
}

// Name is "http".
func (h *HTTP) Name() string { return "http" }

// Start listens and serves the application. A port that is taken is an error.
func (h *HTTP) Start(ctx context.Context, a *runtime.App) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.server != nil {
		return errors.New("the control plane has started already")
	}
	listener, err := h.listen(ctx)
	if err != nil {
		return err
	}
	door := h.door // with the tokens and the tries of earlier starts
	door.log = a.Logger()
	svc := NewService(a)
	g := newGate(h.cfg, &door, a.Logger())
	h.routes(g, svc, a.Logger())
	h.svc, h.addr, h.served = svc, listener.Addr(), make(chan struct{})
	h.server = newServer(h, a.Logger())
	h.serving.Store(g)
	go serve(h.server, listener, h.served, a.Logger())
	a.Logger().Info("control plane", "address", "http://"+h.addr.String())
	h.show(a.Name())
	return nil
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func serve(s *http.Server, l net.Listener, served chan<- struct{}, log *slog.Logger) {
	defer close(served)
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("control plane has ended", "error", err)
	}
}

func (h *HTTP) listen(ctx context.Context) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.cfg.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("platform.control.listen: %s is taken by another program; choose another address, or port 0 for any free one: %w", h.cfg.Listen, err)
	case err != nil:
		return nil, fmt.Errorf("platform.control.listen: cannot listen on %s: %w", h.cfg.Listen, err)
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if host, _, _ := net.SplitHostPort(h.cfg.Listen); isLoopbackName(host) && (err != nil || !at.Addr().Unmap().IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("platform.control.listen: %s means %s on this machine, which is not loopback; name the address itself", h.cfg.Listen, l.Addr()), l.Close())
	}
	return l, nil
}

// routes puts the operations and the page behind the gate.
func (h *HTTP) routes(g *gate, svc *Service, log *slog.Logger) {
	newAPI(g, svc, log, h.cfg.PublicHealth)
	docs := openapi.Docs("PLBA control plane", "/openapi.json")
	g.handle("GET /docs/", accessRead, problemsOnly(docs))
	g.handle("GET /docs", accessRead, http.RedirectHandler("/docs/", http.StatusPermanentRedirect).ServeHTTP)
}

// show tells the token once, and then forgets it.
func (h *HTTP) show(application string) {
	if h.token == "" {
		return
	}
	url := "http://" + h.addr.String()
	_, _ = fmt.Fprintf(h.terminal, "\n  %s: control plane at %s (API: %s/docs)\n  token for this run, role admin, not shown again:\n\n      %s\n\n",
		application, url, url, h.token) // a terminal that is gone is no reason not to run
	h.token = ""
}

// Addr is the address that the channel listens on, "" before Start.
func (h *HTTP) Addr() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.addr == nil {
		return ""
	}
	return h.addr.String()
}

// ServeHTTP is what Start serves, for tests and for a listener of the application's own. While the channel does not run it is a 503.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g := h.serving.Load(); g != nil {
		g.ServeHTTP(w, r)
		return
	}
	newProblem(http.StatusServiceUnavailable, "the control plane does not run").write(w)
}

// Stop ends the service, waits for requests under way until ctx ends, and then cuts them off.
func (h *HTTP) Stop(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.server == nil {
		return nil
	}
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests to the control plane were cut off: %w", err), h.server.Close())
	}
	<-h.served
	h.serving.Store(nil)
	err = errors.Join(err, h.svc.Close(ctx))
	h.server, h.svc, h.addr = nil, nil, nil
	return err
}

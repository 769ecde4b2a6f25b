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
	"sync"
	"syscall"
	"time"
)

// The limits of a connection. A client that is slower is cut off.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second // of the whole request
	writeTimeout      = 30 * time.Second // of the answer
	idleTimeout       = 60 * time.Second // between requests
	maxHeader         = 32 << 10
)

// HTTP is the channel that speaks HTTP, on a listener of its own and under prefixes of the application's muxes. All methods are safe for concurrent use.
type HTTP struct {
	cfg      Config
	terminal io.Writer
	unheard  bool // it has no listener
	auth     *authority
	token    string // made at the first start, until it has been shown
	root     face   // what the listener serves

	mu     sync.Mutex // guards what follows
	mounts []*face
	svc    *Service     // nil while it does not run, as is what follows
	server *http.Server // nil without a listener too
	keys   *keyring     // nil without TLS too
	addr   net.Addr
	served chan struct{} // closed when the server has ended

	ending context.Context // done when streams must end
	end    context.CancelFunc
}

var _ Channel = (*HTTP)(nil)

// newHTTP makes the channel of a valid configuration. It does no I/O. token is what it shows at the first start, "" for nothing.
func newHTTP(cfg Config, o options, auth *authority, token string) *HTTP {
	return &HTTP{cfg: cfg, terminal: o.terminal, unheard: o.unheard, auth: auth, token: token}
}

// Name is "http".
func (h *HTTP) Name() string { return "http" }

// Start listens and serves. A port that is taken is an error.
func (h *HTTP) Start(ctx context.Context, svc *Service) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.svc != nil {
		return errors.New("it has started already")
	}
	var listener net.Listener
	if !h.unheard {
		var err error
		if listener, err = h.listen(ctx); err != nil {
			return err
		}
		if h.keys, err = h.readKeys(svc.app.Logger()); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	h.svc = svc
	h.ending, h.end = context.WithCancel(context.Background())
	for _, f := range h.mounts {
		h.open(f)
	}
	if !h.unheard {
		log := svc.app.Logger()
		h.open(&h.root)
		h.addr, h.served = listener.Addr(), make(chan struct{})
		h.server = newServer(h, log)
		if h.keys != nil {
			h.server.TLSConfig = h.keys.config()
		}
		go serve(h.server, listener, h.served, log)
		log.Info("control plane", "address", h.url())
		h.show(svc.app.Name())
	}
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
	run := s.Serve
	if s.TLSConfig != nil {
		run = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	if err := run(l); !errors.Is(err, http.ErrServerClosed) {
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

func (h *HTTP) readKeys(log *slog.Logger) (*keyring, error) {
	if !h.cfg.TLS.enabled() {
		return nil, nil
	}
	return newKeyring(h.cfg.TLS, log)
}

func (h *HTTP) url() string {
	if h.keys != nil {
		return "https://" + h.addr.String()
	}
	return "http://" + h.addr.String()
}

// show tells the token once, and then forgets it.
func (h *HTTP) show(application string) {
	if h.token == "" {
		return
	}
	url := h.url()
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

// ServeHTTP is what the listener serves, for tests. While the channel does not run it is a 503.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) }

// Stop ends streams, waits for requests under way until ctx ends, and then cuts them off. Requests that came in by a mount are waited for by whoever serves the mux.
func (h *HTTP) Stop(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.svc == nil {
		return nil
	}
	h.end()
	var err error
	if h.server != nil {
		if err = h.server.Shutdown(ctx); err != nil {
			err = errors.Join(fmt.Errorf("requests to the control plane were cut off: %w", err), h.server.Close())
		}
		<-h.served
	}
	h.root.close()
	for _, f := range h.mounts {
		f.close()
	}
	h.svc, h.server, h.keys, h.addr = nil, nil, nil, nil
	return err
}

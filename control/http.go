package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
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
	svc    *Service // nil while it does not run
	main   *listening
	probes *listening      // that serves probes and nothing else
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
	h.ending, h.end = context.WithCancel(context.Background())
	h.svc = svc
	var err error
	if !h.unheard {
		err = h.listen(ctx)
	}
	if err != nil {
		h.svc = nil
		h.end()
		return err
	}
	for _, f := range h.mounts {
		h.open(f)
	}
	return nil
}

// listen opens the addresses. Everything that can fail comes before anything is served.
func (h *HTTP) listen(ctx context.Context) error {
	log := h.svc.app.Logger()
	l, err := listenOn(ctx, "listen", h.cfg.Listen)
	if err != nil {
		return err
	}
	var secure *tls.Config
	scheme := "http://"
	if h.cfg.TLS.enabled() {
		keys, err := newKeyring(h.cfg.TLS, log)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		secure, scheme = keys.config(), "https://"
	}
	var second net.Listener
	if h.cfg.Probes != "" {
		if second, err = listenOn(ctx, "probes", h.cfg.Probes); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	h.open(&h.root)
	h.main = serveOn(l, h, secure, log)
	url := scheme + h.main.address()
	log.Info("control plane", "address", url)
	h.show(h.svc.app.Name(), url)
	if second != nil {
		h.probes = serveOn(second, h.probesOnly(), nil, log)
		log.Info("control plane: probes", "address", "http://"+h.probes.address())
	}
	return nil
}

// probesOnly serves the probes, and nothing else, to whoever asks by whatever name.
func (h *HTTP) probesOnly() http.Handler {
	log := h.svc.app.Logger()
	g := newGate("", nil, &doorman{h.auth, h.svc}, log)
	newAPI(g, h.svc, log, probeEndpoints(), nil)
	return g
}

// show tells the token once, and then forgets it.
func (h *HTTP) show(application, url string) {
	if h.token == "" {
		return
	}
	_, _ = fmt.Fprintf(h.terminal, "\n  %s: control plane at %s (API: %s/docs)\n  token for this run, role admin, not shown again:\n\n      %s\n\n",
		application, url, url, h.token) // a terminal that is gone is no reason not to run
	h.token = ""
}

// Addr is the address that the channel listens on, "" while it does not.
func (h *HTTP) Addr() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.main.address()
}

// ProbesAddr is the address that serves probes alone, "" while none does.
func (h *HTTP) ProbesAddr() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.probes.address()
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
	err := errors.Join(h.main.stop(ctx), h.probes.stop(ctx))
	h.root.close()
	for _, f := range h.mounts {
		f.close()
	}
	h.svc, h.main, h.probes = nil, nil, nil
	return err
}

package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/plba/plba/openapi"
)

// face is one place where the control plane is served: the listener, or a prefix of one of the application's muxes.
type face struct {
	prefix string               // without a final slash, "" for the listener
	gate   atomic.Pointer[gate] // nil while the channel does not run
}

// ServeHTTP serves the control plane while it runs.
func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g := f.gate.Load(); g != nil {
		g.ServeHTTP(w, r)
		return
	}
	notRunning().write(w)
}

func (f *face) close() { f.gate.Store(nil) }

func notRunning() *Problem {
	return newProblem(http.StatusServiceUnavailable, "the control plane does not run")
}

var prefixRule = regexp.MustCompile(`^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*$`)

// Handler is the whole control plane for a mux of the application's own, under prefix, which begins and ends with a slash:
//
//	mux.Handle("/plba/", h) // h, err := channel.Handler("/plba/")
//
// Requests must arrive with the prefix in their paths; documentation, document and links contain it. The handler answers while the channel runs, that is from
// the start of the application to its stop, and before and after with a 503.
//
// Configured authentication is a condition: who can reach the application's mux is for the application to say, so nothing but probes, and what is Open, is
// readable without a token there. For the same reason the name of the host is checked only if there are allowed_hosts, and whether there is TLS is left to the
// application's server.
func (h *HTTP) Handler(prefix string) (http.Handler, error) {
	if !prefixRule.MatchString(prefix) {
		return nil, fmt.Errorf("the control plane cannot be mounted at %q: a prefix begins and ends with a slash and has letters, digits and ._~- between, for instance /plba/", prefix)
	}
	if !h.auth.configured {
		return nil, fmt.Errorf("the control plane cannot be mounted at %q: %w", prefix, errNoAuthentication)
	}
	f := &face{prefix: strings.TrimSuffix(prefix, "/")}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mounts = append(h.mounts, f)
	if h.svc != nil {
		h.open(f)
	}
	return f, nil
}

var errNoAuthentication = errors.New("no authentication is configured; add at least one token, platform: {control: {tokens: [{name: ops, role: operator, sha256: HASH}]}}, " +
	`where HASH is what printf %s "$token" | sha256sum prints`)

// open lets a face serve the application. The caller holds mu.
func (h *HTTP) open(f *face) {
	log := h.svc.app.Logger()
	var names hosts
	if f == &h.root || len(h.cfg.AllowedHosts) > 0 {
		names = newHosts(h.cfg)
	}
	g := newGate(f.prefix, names, &doorman{h.auth, h.svc}, log)
	g.ending = h.ending
	h.routes(g, log)
	f.gate.Store(g)
}

// routes puts the operations and the page behind the gate.
func (h *HTTP) routes(g *gate, log *slog.Logger) {
	newAPI(g, h.svc, log, h.svc.entries, applicationOf(h.svc.app))
	docs := openapi.Docs("PLBA control plane", g.prefix+"/openapi.json")
	page := rule{id: "docs", method: http.MethodGet, path: "/docs/", need: accessRead, forBrowsers: true}
	g.handle(page, problemsOnly(docs))
	page.path = "/docs"
	g.handle(page, http.RedirectHandler(g.prefix+"/docs/", http.StatusPermanentRedirect).ServeHTTP)
}

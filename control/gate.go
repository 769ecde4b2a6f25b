package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBody is how long the body of a request may be.
const maxBody = 1 << 20

// gate is what every request passes on its way to an operation, in this order: headers that every answer has; recovery from panics; a path in its
// canonical form; a known host; no other site's page; then, by the route, who asks and the body.
type gate struct {
	mux   *http.ServeMux
	door  *doorman
	hosts hosts
	cross *http.CrossOriginProtection
	log   *slog.Logger
}

func newGate(cfg Config, door *doorman, log *slog.Logger) *gate {
	g := &gate{mux: http.NewServeMux(), door: door, hosts: newHosts(cfg), cross: http.NewCrossOriginProtection(), log: log}
	g.mux.HandleFunc("/", g.noRoute)
	return g
}

// handle adds a route. need goes with it: there is no way to a route but through the doorman.
func (g *gate) handle(pattern string, need Access, next http.HandlerFunc) {
	g.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		who, refused := g.door.admit(r, need)
		if refused == nil {
			refused = readBody(w, r)
		}
		if refused != nil {
			refused.write(w)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, who)))
	})
}

type principalKey struct{}

// asker is who the doorman admitted.
func asker(ctx context.Context) Principal {
	who, _ := ctx.Value(principalKey{}).(Principal)
	return who
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w}
	defer g.recover(a, r)
	h := a.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if refused := g.screen(r); refused != nil {
		refused.write(a)
		return
	}
	g.mux.ServeHTTP(a, r)
}

// screen refuses what no operation should see.
func (g *gate) screen(r *http.Request) *Problem {
	switch {
	case !isCanonical(r):
		return newProblem(http.StatusBadRequest, "the path is not in its canonical form: no //, no . and .., no control characters, nothing encoded that need not be")
	case !g.hosts.allow(r):
		return newProblem(http.StatusMisdirectedRequest, "this is not the host %q; platform.control.allowed_hosts can allow that name", cut(hostOf(r.Host)))
	case g.cross.Check(r) != nil:
		return newProblem(http.StatusForbidden, "the page of another site may not do this")
	case r.ContentLength > maxBody:
		return tooLong()
	}
	return nil
}

// isCanonical makes sure that the path that is authorised is the path that is meant: each resource has exactly one spelling.
func isCanonical(r *http.Request) bool {
	p := r.URL.Path
	if !strings.HasPrefix(p, "/") || r.URL.RawPath != "" || !utf8.ValidString(p) || !isPrintable(p) {
		return false
	}
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// noRoute answers what no operation is for: 405 if another method would do, else 404.
func (g *gate) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := g.mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 || slices.Contains(allowed, r.Method) {
		newProblem(http.StatusNotFound, "there is nothing at this path; /docs shows what there is").write(w)
		return
	}
	p := newProblem(http.StatusMethodNotAllowed, "this path does not take %s", cut(r.Method))
	p.Allowed = allowed
	p.header("Allow", strings.Join(allowed, ", "))
	p.write(w)
}

// readBody reads the body whole, so that what follows works on memory and no operation meets a client that stalls.
func readBody(w http.ResponseWriter, r *http.Request) *Problem {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if declared := r.Header.Get("Content-Type"); declared != "" {
		if media, _, err := mime.ParseMediaType(declared); err != nil || media != "application/json" {
			return newProblem(http.StatusUnsupportedMediaType, "a body must be declared as application/json")
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return newProblem(http.StatusRequestTimeout, "the body did not come in time")
	case err != nil:
		return newProblem(http.StatusBadRequest, "the body did not come whole")
	case len(body) > maxBody:
		w.Header().Set("Connection", "close") // rather than read the rest
		return tooLong()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func tooLong() *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, "a body may have at most %d bytes", maxBody)
}

// recover ends a request whose operation panicked; the process lives.
func (g *gate) recover(a *answer, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler {
		g.log.Error("control operation panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
	}
	if v == http.ErrAbortHandler || a.wrote {
		panic(http.ErrAbortHandler) // too late for another answer: cut the connection, so that half an answer is not taken for a whole one
	}
	internal().write(a)
}

// answer knows whether anything was written.
type answer struct {
	http.ResponseWriter
	wrote bool
}

func (a *answer) WriteHeader(status int) {
	a.wrote = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// problemsOnly makes problems of the errors of a handler that knows none.
func problemsOnly(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&replaced{ResponseWriter: w}, r) }
}

type replaced struct {
	http.ResponseWriter
	refused bool
}

func (p *replaced) WriteHeader(status int) {
	if p.refused = status >= 400; p.refused {
		newProblem(status, "there is nothing at this path").write(p.ResponseWriter)
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *replaced) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (p *replaced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

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
	"time"
	"unicode/utf8"
)

// maxBody is how long the body of a request may be.
const maxBody = 1 << 20

// gate is what every request passes on its way to an operation, in this order: headers that every answer has; recovery from panics; a path in its
// canonical form; a known host; no other site's page; then, by the route, who asks and the body.
type gate struct {
	prefix string // of every path, without a final slash
	mux    *http.ServeMux
	door   *doorman
	hosts  hosts // nil allows all
	cross  *http.CrossOriginProtection
	log    *slog.Logger

	ending context.Context // done when streams must end
}

func newGate(prefix string, hosts hosts, door *doorman, log *slog.Logger) *gate {
	g := &gate{prefix: prefix, mux: http.NewServeMux(), door: door, hosts: hosts, cross: http.NewCrossOriginProtection(), log: log, ending: context.Background()}
	g.mux.HandleFunc("/", g.noRoute)
	return g
}

// rule is what a route demands, and how it is called in the audit.
type rule struct {
	id, method, path string
	need             Access
	body             bodyRule
	forBrowsers      bool // they are asked for a token
}

// handle adds a route. The rule goes with it: there is no way to a route but through the doorman. Whatever changes something is in the audit.
func (g *gate) handle(rt rule, next http.HandlerFunc) {
	g.mux.HandleFunc(rt.method+" "+g.prefix+rt.path, func(w http.ResponseWriter, r *http.Request) {
		who, refused := g.door.admit(r, rt)
		if refused != nil {
			refused.write(w)
			return
		}
		if rt.method != http.MethodGet {
			defer g.note(w, who, rt)
		}
		if refused = rt.body.read(w, r); refused != nil {
			refused.write(w)
			return
		}
		next(w, r.WithContext(withCaller(r.Context(), who)))
	})
}

// note puts what the operation itself has not put into the audit.
func (g *gate) note(w http.ResponseWriter, who *caller, rt rule) {
	if who.recorded {
		return
	}
	status := http.StatusInternalServerError // it panics
	if a, ok := w.(*answer); ok && a.wrote {
		status = a.status
	}
	g.door.svc.audit.note(who, rt.id, status)
}

// slow lets an answer take longer than others may, but not beyond the stop of the channel.
func (g *gate) slow(next http.HandlerFunc) http.HandlerFunc {
	return g.stream(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(profileSlower)) // where it is not supported there is no limit either
		next(w, r)
	})
}

// stream lets an answer go on beyond the limits of the server until the channel stops.
func (g *gate) stream(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer context.AfterFunc(g.ending, func() { cancel(ErrClosed) })()
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // where it is not supported there is no limit either
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		next(w, r.WithContext(ctx))
	}
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
	case g.hosts != nil && !g.hosts.allow(r):
		return newProblem(http.StatusMisdirectedRequest, "this is not the host %q; platform.control.allowed_hosts can allow that name", cut(hostOf(r.Host)))
	case g.cross.Check(r) != nil:
		g.door.svc.audit.denied(&caller{channel: channelHTTP, from: addressOf(r)}, cut(r.Method+" "+r.URL.Path), "the page of another site asked for it")
		return newProblem(http.StatusForbidden, "the page of another site may not do this")
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
		newProblem(http.StatusNotFound, "there is nothing at this path; %s/docs shows what there is", g.prefix).write(w)
		return
	}
	p := newProblem(http.StatusMethodNotAllowed, "this path does not take %s", cut(r.Method))
	p.Allowed = allowed
	p.header("Allow", strings.Join(allowed, ", "))
	p.write(w)
}

// bodyRule says which bodies a route takes.
type bodyRule struct {
	limit    int64 // bytes; negative: the operation reads it itself, without a bound
	anyMedia bool  // not only JSON
}

// read reads the body whole, so that what follows works on memory and no operation meets a client that stalls.
func (b bodyRule) read(w http.ResponseWriter, r *http.Request) *Problem {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if declared := r.Header.Get("Content-Type"); declared != "" && !b.anyMedia {
		if media, _, err := mime.ParseMediaType(declared); err != nil || media != "application/json" {
			return newProblem(http.StatusUnsupportedMediaType, "a body must be declared as application/json")
		}
	}
	switch {
	case b.limit < 0:
		return nil
	case r.ContentLength > b.limit:
		return b.tooLong()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, b.limit+1))
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return newProblem(http.StatusRequestTimeout, "the body did not come in time")
	case err != nil:
		return newProblem(http.StatusBadRequest, "the body did not come whole")
	case int64(len(body)) > b.limit:
		w.Header().Set("Connection", "close") // rather than read the rest
		return b.tooLong()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func (b bodyRule) tooLong() *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, "a body may have at most %d bytes", b.limit)
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
	wrote  bool
	status int
}

func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.wrote, a.status = true, status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if !a.wrote {
		a.wrote, a.status = true, http.StatusOK
	}
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

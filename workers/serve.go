package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// What a client may take its time for, and how large its headers may be. How long a request may take is the handler's to say.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// ServeOption tunes Serve.
type ServeOption interface{ serve(*serveOptions) }

type serveOptions struct{ onListen func(net.Addr) }

type onListen func(net.Addr)

func (f onListen) serve(o *serveOptions) { o.onListen = f }

// OnListen calls f at every start with the address that the server listens on, before the worker is ready. It tells which port the system
// chose for port 0.
func OnListen(f func(net.Addr)) ServeOption { return onListen(f) }

// Serve makes a worker that serves h over plain HTTP on addr ("host:port"; port 0: the system chooses). It binds in Start, so a port that
// is taken fails the start.
//
// Every request is work in flight, and a stop waits for it: the listener closes at once, idle connections too. Contexts of requests
// descend from the worker's: when the stop becomes forced, their context.Cause is task.ErrForced and the connections close. A panic in h
// fails that request alone, which is answered with 500 as long as no header has been sent; http.ErrAbortHandler aborts as it does
// elsewhere, and counts as failed.
//
// A client has 10 s for the headers of a request, which may have 64 KiB, and a connection may be idle for 2 minutes. There is no limit for
// bodies and answers: http.MaxBytesReader, http.TimeoutHandler and http.ResponseController set them where they are known.
func Serve(name, addr string, h http.Handler, opts ...ServeOption) Worker {
	s := &server{life: newLife(name, "serve"), addr: addr, handler: h}
	for _, o := range opts {
		o.serve(&s.opts)
	}
	if isNil(h) {
		s.fault("the handler is nil")
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		s.fault("address %q is not host:port: %w", addr, err)
	}
	s.body = untilStopped(s.serve)
	return s
}

type server struct {
	*life
	addr    string
	handler http.Handler
	opts    serveOptions
}

// Equip takes what the runtime lends.
func (s *server) Equip(env Env) error {
	if env.Settings.Concurrency != nil {
		s.fault("concurrency does not apply: a server handles every request as it comes")
	}
	return s.life.Equip(env)
}

// serve is the body: listen, serve, and at the end wait for what is in flight.
func (s *server) serve(r *run) error {
	listener, err := new(net.ListenConfig).Listen(r.ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("cannot serve on %q: %w", s.addr, err)
	}
	defer func() { _ = listener.Close() }() // closed already, unless OnListen panics
	if s.opts.onListen != nil {
		s.opts.onListen(listener.Addr())
	}
	inFlight := &requests{server: s, run: r, none: make(chan struct{})}
	srv := &http.Server{
		Handler:           inFlight,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return r.ctx },
		ErrorLog:          slog.NewLogLogger(s.env.Logger.With("worker", s.name).Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	r.ready()
	select {
	case <-r.intake.Done():
	case err = <-ended:
		ended <- err
	}
	if srv.Shutdown(r.ctx) != nil {
		_ = srv.Close() // forced: the contexts have ended with the cause, now the connections do
	}
	inFlight.close()
	<-inFlight.none
	if err = <-ended; errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving on %q: %w", s.addr, err)
}

// requests counts what is in flight. http.Server.Close does not wait for handlers, so the body does: a life must not end before its work.
type requests struct {
	server *server
	run    *run

	mu     sync.Mutex
	n      int
	closed bool
	none   chan struct{} // closed when nothing is in flight and nothing can be
}

func (q *requests) enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.n++
	q.run.act.begin()
	return true
}

func (q *requests) leave(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.server.count(q.run, err)
	if q.n--; q.closed && q.n == 0 {
		close(q.none)
	}
}

func (q *requests) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed = true; q.n == 0 {
		close(q.none)
	}
}

// ServeHTTP handles one request. The handler gets the server's own ResponseWriter with all its abilities.
func (q *requests) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !q.enter() {
		panic(http.ErrAbortHandler) // read off a connection that Close has cut
	}
	err := errGoexit
	defer func() {
		v := recover()
		if v != nil {
			err = NewPanicError(v)
		}
		q.leave(err)
		switch {
		case v == http.ErrAbortHandler:
			panic(v)
		case v != nil:
			q.server.env.Logger.ErrorContext(req.Context(), "request panicked", "worker", q.server.name, "method", req.Method, "path", req.URL.Path,
				"error", err, "stack", stackOf(err))
			answer500(w)
			panic(http.ErrAbortHandler)
		}
	}()
	q.server.handler.ServeHTTP(w, req)
	err = nil
}

// answer500 answers a request whose handler panicked, if no header has been sent. Whoever calls it aborts the connection afterwards: so an
// answer that was begun is seen to be cut, and one that was not is complete, as it has no body and has been flushed.
func answer500(w http.ResponseWriter) {
	clear(w.Header())
	w.Header().Set("Content-Length", "0")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusInternalServerError)
	_ = http.NewResponseController(w).Flush()
}

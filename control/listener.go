package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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

// listening is a server on an address.
type listening struct {
	server *http.Server
	addr   net.Addr
	served chan struct{} // closed when the server has ended
}

// listenOn opens an address that the configuration names under key.
func listenOn(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("platform.control.%s: %s is taken by another program; choose another address, or port 0 for any free one: %w", key, address, err)
	case err != nil:
		return nil, fmt.Errorf("platform.control.%s: cannot listen on %s: %w", key, address, err)
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if host, _, _ := net.SplitHostPort(address); isLoopbackName(host) && (err != nil || !at.Addr().Unmap().IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("platform.control.%s: %s means %s on this machine, which is not loopback; name the address itself", key, address, l.Addr()), l.Close())
	}
	return l, nil
}

// serveOn serves until stop. secure is nil for plain HTTP.
func serveOn(l net.Listener, h http.Handler, secure *tls.Config, log *slog.Logger) *listening {
	on := &listening{server: newServer(h, log), addr: l.Addr(), served: make(chan struct{})}
	on.server.TLSConfig = secure
	go serve(on.server, l, on.served, log)
	return on
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	bound(s, maxConns)
	return s
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

// stop waits for requests under way until ctx ends, and then cuts them off. Stopping nothing is fine.
func (on *listening) stop(ctx context.Context) error {
	if on == nil {
		return nil
	}
	err := on.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests to the control plane were cut off: %w", err), on.server.Close())
	}
	<-on.served
	return err
}

func (on *listening) address() string {
	if on == nil {
		return ""
	}
	return on.addr.String()
}

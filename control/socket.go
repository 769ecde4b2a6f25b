package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// SocketConfig is platform.control.socket.
type SocketConfig struct {
	// Path is where the socket is made (default: none). A relative one begins at the working directory.
	Path string `koanf:"path"`
	// Role is what everybody may do who can open the socket (default admin): its owner, who could end the process as well, and, with Group, its group.
	Role Role `koanf:"role"`
	// Group lets members of the socket's group open it too (default false: its owner only).
	Group bool `koanf:"group"`
}

// SetDefaults gives the role admin.
func (c *SocketConfig) SetDefaults() { c.Role = Admin }

// Validate refuses what is no role.
func (c *SocketConfig) Validate() error {
	if c.Path != "" && c.Role.rank() == 0 {
		return fault("role", "use viewer, operator or admin", "%q is not a role", c.Role)
	}
	return nil
}

// The limits of a connection to the socket.
const (
	maxConnections = 64
	maxLine        = maxBody
	askTimeout     = 10 * time.Minute // between two requests
)

// Socket is the channel that speaks lines of JSON on a Unix socket, for programs on the same machine. Who may open the socket is the file system's to say; who
// presents a token besides is known by that.
//
// A client sends one request a line and reads one answer a line, in turn, as often as it likes:
//
//	{"id": 1, "operation": "stopWorker", "input": {"name": "email-processing", "reason": "too many mails"}}
//	{"id": 1, "result": {"id": "m8x2k1-17", "asked": "stopWorker", …}}
//	{"id": 2, "operation": "getWorker", "input": {"name": "nobody"}, "token": "…"}
//	{"id": 2, "error": {"kind": "not_found", "detail": "there is no worker \"nobody\" …"}}
//
// operation is the operationId of the OpenAPI document; input has its parameters and the fields of its body side by side. id, a number or a short text, is repeated,
// and may be left out, as input and token may. "operations" lists all operations. watchEvents is answered with a line {"id": …, "event": {…}} for each event, with
// a line that has neither event nor error now and then, and at the end with an error; the client ends it by closing the connection.
//
// The kinds of errors are invalid, not_found, conflict, unavailable, unauthenticated, denied and too_many.
type Socket struct {
	cfg SocketConfig

	mu       sync.Mutex // guards what follows
	svc      *Service   // nil while it does not run
	listener *net.UnixListener
	ctx      context.Context // of the connections
	end      context.CancelFunc
	open     map[*net.UnixConn]struct{}
	wg       sync.WaitGroup // of the connections and who accepts them
}

var _ Channel = (*Socket)(nil)

func newSocket(cfg SocketConfig) *Socket {
	return &Socket{cfg: cfg, open: map[*net.UnixConn]struct{}{}}
}

// Name is "socket".
func (s *Socket) Name() string { return "socket" }

// Start makes the socket. One that is left from a process that has died is replaced; one that a process listens on is an error.
func (s *Socket) Start(_ context.Context, svc *Service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.svc != nil {
		return errors.New("it has started already")
	}
	l, err := s.listen()
	if err != nil {
		return fmt.Errorf("platform.control.socket.path: %w", err)
	}
	s.svc, s.listener = svc, l
	s.ctx, s.end = context.WithCancel(context.Background())
	s.wg.Go(func() { s.accept(l, svc.app.Logger()) })
	svc.app.Logger().Info("control plane", "address", "unix:"+s.cfg.Path)
	return nil
}

// listen makes the socket beside its place and moves it there once only those may open it who should.
func (s *Socket) listen() (*net.UnixListener, error) {
	path := s.cfg.Path
	switch info, err := os.Stat(path); {
	case err == nil && info.Mode()&os.ModeSocket == 0:
		return nil, fmt.Errorf("%s is there and is no socket", path)
	case err == nil:
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("another program listens on %s", path)
		}
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	_ = os.Remove(fresh) // of a process that had our number and died at this very place
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it is somewhere else by then
	mode := os.FileMode(0o600)
	if s.cfg.Group {
		mode = 0o660
	}
	if err = os.Chmod(fresh, mode); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(fresh))
	}
	return l, nil
}

func (s *Socket) accept(l *net.UnixListener, log *slog.Logger) {
	for {
		c, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, perhaps: there may be some again soon
			log.Warn("the control socket cannot accept", "error", err)
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		}
		if !s.take(c) {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(c, `{"error":{"kind":"too_many","detail":"there are too many connections already"}}`+"\n")
			_ = c.Close()
		}
	}
}

// take serves a connection, unless there are too many or the channel stops.
func (s *Socket) take(c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == maxConnections || s.ctx.Err() != nil {
		return false
	}
	s.open[c] = struct{}{}
	svc, ctx := s.svc, s.ctx
	s.wg.Go(func() {
		defer func() {
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
			_ = c.Close()
		}()
		talk := &conversation{svc: svc, conn: c, who: Principal{peerName(c), s.cfg.Role}}
		talk.run(ctx)
	})
	return true
}

// Stop ends streams, lets requests under way be answered until ctx ends, and then cuts them off.
func (s *Socket) Stop(ctx context.Context) error {
	s.mu.Lock()
	if s.svc == nil {
		s.mu.Unlock()
		return nil
	}
	s.end()
	err := errors.Join(s.listener.Close(), os.Remove(s.cfg.Path))
	for c := range s.open {
		_ = c.SetReadDeadline(time.Now()) // no further request
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() { s.wg.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("requests to the control socket were cut off: %w", context.Cause(ctx)))
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		<-gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.svc, s.listener = nil, nil
	return err
}

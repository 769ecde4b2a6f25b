package postgres_test

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plba/plba/queue/postgres/pgtest"
)

// proxy stands between clients and a server. Connections through it can fall silent as they do when a cable is pulled: nobody closes them, and nothing arrives.
type proxy struct {
	listener net.Listener
	server   string
	dead     atomic.Bool // everything new is silent too
	deaf     atomic.Bool // connections that listen for notifications are silent

	mu     sync.Mutex
	lines  []*line
	closed bool
	work   sync.WaitGroup
}

// line is one connection through the proxy.
type line struct {
	client, server net.Conn
	silent         atomic.Bool
	listens        atomic.Bool
}

// newProxy gives one, and the connection string through it.
func newProxy(t *testing.T, s *pgtest.Server, database string) (*proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	p := &proxy{listener: l, server: s.Addr()}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = c.Close()
			continue
		}
		l := &line{client: c, server: s}
		l.silent.Store(p.dead.Load())
		p.mu.Lock()
		p.lines = append(p.lines, l)
		p.work.Go(func() { p.forward(l, c, s) })
		p.work.Go(func() { p.forward(l, s, c) })
		p.mu.Unlock()
	}
}

// forward passes on what comes, unless the line is silent. The end of one side ends the other.
func (p *proxy) forward(l *line, from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if bytes.Contains(buf[:n], []byte("LISTEN ")) {
			l.listens.Store(true)
		}
		if l.listens.Load() && p.deaf.Load() {
			l.silent.Store(true)
		}
		if l.silent.Load() {
			if err != nil && from == l.client {
				return // the server does not hear of it
			}
		} else if _, fault := to.Write(buf[:n]); fault != nil {
			err = fault
		}
		if err != nil {
			_ = l.client.Close()
			_ = l.server.Close()
			return
		}
	}
}

// cut lets all connections fall silent, and new ones too until mend is called.
func (p *proxy) cut() {
	p.dead.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		l.silent.Store(true)
	}
}

// mend lets new connections through. What fell silent stays so.
func (p *proxy) mend() { p.dead.Store(false) }

// listening is how many connections that listen are alive.
func (p *proxy) listening() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.listens.Load() && !l.silent.Load() {
			n++
		}
	}
	return n
}

// close ends everything.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, l := range p.lines {
		_ = l.client.Close()
		_ = l.server.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

package mailserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
)

// listener knows all connections it accepted, so that they can be cut at once and waited for. The protocol libraries
// close their connections but do not wait until these are no longer served.
type listener struct {
	net.Listener

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	served sync.WaitGroup // one for each connection, until the protocol library closes it
}

// conn is closed by the protocol library, which is the end of its serving, and cut by us, which is what makes the library
// come to that end.
type conn struct {
	net.Conn
	owner *listener
	once  sync.Once
}

func listen(protocol, addr string) (*listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("mailserver: %s cannot listen: %w", protocol, err)
	}
	return &listener{Listener: ln, conns: make(map[*conn]struct{})}, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(net.ErrClosed, raw.Close())
	}
	c := &conn{Conn: raw, owner: l}
	l.conns[c] = struct{}{}
	l.served.Add(1)
	return c, nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.owner.mu.Lock()
		delete(c.owner.conns, c)
		c.owner.mu.Unlock()
		c.owner.served.Done()
	})
	return err
}

// cut ends the connection under whatever encryption lies over it.
func cut(c net.Conn) {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	if ours, ok := c.(*conn); ok {
		c = ours.Conn
	}
	_ = c.Close() // a connection that is closed already is as good
}

func (l *listener) cutAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		cut(c)
	}
}

// shut stops accepting, cuts all connections and waits for their end.
func (l *listener) shut() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	var err error
	if !closed {
		err = l.Listener.Close()
	}
	l.cutAll()
	l.served.Wait()
	return err
}

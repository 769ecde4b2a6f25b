package control

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// maxConns bounds the connections of one address: an application must not run out of descriptors because somebody opens connections to its control plane.
const maxConns = 1024

// connections bounds the connections of a server. When there are too many, the one is closed that has waited longest for its next, or first, request to be whole; while all
// are being answered, the new one.
type connections struct {
	most int

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // nil for those that are being answered
	waiting *list.List                 // of net.Conn, those that have waited longest first
}

type connectionKey struct{}

// bound makes s keep at most that many connections.
func bound(s *http.Server, most int) *connections {
	c := &connections{most: most, open: map[net.Conn]*list.Element{}, waiting: list.New()}
	next := s.Handler
	s.ConnState = c.note
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
			c.answering(conn)
		}
		next.ServeHTTP(w, r)
	})
	return c
}

// note is told of each move of a connection.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if excess := c.add(conn); excess != nil {
			_ = excess.Close()
		}
	case http.StateIdle:
		c.wait(conn)
	case http.StateActive: // it has begun to ask; see answering
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forget(conn)
	}
}

// add gives the connection that has to go, if one has to.
func (c *connections) add(conn net.Conn) (excess net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) == c.most {
		oldest := c.waiting.Front()
		if oldest == nil {
			return conn
		}
		excess, _ = oldest.Value.(net.Conn)
		c.forget(excess)
	}
	c.open[conn] = c.waiting.PushBack(conn)
	return excess
}

func (c *connections) wait(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, known := c.open[conn]; known && at == nil {
		c.open[conn] = c.waiting.PushBack(conn)
	}
}

func (c *connections) answering(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.open[conn]; at != nil {
		c.waiting.Remove(at)
		c.open[conn] = nil
	}
}

// forget is called with mu held.
func (c *connections) forget(conn net.Conn) {
	if at := c.open[conn]; at != nil {
		c.waiting.Remove(at)
	}
	delete(c.open, conn)
}

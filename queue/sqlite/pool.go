package sqlite

import (
	"context"
	"errors"

	"github.com/plba/plba/queue"
)

// pool lends connections that only read. They see what has been committed, and neither wait for the writer nor let it wait.
type pool struct {
	open   func() (*conn, error)
	idle   chan *conn    // as many places as there may be connections; nil for one that has not been opened
	closed chan struct{} // closed at the end
}

// readersAtOnce is how many of them there are at most.
const readersAtOnce = 4

func newPool(open func() (*conn, error)) *pool {
	p := &pool{open: open, idle: make(chan *conn, readersAtOnce), closed: make(chan struct{})}
	for range readersAtOnce {
		p.idle <- nil
	}
	return p
}

// snapshot calls f with a connection that sees one state of the database, whatever is committed meanwhile.
func (p *pool) snapshot(ctx context.Context, f func(c *conn) error) (err error) {
	var c *conn
	select {
	case c = <-p.idle:
	case <-p.closed:
		return queue.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.idle <- c }()
	select {
	case <-p.closed:
		return queue.ErrClosed
	default:
	}
	if c == nil {
		if c, err = p.open(); err != nil {
			return err
		}
	}
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	err = f(c)
	_, end := c.exec("ROLLBACK")
	return errors.Join(err, end)
}

// close waits for those who read, and closes the connections.
func (p *pool) close() (err error) {
	close(p.closed)
	for range readersAtOnce {
		if c := <-p.idle; c != nil {
			err = errors.Join(err, c.close())
		}
	}
	return err
}

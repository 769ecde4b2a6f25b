package postgres

import (
	"context"
	"net"
	"sync"
	"time"
)

// keepAlive finds connections that died while they were idle, within a minute, and keeps firewalls from forgetting those that live.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// wires are the network connections of a pool of ours, those included that only ask for the end of a statement: a pool waits for the server when it closes
// them, for long if they have died.
type wires struct {
	ctx    context.Context // of dialling
	cancel context.CancelFunc

	mu   sync.Mutex
	open map[*wire]bool
}

// wire is one of them.
type wire struct {
	net.Conn
	of *wires
}

func newWires() *wires {
	w := &wires{open: map[*wire]bool{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// dial makes one.
func (w *wires) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()
	c, err := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	one := &wire{c, w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		_ = c.Close() // whoever reads or writes hears of it
	}
	w.open[one] = true
	return one, nil
}

// Close implements net.Conn.
func (c *wire) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// cut ends all of them, and those that are being made, without a word to the server.
func (w *wires) cut() {
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.open {
		_ = one.Conn.Close()
	}
}

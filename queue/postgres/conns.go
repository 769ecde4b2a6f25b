package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conns are the connections of a store: a pool. When all connections of it seem to have died, another takes its place.
type conns struct {
	open    func() (*pool, error) // nil: the pool is the application's
	timeout time.Duration
	pool    atomic.Pointer[pool]
	heard   atomic.Int64 // when the server answered last, in nanoseconds since begin
	begin   time.Time

	closing chan struct{}
	retired sync.WaitGroup // pools in whose place others are
}

// pool is a pool with its wires, which one of the application's does not have.
type pool struct {
	*pgxpool.Pool
	wires *wires
}

func newConns(p *pool, open func() (*pool, error), timeout time.Duration) *conns {
	c := &conns{open: open, timeout: timeout, begin: time.Now(), closing: make(chan struct{})}
	c.pool.Store(p)
	return c
}

// borrow looks after a pool of the application's.
func borrow(p *pgxpool.Pool, timeout time.Duration) (*conns, error) {
	if most := p.Config().MaxConns; most < 2 {
		return nil, fmt.Errorf("the application's pool has room for %d connection: it must be at least 2, one of them is kept for notifications", most)
	}
	return newConns(&pool{Pool: p}, nil, timeout), nil
}

// dial makes pools of our own. Nothing is connected yet.
func dial(config *pgxpool.Config, timeout time.Duration) (*conns, error) {
	open := func() (*pool, error) {
		own, w := config.Copy(), newWires()
		own.ConnConfig.DialFunc = w.dial
		p, err := pgxpool.NewWithConfig(context.Background(), own)
		return &pool{p, w}, err
	}
	p, err := open()
	if err != nil {
		return nil, err
	}
	return newConns(p, open, timeout), nil
}

// close ends what is ours.
func (c *conns) close() {
	close(c.closing)
	c.retired.Wait()
	if c.open != nil {
		c.pool.Load().end()
	}
}

// grace is how long the connections of a pool may take to end in order.
const grace = time.Second

// end closes a pool of ours. It waits for no connection that has died.
func (p *pool) end() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Close()
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	p.wires.cut()
	<-ended
}

// watch is called when an operation begins. What it gives is called with how that ended: an answer, or none in time. Without any answer since it began, to
// anybody, the pool is replaced.
func (c *conns) watch() (ended func(answered bool)) {
	p, began := c.pool.Load(), int64(time.Since(c.begin))
	return func(answered bool) {
		switch {
		case answered:
			c.heard.Store(int64(time.Since(c.begin)))
		case c.open != nil && c.heard.Load() < began:
			c.replace(p)
		}
	}
}

func (c *conns) replace(old *pool) {
	fresh, err := c.open()
	if err != nil {
		return // then it goes on with what it has
	}
	if !c.pool.CompareAndSwap(old, fresh) {
		fresh.end() // somebody else was faster
		return
	}
	c.retired.Go(func() { c.retire(old) })
}

// retire closes a pool when nobody can be waiting for a connection of it any more.
func (c *conns) retire(old *pool) {
	old.Reset()
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.closing:
	}
	old.end()
}

// busy says whether all connections are in use, and how many they are.
func (c *conns) busy() (most int32, all bool) {
	st := c.pool.Load().Stat()
	return st.MaxConns(), st.AcquiredConns() >= st.MaxConns()
}

// The methods of a pool.

// Exec runs a statement.
func (c *conns) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.pool.Load().Exec(ctx, sql, args...)
}

// Query runs a statement that gives rows.
func (c *conns) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.pool.Load().Query(ctx, sql, args...)
}

// QueryRow runs a statement that gives a row.
func (c *conns) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.pool.Load().QueryRow(ctx, sql, args...)
}

// SendBatch runs statements in one round, as one transaction.
func (c *conns) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.pool.Load().SendBatch(ctx, b)
}

// Begin begins a transaction.
func (c *conns) Begin(ctx context.Context) (pgx.Tx, error) { return c.pool.Load().Begin(ctx) }

// Acquire lends a connection.
func (c *conns) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	return c.pool.Load().Acquire(ctx)
}

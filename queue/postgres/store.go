package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// store is one schema of one database, shared by the engines of this process that are in it.
type store struct {
	pool    *conns
	schema  string
	timeout time.Duration
	self    string   // tells our own notifications from others'
	texts   sync.Map // statements with the schema's name in them

	migrated sync.Mutex
	ready    bool // guarded by migrated

	ctx     context.Context // of what runs in the background
	cancel  context.CancelFunc
	work    sync.WaitGroup
	changed chan struct{} // somebody has something to tell other processes

	mu      sync.Mutex
	engines map[*engine]bool
	dirty   map[string]bool // queues that other processes are to hear of
	told    time.Time       // when they were told something
}

func newStore(pool *conns, s *Settings) *store {
	st := &store{
		pool: pool, schema: s.Schema, timeout: s.Timeout, self: uuid.NewString(),
		changed: make(chan struct{}, 1), engines: map[*engine]bool{}, dirty: map[string]bool{},
	}
	st.ctx, st.cancel = context.WithCancel(context.Background())
	st.work.Go(st.listen)
	st.work.Go(st.tell)
	return st
}

// close ends what runs in the background.
func (s *store) close() {
	s.cancel()
	s.work.Wait()
	s.pool.close()
}

// prepare makes sure that the tables are there. While that fails it is tried again by everyone who needs them.
func (s *store) prepare(ctx context.Context) error {
	s.migrated.Lock()
	defer s.migrated.Unlock()
	if s.ready {
		return nil
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// attempts is how often a transaction is tried that others stand in the way of.
const attempts = 8

// do runs f within the timeout. Deadlocks are tried again: they changed nothing.
func (s *store) do(ctx context.Context, f func(ctx context.Context) error) error {
	for n := 1; ; n++ {
		err := s.once(ctx, f)
		if err == nil || n == attempts || !again(err) {
			return explain(ctx, err)
		}
	}
}

func (s *store) once(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("%w: no answer in %s", ErrUnavailable, s.timeout))
	defer cancel()
	ended := s.pool.watch()
	err := f(ctx)
	if err == nil || sqlState(err) != "" {
		ended(true)
		return err
	}
	cause := context.Cause(ctx)
	if !errors.Is(cause, ErrUnavailable) {
		return err
	}
	ended(false)
	if most, all := s.pool.busy(); all {
		return fmt.Errorf("%w, and all %d connections of the pool are in use", cause, most)
	}
	return cause
}

// tx runs f in a transaction, within the timeout.
func (s *store) tx(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	return s.do(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return f(ctx, tx) })
	})
}

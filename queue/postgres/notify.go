package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Processes tell each other which queues have something new, over one channel for the schema. A notification is a hint that saves waiting for the next look;
// whoever misses one looks by itself after a while.

// Times of notifications.
const (
	tellPause   = 5 * time.Millisecond // between two of ours: each is a commit
	listenPause = time.Second          // before the next try to get a connection
)

func (s *store) channel() string { return "plba_" + s.schema }

const tellSQL = "SELECT pg_notify($1, n) FROM unnest($2::text[]) n"

// notice is what others are told about a queue.
func (s *store) notice(queue string) string { return s.self + " " + queue }

// publish lets other processes hear of a queue, soon.
func (s *store) publish(queue string) {
	s.mu.Lock()
	s.dirty[queue] = true
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// turn says whether it is time to tell something. If so, the caller does, at once.
func (s *store) turn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.told) < tellPause {
		return false
	}
	s.told = time.Now()
	return true
}

// tell sends what publish asks for: the first at once, what follows closely together.
func (s *store) tell() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.changed:
		}
		for !s.turn() {
			pause := time.NewTimer(tellPause)
			select {
			case <-s.ctx.Done():
				pause.Stop()
				return
			case <-pause.C:
			}
		}
		s.mu.Lock()
		names := make([]string, 0, len(s.dirty))
		for name := range s.dirty {
			names = append(names, s.notice(name))
		}
		clear(s.dirty)
		s.mu.Unlock()
		_ = s.do(s.ctx, func(ctx context.Context) error { // others look by themselves if this fails
			_, err := s.pool.Exec(ctx, tellSQL, s.channel(), names)
			return err
		})
	}
}

// listen hears what others tell, on a connection of its own, and gets a new one when that is lost.
func (s *store) listen() {
	for s.ctx.Err() == nil {
		_ = s.hear() // the engines' own operations report a database that is away
		pause := time.NewTimer(listenPause)
		select {
		case <-s.ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// hear listens until the connection fails. When nothing has come for the length of the timeout it asks whether the connection lives.
func (s *store) hear() error {
	var c *pgxpool.Conn
	err := s.once(s.ctx, func(ctx context.Context) (err error) {
		if c, err = s.pool.Acquire(ctx); err != nil {
			return err
		}
		_, err = c.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize())
		return err
	})
	if c != nil {
		defer s.hangUp(c)
	}
	if err != nil {
		return err
	}
	s.wake("") // for what was told before
	for {
		ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
		n, err := c.Conn().WaitForNotification(ctx)
		cancel()
		switch {
		case err == nil:
			if from, name, ok := strings.Cut(n.Payload, " "); ok && from != s.self {
				s.wake(name)
			}
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) && !c.Conn().IsClosed():
			if err := s.once(s.ctx, c.Ping); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// hangUp gives the place of a connection back to the pool, but not the connection: it listens.
func (s *store) hangUp(c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
	defer cancel()
	_ = c.Conn().Close(ctx)
	c.Release()
}

// wake lets receivers of a queue look at it, and who waits for room; "": of all.
func (s *store) wake(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.engines {
		if name == "" || name == e.name {
			e.wakeReceivers(1)
			e.wakeFillers()
		}
	}
}

func (s *store) join(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engines[e] = true
}

func (s *store) leave(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.engines, e)
}

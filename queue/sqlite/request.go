package sqlite

import (
	"context"
	"errors"
	"slices"

	"github.com/plba/plba/queue"
)

// request is something that is asked of the writer.
type request struct {
	engine *engine
	// do does it in the transaction of b. If it is not finished, it waits in line. It may be called again: when it waits, and when a batch is rolled
	// back. Its error is the answer; what went wrong with the database is b's.
	do func(b *batch) (finished bool, err error)
	// line is where it waits until it is finished; nil for what is always finished at once.
	line   *line
	weight int  // bytes
	closes bool // the engine; that is possible whatever else is not

	err  error // the answer; to be read after done
	done chan struct{}

	served *batch // the one in which it was finished, if that is committed

	place place // guarded by the store's mutex, as is
	left  bool  // whoever asked has gone
}

// place is where a request is.
type place uint8

const (
	queued place = iota
	taken        // by the writer
	lined        // waits for room, or for tasks
	answered
)

// line is where requests wait that cannot be finished yet, first come first served. The store's mutex guards it.
type line struct{ requests []*request }

func (l *line) remove(r *request) {
	if i := slices.Index(l.requests, r); i >= 0 {
		l.requests = slices.Delete(l.requests, i, i+1)
	}
}

// errLeft is the answer for whoever has gone.
var errLeft = errors.New("gone")

// ask hands a request to the writer and waits for the answer. When ctx ends, a request that is not at work is withdrawn; one that is brings its answer soon, and
// that is the truth.
func (s *store) ask(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil && !r.closes {
		return err
	}
	r.done = make(chan struct{})
	if err := s.enqueue(r); err != nil {
		return err
	}
	s.signal()
	select {
	case <-r.done:
	case <-ctx.Done():
		if s.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
	}
	if r.err == errLeft {
		return ctx.Err()
	}
	return r.err
}

func (s *store) enqueue(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.closes:
	case r.engine.closed:
		return queue.ErrClosed
	case s.damage != nil:
		return s.damage
	}
	s.queued = append(s.queued, r)
	return nil
}

// withdraw takes a request back that is not at work, and says whether it could.
func (s *store) withdraw(r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.left = true
	switch r.place {
	case queued:
		s.queued = slices.DeleteFunc(s.queued, func(other *request) bool { return other == r })
	case lined:
		r.line.remove(r)
	default:
		return false
	}
	r.place = answered
	return true
}

// inLine takes everyone who waits in a line. They stay in it until they are answered.
func (s *store) inLine(l *line) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range l.requests {
		r.place = taken
	}
	return slices.Clone(l.requests)
}

// nth takes the request at that position of a line; nil when there is none.
func (s *store) nth(l *line, i int) *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= len(l.requests) {
		return nil
	}
	l.requests[i].place = taken
	return l.requests[i]
}

// empty says whether nobody waits in a line.
func (s *store) empty(l *line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(l.requests) == 0
}

// answer finishes a request.
func (s *store) answer(r *request, err error) {
	s.mu.Lock()
	s.settle(r, err)
	s.mu.Unlock()
}

// settle finishes a request, under the mutex.
func (s *store) settle(r *request, err error) {
	if r.line != nil {
		r.line.remove(r)
	}
	r.place, r.err = answered, err
	close(r.done)
}

// letWait puts a request back that is not finished. Whoever has gone does not wait.
func (s *store) letWait(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.left {
		s.settle(r, errLeft)
		return
	}
	r.place = lined
}

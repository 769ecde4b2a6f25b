package sqlite

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// store is one open file: everything that its queues share. All that changes goes through its writer, one goroutine that takes the requests that have
// gathered, does them in one transaction, commits it, and then answers: so a hundred publishers share one sync of the disk.
type store struct {
	path    string
	lock    *flock.Flock
	clock   *clock
	db      *conn // the writer's
	readers *pool

	wake  chan struct{} // has room for the one signal
	ended chan struct{} // closed when the writer has closed everything
	fault error         // of closing; to be read after ended

	mu      sync.Mutex
	version int64      // the store's time of the last commit whose effects are in memory
	newer   *sync.Cond // for it
	queued  []*request
	closing bool
	damage  error // what was found; nothing goes on after that

	// These are the writer's alone.
	engines []*engine
	last    counters
	retry   int64 // when to try again what happens by itself and failed
}

// counters number what the file holds.
type counters struct {
	seq int64 // places
	n   int64 // tasks
}

// run is the writer.
func (s *store) run() {
	defer close(s.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for s.wait(timer) {
		// Whoever was answered just now is about to ask again: let them, so that more of them share the next commit.
		runtime.Gosched()
		s.serve(s.take())
	}
	s.fault = s.release()
}

// wait waits until there is something to do; false: the end.
func (s *store) wait(timer *time.Timer) bool {
	for {
		s.mu.Lock()
		asked, closing := len(s.queued) > 0, s.closing
		s.mu.Unlock()
		if asked || closing {
			return asked
		}
		next := s.alarm()
		if next == never {
			<-s.wake
			continue
		}
		left := next - s.clock.now()
		if left <= 0 {
			return true
		}
		timer.Reset(time.Duration(left))
		select {
		case <-s.wake:
		case <-timer.C:
			return true
		}
	}
}

// alarm is the next instant at which something happens by itself.
func (s *store) alarm() int64 {
	next := never
	if s.damaged() != nil {
		return next
	}
	for _, e := range s.engines {
		next = min(next, e.alarm())
	}
	return max(next, s.retry)
}

// signal lets the writer look again.
func (s *store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// What the writer takes at once: enough that the sync is shared by many, little enough that nobody waits long.
const (
	mostRequests = 512
	mostBytes    = 16 << 20
)

// take takes requests to do them together. Those that may have to wait go to the ends of their lines, where they are found when their turn comes.
func (s *store) take() (rs []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for ; n < len(s.queued) && n < mostRequests && bytes < mostBytes; n++ {
		r := s.queued[n]
		bytes += r.weight
		if r.line != nil {
			r.place = lined
			r.line.requests = append(r.line.requests, r)
			continue
		}
		r.place = taken
		rs = append(rs, r)
	}
	s.queued = slices.Delete(s.queued, 0, n)
	return rs
}

// serve does requests, and whatever is due by itself, in one transaction. If that fails, it does each of them in a transaction of its own, so that the error
// goes to those whom it concerns.
func (s *store) serve(rs []*request) {
	s.retry = 0
	if err := s.damaged(); err != nil {
		s.refuse(rs, err)
		return
	}
	b := s.begin()
	s.together(b, rs)
	if b.end() == nil {
		return
	}
	for _, e := range s.engines {
		rs = append(rs, s.inLine(&e.publishers)...)
		rs = append(rs, s.inLine(&e.receivers)...)
	}
	for _, e := range slices.Clone(s.engines) {
		s.byItself(e.advance)
	}
	for _, r := range rs {
		b := s.begin()
		b.attempt(r)
		if err := b.end(); err != nil {
			s.answer(r, err)
		}
	}
	for _, e := range s.engines {
		s.byItself(e.sweep)
	}
}

// together does everything in its order: first what is due, so that a late answer meets a lease that has ended; tasks are handed out last, so that what is
// published, or comes back, can go out in the same commit.
func (s *store) together(b *batch, rs []*request) {
	for _, e := range s.engines {
		e.advance(b)
	}
	for _, r := range rs {
		b.attempt(r)
	}
	for _, e := range s.engines { // those, too, that were opened just now
		b.attend(&e.publishers)
		b.attend(&e.receivers)
		e.sweep(b)
	}
}

// patience is how long to wait before what happens by itself is tried again after it failed.
const patience = int64(time.Second)

// byItself does what nobody asked for, so there is nobody to tell that it failed.
func (s *store) byItself(do func(*batch)) {
	b := s.begin()
	if do(b); b.end() != nil {
		s.retry = s.clock.now() + patience
	}
}

// refuse answers everyone with an error, other than those who close.
func (s *store) refuse(rs []*request, err error) {
	for _, e := range s.engines {
		rs = append(rs, s.inLine(&e.publishers)...)
		rs = append(rs, s.inLine(&e.receivers)...)
	}
	for _, r := range rs {
		if !r.closes {
			s.answer(r, err)
			continue
		}
		b := s.begin()
		b.attempt(r)
		if err := b.end(); err != nil {
			s.answer(r, err)
		}
	}
}

// damaged is what was found to be damaged.
func (s *store) damaged() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage
}

// note keeps in mind that the file is damaged.
func (s *store) note(err error) {
	if errors.Is(err, ErrDamaged) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.damage == nil {
			s.damage = err
		}
	}
}

// setVersion says that the effects of a commit are in memory.
func (s *store) setVersion(v int64) {
	s.mu.Lock()
	s.version = v
	s.mu.Unlock()
	s.newer.Broadcast()
}

// awaitVersion waits until the effects of a commit are in memory; that waits for no disk.
func (s *store) awaitVersion(v int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.version < v {
		s.newer.Wait()
	}
}

// close ends the writer, which closes everything, and waits for it.
func (s *store) close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.signal()
	select {
	case <-s.ended:
		return s.fault
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release closes what the writer worked with. Closing the last connection moves what is in the write-ahead log into the database and removes the log.
func (s *store) release() error {
	return errors.Join(explain(s.path, s.readers.close()), explain(s.path, s.db.close()), s.lock.Unlock())
}

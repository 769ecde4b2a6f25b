package modeltest

import "sync"

// slots are those of a worker, as task.Slots says.
type slots struct {
	size int

	mu      sync.Mutex
	parked  int
	flushes map[int]func()
	last    int
}

func (s *slots) Size() int { return s.size }

func (s *slots) Park() (unpark func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked++
	s.check()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parked--
	})
}

func (s *slots) OnSaturated(flush func()) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	n := s.last
	s.flushes[n] = flush
	s.check()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.flushes, n)
	}
}

// check tells all who want to know when every slot is parked. The bubble around the test waits for that.
func (s *slots) check() {
	if s.parked < s.size {
		return
	}
	for n, flush := range s.flushes {
		delete(s.flushes, n)
		go flush()
	}
}

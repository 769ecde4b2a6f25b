package pipeline

import (
	"slices"
	"sync"
)

// hands are the goroutines of one stage in stream mode. When all of them wait in a batch, nobody can bring it another
// item, however many slots the worker has.
type hands struct {
	size int

	mu      sync.Mutex
	parked  int
	flushes []*func()
}

// Size implements task.Slots.
func (h *hands) Size() int { return h.size }

// Park implements task.Slots; it calls what OnSaturated has registered itself.
func (h *hands) Park() (unpark func()) {
	h.mu.Lock()
	h.parked++
	var flushes []*func()
	if h.parked >= h.size {
		flushes, h.flushes = h.flushes, nil
	}
	h.mu.Unlock()
	for _, flush := range flushes {
		(*flush)()
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.parked--
	}
}

// OnSaturated implements task.Slots. Whoever asks has not parked yet.
func (h *hands) OnSaturated(flush func()) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := &flush
	h.flushes = append(h.flushes, f)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.flushes = slices.DeleteFunc(h.flushes, func(other *func()) bool { return other == f })
	}
}

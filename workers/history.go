package workers

import "sync"

// historySize bounds each of the two rings of a worker's history.
const historySize = 100

// history keeps the last transitions; activity (work, rest) apart from the rest.
type history struct {
	mu        sync.Mutex
	lifecycle ring
	activity  ring
}

func (h *history) add(t Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.Event == EventWork || t.Event == EventRest {
		h.activity.add(t)
	} else {
		h.lifecycle.add(t)
	}
}

func (h *history) list() (lifecycle, activity []Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lifecycle.list(), h.activity.list()
}

// ring holds the last historySize transitions; it grows as it is used, so an idle worker holds little.
type ring struct {
	items []Transition
	next  int
}

func (r *ring) add(t Transition) {
	if len(r.items) < historySize {
		r.items = append(r.items, t)
		return
	}
	r.items[r.next] = t
	r.next = (r.next + 1) % historySize
}

func (r *ring) list() []Transition {
	out := make([]Transition, 0, len(r.items))
	out = append(out, r.items[r.next:]...)
	return append(out, r.items[:r.next]...)
}

package workers

import (
	"sync"
	"sync/atomic"
	"time"
)

// quiet is how long nothing may be in flight before a busy worker is called idle.
const quiet = 250 * time.Millisecond

// activity turns work in flight into the events work and rest. Beginning and ending work costs a few atomic operations; the
// state machine is touched only on the edge to busy and by a timer that runs while the worker is busy.
//
// The order that makes it right: begin adds to inFlight before it reads busy, check clears busy before it reads inFlight. So one of
// the two sees the other, and no task runs while the worker stays "idle".
type activity struct {
	inFlight  atomic.Int64
	completed atomic.Uint64
	busy      atomic.Bool

	mu     sync.Mutex // guards what follows, and the order of the events
	seen   uint64     // completed at the last check
	timer  *time.Timer
	closed bool
	fire   func(Event)
}

func (a *activity) begin() {
	a.inFlight.Add(1)
	if !a.busy.Load() {
		a.wake()
	}
}

func (a *activity) end() {
	a.completed.Add(1)
	a.inFlight.Add(-1)
}

func (a *activity) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.busy.Load() {
		return
	}
	a.busy.Store(true)
	a.seen = a.completed.Load()
	a.fire(EventWork)
	if a.timer == nil {
		a.timer = time.AfterFunc(quiet, a.check)
	} else {
		a.timer.Reset(quiet)
	}
}

func (a *activity) check() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if n := a.completed.Load(); a.inFlight.Load() == 0 && n == a.seen {
		a.busy.Store(false)
		if a.inFlight.Load() == 0 {
			a.fire(EventRest)
			return
		}
		a.busy.Store(true) // work began between the two reads
	} else {
		a.seen = n
	}
	a.timer.Reset(quiet)
}

// close ends the events; work that is still in flight stays counted.
func (a *activity) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

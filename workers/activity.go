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
// The order that makes it right: begin adds to work before it reads busy, check clears busy before it reads work. So one of
// the two sees the other, and no task runs while the worker stays "idle".
type activity struct {
	work atomic.Uint64 // low half: pieces in flight; high half: pieces that ended, modulo 2³². One word, as ending a piece changes both
	busy atomic.Bool

	mu     sync.Mutex // guards what follows, and the order of the events
	seen   uint64     // work at the last check
	timer  *time.Timer
	closed bool
	fire   func(Event)
}

func (a *activity) begin() {
	a.work.Add(1)
	if !a.busy.Load() {
		a.wake()
	}
}

func (a *activity) end() {
	a.work.Add(1<<32 - 1) // one more ended, one less in flight
}

func (a *activity) inFlight() int64 { return int64(uint32(a.work.Load())) }

func (a *activity) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.busy.Load() {
		return
	}
	a.busy.Store(true)
	a.seen = a.work.Load()
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
	w := a.work.Load()
	if uint32(w) == 0 && w>>32 == a.seen>>32 && a.restLocked() {
		return
	}
	a.seen = w
	a.timer.Reset(quiet)
}

// restLocked moves to idle; false if work began meanwhile.
func (a *activity) restLocked() bool {
	a.busy.Store(false)
	if a.inFlight() > 0 {
		a.busy.Store(true)
		return false
	}
	a.fire(EventRest)
	return true
}

// rest moves to idle at once, for those who know that nothing begins within the quiet time. It spares an idle process the waking for check.
func (a *activity) rest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && a.busy.Load() && a.restLocked() {
		a.timer.Stop()
	}
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

package workers

import "sync"

// Pauser is implemented by the workers whose intake the platform controls: Consume takes no new tasks while it is paused, Poll makes no calls.
// Both methods may be called at any time, also on a stopped worker, and again without effect. Pausing lasts until Resume or the end of the
// process: a restart of the worker does not end it. Status.Paused tells of it; it is not a state, and it does not stand in the way of a stop.
type Pauser interface {
	// Pause ends the intake. What is in flight finishes; what was being taken at this very moment may still begin.
	Pause()
	// Resume opens the intake again, at once.
	Resume()
}

// gate holds back the intake of a worker that is paused. Its zero value is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed by resume; nil while the gate is open
}

// pause closes the gate; false: it is closed already.
func (g *gate) pause() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		return false
	}
	g.opened = make(chan struct{})
	return true
}

// resume opens the gate; false: it is open already.
func (g *gate) resume() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		return false
	}
	close(g.opened)
	g.opened = nil
	return true
}

func (g *gate) paused() bool { return g.waiting() != nil }

func (g *gate) waiting() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// pass waits while the gate is closed; false when stop came first.
func (g *gate) pass(stop <-chan struct{}) bool {
	for {
		opened := g.waiting()
		if opened == nil {
			return true
		}
		select {
		case <-opened: // perhaps paused again meanwhile
		case <-stop:
			return false
		}
	}
}

// pause and resume are the two methods of Pauser for the kinds that offer them.
func (l *life) pause() bool {
	changed := l.gate.pause()
	if changed {
		l.env.Logger.Info("worker paused", "worker", l.name)
	}
	return changed
}

func (l *life) resume() bool {
	changed := l.gate.resume()
	if changed {
		l.env.Logger.Info("worker resumed", "worker", l.name)
	}
	return changed
}

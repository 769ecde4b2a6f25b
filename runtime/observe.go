package runtime

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/fsm"
	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
	"go.opentelemetry.io/otel/trace"
)

// Observer is told what happens in an application, as it happens. Each function may be nil. None may block, start or stop anything: it holds up what it is
// told of. The moves of one worker, those of the runtime and the changes of health come in order; failed attempts come from several goroutines at once.
type Observer struct {
	Worker  func(worker string, t workers.Transition)
	Runtime func(Transition)
	Health  func(health.Change)
	Failed  func(worker string, f workers.Failure)
}

// Transition is one move of the runtime's own machine.
type Transition struct {
	From        State     `json:"from"`
	To          State     `json:"to"`
	Event       Event     `json:"event"`
	Reason      string    `json:"reason,omitempty"` // the cause's text, if there was one
	At          time.Time `json:"at"`
	HeldSeconds float64   `json:"held_seconds"` // how long From had lasted
}

// keptMoves is how many moves of the runtime's machine are remembered.
const keptMoves = 100

// observers are those of an application, and what is kept for those that come later.
type observers struct {
	list atomic.Pointer[[]*Observer] // never nil inside of each

	mu    sync.Mutex // guards what follows, and changes of list
	moves []Transition
}

// Observe tells o what happens from now on, until the returned function is called, which may cross what is being told right now.
func (a *App) Observe(o Observer) (stop func()) {
	change := func(f func([]*Observer) []*Observer) {
		a.observers.mu.Lock()
		defer a.observers.mu.Unlock()
		var old []*Observer
		if p := a.observers.list.Load(); p != nil {
			old = *p
		}
		changed := f(slices.Clone(old))
		a.observers.list.Store(&changed)
	}
	change(func(list []*Observer) []*Observer { return append(list, &o) })
	return func() {
		change(func(list []*Observer) []*Observer {
			return slices.DeleteFunc(list, func(other *Observer) bool { return other == &o })
		})
	}
}

// each calls f with every observer. What observers do is foreign code: a panic in it must not break what is told.
func (a *App) each(f func(*Observer)) {
	list := a.observers.list.Load()
	if list == nil {
		return
	}
	for _, o := range *list {
		a.guarded(func() { f(o) })
	}
}

func (a *App) guarded(f func()) {
	defer func() {
		if v := recover(); v != nil {
			_ = panicked(a.log, "an observer", v)
		}
	}()
	f()
}

// History gives the last 100 moves of the runtime's own machine, oldest first.
func (a *App) History() []Transition {
	a.observers.mu.Lock()
	defer a.observers.mu.Unlock()
	return slices.Clone(a.observers.moves)
}

// observe tells of a move of the runtime's own machine.
func (a *App) observe(t fsm.Transition[State, Event]) {
	move := Transition{From: t.From, To: t.To, Event: t.Event, At: t.At, HeldSeconds: t.Held.Seconds()}
	args := []any{"from", string(t.From), "to", string(t.To), "event", string(t.Event)}
	if t.Cause != nil {
		move.Reason = t.Cause.Error()
		args = append(args, "reason", move.Reason)
	}
	a.observers.mu.Lock()
	if len(a.observers.moves) == keptMoves {
		a.observers.moves = slices.Delete(a.observers.moves, 0, 1)
	}
	a.observers.moves = append(a.observers.moves, move)
	a.observers.mu.Unlock()
	a.guarded(func() { // log handler and tracer are foreign code
		a.log.Debug("runtime transition", args...)
		a.tracing.Transition(a.name, "runtime", string(t.From), string(t.To), string(t.Event), t.Cause, t.At, t.Held, trace.SpanContext{})
	})
	a.each(func(o *Observer) {
		if o.Runtime != nil {
			o.Runtime(move)
		}
	})
}

func (a *App) observeWorker(worker string, t workers.Transition) {
	a.each(func(o *Observer) {
		if o.Worker != nil {
			o.Worker(worker, t)
		}
	})
}

func (a *App) observeHealth(c health.Change) {
	a.changes.add(c)
	a.each(func(o *Observer) {
		if o.Health != nil {
			o.Health(c)
		}
	})
}

func (a *App) observeFailure(worker string, f workers.Failure) {
	a.each(func(o *Observer) {
		if o.Failed != nil {
			o.Failed(worker, f)
		}
	})
}

package fsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	looplab "github.com/looplab/fsm"
)

// Transition is one move of a machine, as observers see it.
type Transition[S, E ~string] struct {
	Machine  string        // name of the table
	From, To S             // equal for an event that leads back to where it came from
	Event    E             // what was fired
	Cause    error         // what the caller of Fire gave as the reason; may be nil
	At       time.Time     // when the machine moved
	Held     time.Duration // how long From had lasted
}

// Machine is one thing that is in one state of a [Table] at a time. All methods
// are safe for concurrent use. The zero value is not usable; make one with
// [Table.Machine].
type Machine[S, E ~string] struct {
	table     *Table[S, E]
	observers []func(Transition[S, E])
	now       atomic.Pointer[moment[S]] // written under mu, read without

	mu         sync.Mutex         // guards what follows; never held while an observer runs
	delivering bool               // a goroutine is telling observers
	pending    []Transition[S, E] // moves left to that goroutine, oldest first
}

// moment is a state and when it began, so that both change as one.
type moment[S ~string] struct {
	state S
	since time.Time
}

// Machine makes a machine in the table's initial state. Observers are told of
// every move from then on, in the order in which they are given here; nil ones
// are left out. For rows that there are millions of, use [Table.Next].
func (t *Table[S, E]) Machine(observers ...func(Transition[S, E])) *Machine[S, E] {
	m := &Machine[S, E]{
		table:     t,
		observers: slices.DeleteFunc(slices.Clone(observers), func(o func(Transition[S, E])) bool { return o == nil }),
	}
	m.now.Store(&moment[S]{state: t.initial, since: time.Now()})
	return m
}

// State returns the current state. It takes no lock.
func (m *Machine[S, E]) State() S { return m.now.Load().state }

// Since returns when the current state began. It takes no lock.
func (m *Machine[S, E]) Since() time.Time { return m.now.Load().since }

// Fire moves the machine along the edge that ev has in the current state. The
// cause is handed to observers and may be nil. If there is no such edge,
// nothing changes and the error is a [*TransitionError].
//
// Observers are told before Fire returns, except when a Fire on another
// goroutine, or the one whose observer calls this one, is already telling them
// of earlier moves; then it tells them of this one too. A panic in an observer
// surfaces here; the machine has moved and stays usable.
func (m *Machine[S, E]) Fire(ev E, cause error) error {
	t, deliver, err := m.move(ev, cause)
	if err != nil {
		return err
	}
	if deliver {
		m.deliver(t)
	}
	return nil
}

// move makes the transition and says whether the caller is to deliver it;
// otherwise whoever delivers now finds it in pending.
func (m *Machine[S, E]) move(ev E, cause error) (t Transition[S, E], deliver bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	from := m.now.Load()
	next, err := m.table.step(from.state, ev)
	if err != nil {
		return t, false, err
	}
	to := &moment[S]{state: next, since: time.Now()}
	m.now.Store(to)

	t = Transition[S, E]{
		Machine: m.table.name,
		From:    from.state,
		To:      to.state,
		Event:   ev,
		Cause:   cause,
		At:      to.since,
		Held:    to.since.Sub(from.since),
	}
	if len(m.observers) == 0 {
		return t, false, nil
	}
	if m.delivering {
		m.pending = append(m.pending, t)
		return t, false, nil
	}
	m.delivering = true
	return t, true, nil
}

// step lets looplab/fsm make the move. One of its machines holds an index of
// the whole table, so each is lent for one move at a time instead of belonging
// to one of ours. Its context must not be one that can end: a move that is
// cancelled half way leaves that library wedged for good.
func (t *Table[S, E]) step(from S, ev E) (to S, err error) {
	inner, ok := t.inner.Get().(*looplab.FSM)
	if !ok {
		inner = t.newInner()
	}
	inner.SetState(string(from))
	err = inner.Event(context.Background(), string(ev))
	to = S(inner.Current())
	t.inner.Put(inner)
	if err == nil {
		return to, nil
	}
	if _, ok := errors.AsType[looplab.NoTransitionError](err); ok {
		return to, nil // its name for a move from a state to itself
	}
	_, invalid := errors.AsType[looplab.InvalidEventError](err)
	_, unknown := errors.AsType[looplab.UnknownEventError](err)
	if invalid || unknown {
		return "", t.refusal(from, ev)
	}
	return "", fmt.Errorf("%s: event %q in state %q: %w", t.name, ev, from, err)
}

func (t *Table[S, E]) newInner() *looplab.FSM {
	events := make([]looplab.EventDesc, len(t.edges))
	for i, e := range t.edges {
		events[i] = looplab.EventDesc{Name: string(e.Event), Src: toStrings(e.From), Dst: string(e.To)}
	}
	return looplab.NewFSM(string(t.initial), events, nil)
}

// deliver tells the observers of t and then of all that is pending. If an
// observer panics, the rest is delivered while the panic travels up: nobody
// else would do it, since delivering stays set until nothing is pending.
func (m *Machine[S, E]) deliver(t Transition[S, E]) {
	more := true
	defer func() {
		if !more {
			return
		}
		if next, ok := m.next(); ok {
			m.deliver(next)
		}
	}()
	for more {
		m.tell(t, m.observers)
		t, more = m.next()
	}
}

// tell hands t to each observer, also to those behind one that panics.
func (m *Machine[S, E]) tell(t Transition[S, E], observers []func(Transition[S, E])) {
	told := 0
	defer func() {
		if told < len(observers) {
			m.tell(t, observers[told+1:])
		}
	}()
	for ; told < len(observers); told++ {
		observers[told](t)
	}
}

// next takes the oldest pending move. When there is none, delivery ends in the
// same step, so that no move can fall in between.
func (m *Machine[S, E]) next() (t Transition[S, E], ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pending) == 0 {
		m.pending = nil // let go of what a burst had needed
		m.delivering = false
		return t, false
	}
	t = m.pending[0]
	m.pending[0] = Transition[S, E]{} // its cause is not ours to keep alive
	m.pending = m.pending[1:]
	return t, true
}

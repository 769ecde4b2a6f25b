package fsm_test

import (
	"testing"

	"github.com/plba/plba/fsm"
)

// The tests and benchmarks share one table, the life of a worker: it has a
// loop, edges from several states and no final state.
type (
	state string
	event string
)

const (
	stopped  state = "stopped"
	starting state = "starting"
	idle     state = "idle"
	busy     state = "busy"
	stopping state = "stopping"

	start event = "start"
	ready event = "ready"
	work  event = "work"
	rest  event = "rest"
	stop  event = "stop"
	halt  event = "halt"
	fail  event = "fail"
)

type (
	edge       = fsm.Edge[state, event]
	transition = fsm.Transition[state, event]
	machine    = *fsm.Machine[state, event]
)

func from(states ...state) []state { return states }

func lifecycle() *fsm.Table[state, event] {
	return fsm.MustNew("worker", stopped,
		edge{Event: start, From: from(stopped), To: starting},
		edge{Event: ready, From: from(starting), To: idle},
		edge{Event: work, From: from(idle), To: busy},
		edge{Event: rest, From: from(busy), To: idle},
		edge{Event: stop, From: from(starting, idle, busy), To: stopping},
		edge{Event: halt, From: from(stopping), To: stopped},
		edge{Event: fail, From: from(starting, idle, busy, stopping), To: stopped},
	)
}

// fire expects each event to be allowed.
func fire(t testing.TB, m machine, events ...event) {
	t.Helper()
	for _, ev := range events {
		if err := m.Fire(ev, nil); err != nil {
			t.Error(err)
		}
	}
}

func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

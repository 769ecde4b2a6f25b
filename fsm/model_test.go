package fsm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/plba/plba/fsm"
	"pgregory.net/rapid"
)

// The model knows a table as nothing but its list of edges, which it reads from
// the top each time it is asked.
type model struct {
	initial state
	edges   []edge
}

func (m model) next(s state, ev event) (state, bool) {
	for _, e := range m.edges {
		if e.Event == ev && slices.Contains(e.From, s) {
			return e.To, true
		}
	}
	return "", false
}

func (m model) allowed(s state) (events []string) {
	for _, e := range m.edges {
		if slices.Contains(e.From, s) {
			events = append(events, string(e.Event))
		}
	}
	return events
}

// sound says whether New has to accept the edges.
func (m model) sound() bool {
	answers := map[[2]string]bool{}
	mentioned := map[state]bool{}
	for _, e := range m.edges {
		mentioned[e.To] = true
		for _, s := range e.From {
			mentioned[s] = true
			key := [2]string{string(s), string(e.Event)}
			if answers[key] {
				return false
			}
			answers[key] = true
		}
	}
	if !mentioned[m.initial] {
		return false
	}
	reached := map[state]bool{m.initial: true}
	for range m.edges { // a path need not use an edge twice
		for _, e := range m.edges {
			if slices.ContainsFunc(e.From, func(s state) bool { return reached[s] }) {
				reached[e.To] = true
			}
		}
	}
	return len(reached) == len(mentioned)
}

var (
	anyState = rapid.SampledFrom([]state{"a", "b", "c", "d"})
	anyEvent = rapid.SampledFrom([]event{"u", "v", "w"})
	anyModel = rapid.Custom(func(t *rapid.T) model {
		anyEdge := rapid.Custom(func(t *rapid.T) edge {
			return edge{
				Event: anyEvent.Draw(t, "event"),
				From:  rapid.SliceOfNDistinct(anyState, 1, 2, rapid.ID).Draw(t, "from"),
				To:    anyState.Draw(t, "to"),
			}
		})
		return model{initial: anyState.Draw(t, "initial"), edges: rapid.SliceOfN(anyEdge, 1, 6).Draw(t, "edges")}
	})
)

func TestNewAcceptsExactlyTheSoundTables(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel.Draw(t, "model")
		_, err := fsm.New("t", m.initial, m.edges...)
		if sound := m.sound(); sound != (err == nil) {
			t.Fatalf("sound: %v, New: %v", sound, err)
		}
		if err == nil {
			accepted++
		} else {
			refused++
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d tables accepted and %d refused: one half of this test ran on nothing", accepted, refused)
	}
}

// Any sequence of events takes the machine, Next and the model the same way.
func TestMachineFollowsItsTable(t *testing.T) {
	moves, refusals := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		model := anyModel.Filter(model.sound).Draw(t, "model")
		table := fsm.MustNew("t", model.initial, model.edges...)
		var observed []transition
		var expected []transition
		m := table.Machine(func(tr transition) { observed = append(observed, tr) })

		for _, ev := range rapid.SliceOfN(anyEvent, 1, 30).Draw(t, "events") {
			at := m.State()
			to, ok := model.next(at, ev)
			next, nextErr := table.Next(at, ev)
			err := m.Fire(ev, nil)
			if !ok {
				refusals++
				for _, err := range []error{err, nextErr} {
					refused, is := errors.AsType[*fsm.TransitionError](err)
					if !is || refused.State != string(at) || !slices.Equal(refused.Allowed, model.allowed(at)) {
						t.Fatalf("%s in %s: %v, want a refusal that allows %v", ev, at, err, model.allowed(at))
					}
				}
				to = at
			} else {
				moves++
				if err != nil || nextErr != nil || next != to {
					t.Fatalf("%s in %s: Fire %v, Next %q %v, want %q", ev, at, err, next, nextErr, to)
				}
				expected = append(expected, transition{Machine: "t", From: at, To: to, Event: ev})
			}
			if m.State() != to {
				t.Fatalf("%s in %s led to %s, want %s", ev, at, m.State(), to)
			}
		}
		same := func(got, want transition) bool {
			return got.Machine == want.Machine && got.From == want.From && got.To == want.To && got.Event == want.Event
		}
		if !slices.EqualFunc(observed, expected, same) {
			t.Fatalf("observed %v, want %v", observed, expected)
		}
	})
	if moves < 100 || refusals < 100 {
		t.Errorf("%d moves and %d refusals are too few to prove anything", moves, refusals)
	}
}

package fsm

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Edge is one line of a table: Event leads from each state in From to the
// state To. An edge may lead from a state to itself.
type Edge[S, E ~string] struct {
	Event E
	From  []S
	To    S
}

// Table is a checked, immutable set of edges. Its methods are safe for
// concurrent use. The zero value is not usable; make one with [New].
type Table[S, E ~string] struct {
	name    string
	initial S
	edges   []Edge[S, E]
	states  []S
	next    map[S]map[E]S // one entry for every state, empty for a final one
	inner   sync.Pool     // of *looplab.FSM, lent to machines for a move
}

// New makes a table and checks it. The error is a [*TableError] that lists
// every fault:
//
//   - no name, no initial state, no edges, an edge without event, From or To;
//   - a name with characters that cannot be printed;
//   - an event that one state answers twice, be it in one way or in two;
//   - an initial state that is in no edge;
//   - a state that cannot be reached from the initial one.
func New[S, E ~string](name string, initial S, edges ...Edge[S, E]) (*Table[S, E], error) {
	t := &Table[S, E]{name: name, initial: initial, edges: copyEdges(edges), next: map[S]map[E]S{}}
	faults := t.checkNames()
	faults = append(faults, t.index()...)
	faults = append(faults, t.checkReach()...)
	if len(faults) > 0 {
		return nil, &TableError{Table: name, Faults: faults}
	}
	return t, nil
}

// MustNew is [New] for tables that are part of the program: it panics where
// New returns an error.
func MustNew[S, E ~string](name string, initial S, edges ...Edge[S, E]) *Table[S, E] {
	t, err := New(name, initial, edges...)
	if err != nil {
		panic(err)
	}
	return t
}

// Name returns the name that the table was made with.
func (t *Table[S, E]) Name() string { return t.name }

// Initial returns the state in which a machine of this table begins.
func (t *Table[S, E]) Initial() S { return t.initial }

// States returns all states in order of first mention, the initial one first.
// The slice is the caller's.
func (t *Table[S, E]) States() []S { return slices.Clone(t.states) }

// Edges returns the edges as they were given. The slice is the caller's.
func (t *Table[S, E]) Edges() []Edge[S, E] { return copyEdges(t.edges) }

// Allowed returns the events that the state from answers, in order of the
// edges. It returns nil for a final state and for one that the table does not
// have. The slice is the caller's.
func (t *Table[S, E]) Allowed(from S) []E {
	var events []E
	for _, e := range t.edges {
		if slices.Contains(e.From, from) {
			events = append(events, e.Event)
		}
	}
	return events
}

// Next returns the state to which ev leads from the given one. The error is a
// [*TransitionError] if ev is not allowed there, and an [*UnknownStateError]
// if the table has no such state.
func (t *Table[S, E]) Next(from S, ev E) (S, error) {
	answers, ok := t.next[from]
	if !ok {
		return "", &UnknownStateError{Machine: t.name, State: string(from), States: toStrings(t.states)}
	}
	to, ok := answers[ev]
	if !ok {
		return "", t.refusal(from, ev)
	}
	return to, nil
}

func (t *Table[S, E]) refusal(from S, ev E) error {
	return &TransitionError{
		Machine: t.name,
		State:   string(from),
		Event:   string(ev),
		Allowed: toStrings(t.Allowed(from)),
	}
}

// checkNames looks at each name for itself.
func (t *Table[S, E]) checkNames() (faults []string) {
	check := func(what, name string) {
		switch {
		case name == "":
			faults = append(faults, what+" is empty")
		case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
			faults = append(faults, fmt.Sprintf("%s %q has characters that cannot be printed", what, name))
		}
	}
	check("the name of the table", t.name)
	check("the initial state", string(t.initial))
	if len(t.edges) == 0 {
		faults = append(faults, "there are no edges")
	}
	for i, e := range t.edges {
		edge := fmt.Sprintf("edge %d: ", i+1)
		check(edge+"the event", string(e.Event))
		if len(e.From) == 0 {
			faults = append(faults, edge+"there is no state to come from")
		}
		for _, from := range e.From {
			check(edge+"the state to come from", string(from))
		}
		check(edge+"the state to go to", string(e.To))
	}
	return faults
}

// index fills states and next, and finds the events that one state answers
// more than once.
func (t *Table[S, E]) index() (faults []string) {
	t.mention(t.initial)
	for _, e := range t.edges {
		for _, from := range e.From {
			t.mention(from)
			switch to, taken := t.next[from][e.Event]; {
			case !taken:
				t.next[from][e.Event] = e.To
			case to == e.To:
				faults = append(faults, fmt.Sprintf("event %q from state %q to %q is listed twice", e.Event, from, to))
			default:
				faults = append(faults, fmt.Sprintf("event %q is ambiguous in state %q: it leads to %q and to %q", e.Event, from, to, e.To))
			}
		}
		t.mention(e.To)
	}
	return faults
}

func (t *Table[S, E]) mention(s S) {
	if _, known := t.next[s]; !known {
		t.next[s] = map[E]S{}
		t.states = append(t.states, s)
	}
}

// checkReach looks for states that no path from the initial one leads to, over
// all edges, ambiguous ones too. If the initial state is in no edge, that is
// the one fault to name: every other state would only repeat it.
func (t *Table[S, E]) checkReach() (faults []string) {
	if t.initial == "" || len(t.edges) == 0 {
		return nil
	}
	if !slices.ContainsFunc(t.edges, func(e Edge[S, E]) bool { return e.To == t.initial || slices.Contains(e.From, t.initial) }) {
		return []string{fmt.Sprintf("the initial state %q is in no edge", t.initial)}
	}
	reached := map[S]bool{t.initial: true}
	for grew := true; grew; {
		grew = false
		for from, e := range t.moves {
			if reached[from] && !reached[e.To] {
				reached[e.To], grew = true, true
			}
		}
	}
	for _, s := range t.states {
		if s != "" && !reached[s] {
			faults = append(faults, fmt.Sprintf("state %q cannot be reached from the initial state %q", s, t.initial))
		}
	}
	return faults
}

func copyEdges[S, E ~string](edges []Edge[S, E]) []Edge[S, E] {
	out := slices.Clone(edges)
	for i := range out {
		out[i].From = slices.Clone(out[i].From)
	}
	return out
}

func toStrings[T ~string](in []T) []string {
	if in == nil {
		return nil
	}
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

package fsm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/fsm"
)

func TestTableFaults(t *testing.T) {
	good := edge{Event: "go", From: from("a"), To: "b"}
	tests := map[string]struct {
		name    string
		initial state
		edges   []edge
		faults  []string
	}{
		"no name":          {"", "a", []edge{good}, []string{"the name of the table is empty"}},
		"no initial state": {"t", "", []edge{good}, []string{"the initial state is empty"}},
		"no edges":         {"t", "a", nil, []string{"there are no edges"}},
		"no event":         {"t", "a", []edge{{From: from("a"), To: "b"}}, []string{"edge 1: the event is empty"}},
		"no target":        {"t", "a", []edge{good, {Event: "x", From: from("b")}}, []string{"edge 2: the state to go to is empty"}},
		"no source":        {"t", "a", []edge{good, {Event: "x", To: "b"}}, []string{"edge 2: there is no state to come from"}},
		"empty source":     {"t", "a", []edge{good, {Event: "x", From: from("b", ""), To: "a"}}, []string{"edge 2: the state to come from is empty"}},
		"unprintable name": {"t\n", "a", []edge{good}, []string{`the name of the table "t\n" has characters that cannot be printed`}},
		"unprintable event": {"t", "a", []edge{{Event: "g\x00", From: from("a"), To: "b"}},
			[]string{`edge 1: the event "g\x00" has characters that cannot be printed`}},
		"unknown initial state": {"t", "start", []edge{good}, []string{`the initial state "start" is in no edge`}},
		"ambiguous event": {"t", "a", []edge{good, {Event: "go", From: from("a"), To: "a"}},
			[]string{`event "go" is ambiguous in state "a": it leads to "b" and to "a"`}},
		"event listed twice": {"t", "a", []edge{{Event: "go", From: from("a", "a"), To: "b"}},
			[]string{`event "go" from state "a" to "b" is listed twice`}},
		"misspelt source": {"t", "a", []edge{good, {Event: "back", From: from("bb"), To: "a"}},
			[]string{`state "bb" cannot be reached from the initial state "a"`}},
		"island": {"t", "a", []edge{good, {Event: "go", From: from("c"), To: "d"}, {Event: "go", From: from("d"), To: "c"}},
			[]string{`state "c" cannot be reached from the initial state "a"`, `state "d" cannot be reached from the initial state "a"`}},
		"all at once": {"", "a", []edge{
			{Event: "", From: from("a"), To: "b"},
			{Event: "go", From: from("a"), To: "b"},
			{Event: "go", From: from("a"), To: "a"},
			{Event: "go", From: from("c"), To: ""},
		}, []string{
			"the name of the table is empty",
			"edge 1: the event is empty",
			"edge 4: the state to go to is empty",
			`event "go" is ambiguous in state "a": it leads to "b" and to "a"`,
			`state "c" cannot be reached from the initial state "a"`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table, err := fsm.New(tt.name, tt.initial, tt.edges...)
			fault, ok := errors.AsType[*fsm.TableError](err)
			if !ok || table != nil {
				t.Fatalf("New = %v, %v; want no table and a *TableError", table, err)
			}
			if !slices.Equal(fault.Faults, tt.faults) {
				t.Errorf("faults:\n  %s\nwant:\n  %s", strings.Join(fault.Faults, "\n  "), strings.Join(tt.faults, "\n  "))
			}
			for _, f := range tt.faults {
				if !strings.Contains(err.Error(), f) {
					t.Errorf("Error() does not say %s:\n%s", f, err)
				}
			}
		})
	}
}

func TestTableErrorNamesTheTable(t *testing.T) {
	_, err := fsm.New[state, event]("order", "new")
	if want := `fsm: table "order": there are no edges`; err.Error() != want {
		t.Errorf("one fault: %q, want %q", err, want)
	}
	_, err = fsm.New[state, event]("order", "")
	if want := "fsm: table \"order\" has 2 faults:\n\tthe initial state is empty\n\tthere are no edges"; err.Error() != want {
		t.Errorf("two faults: %q, want %q", err, want)
	}
}

func TestMustNewPanicsWithTheFault(t *testing.T) {
	defer func() {
		err, _ := recover().(error)
		if _, ok := errors.AsType[*fsm.TableError](err); !ok {
			t.Errorf("panicked with %v, want a *TableError", err)
		}
	}()
	fsm.MustNew[state, event]("empty", "a")
}

func TestTableTellsWhatItHolds(t *testing.T) {
	table := lifecycle()
	if table.Name() != "worker" || table.Initial() != stopped {
		t.Errorf("Name, Initial = %q, %q", table.Name(), table.Initial())
	}
	if got, want := table.States(), from(stopped, starting, idle, busy, stopping); !slices.Equal(got, want) {
		t.Errorf("States = %v, want %v", got, want)
	}
	if got, want := table.Allowed(busy), []event{rest, stop, fail}; !slices.Equal(got, want) {
		t.Errorf("Allowed(busy) = %v, want %v", got, want)
	}
	if got := table.Allowed("gone"); got != nil {
		t.Errorf("Allowed of an unknown state = %v, want nil", got)
	}
}

func TestTableCannotBeChangedFromOutside(t *testing.T) {
	sources := from("a")
	edges := []edge{{Event: "go", From: sources, To: "b"}}
	table := fsm.MustNew("t", "a", edges...)

	sources[0], edges[0].To = "x", "x"
	table.Edges()[0].From[0] = "x"
	table.Edges()[0].To = "x"
	table.States()[0] = "x"
	table.Allowed("a")[0] = "x"

	if got := table.Edges()[0]; got.Event != "go" || !slices.Equal(got.From, from("a")) || got.To != "b" {
		t.Errorf("Edges()[0] = %v", got)
	}
	if got := table.States(); !slices.Equal(got, from("a", "b")) {
		t.Errorf("States = %v", got)
	}
	if got := table.Allowed("a"); !slices.Equal(got, []event{"go"}) {
		t.Errorf("Allowed = %v", got)
	}
	m := table.Machine()
	if err := m.Fire("go", nil); err != nil || m.State() != "b" {
		t.Errorf("Fire = %v, State = %q", err, m.State())
	}
}

func TestNext(t *testing.T) {
	table := lifecycle()
	if to, err := table.Next(idle, work); to != busy || err != nil {
		t.Errorf("Next(idle, work) = %q, %v", to, err)
	}

	to, err := table.Next(stopped, work)
	if want := `worker: event "work" is not allowed in state "stopped" (allowed: start)`; to != "" || err == nil || err.Error() != want {
		t.Errorf("Next(stopped, work) = %q, %v; want %s", to, err, want)
	}
	if _, ok := errors.AsType[*fsm.TransitionError](err); !ok {
		t.Errorf("error is a %T, want *TransitionError", err)
	}

	_, err = table.Next("paused", work)
	if want := `worker: there is no state "paused" (states: stopped, starting, idle, busy, stopping)`; err == nil || err.Error() != want {
		t.Errorf("Next(paused, work) = %v; want %s", err, want)
	}
	if unknown, ok := errors.AsType[*fsm.UnknownStateError](err); !ok || unknown.State != "paused" || len(unknown.States) != 5 {
		t.Errorf("error is %#v, want *UnknownStateError", err)
	}
}

func TestNextInAFinalState(t *testing.T) {
	table := fsm.MustNew("order", "new", edge{Event: "pay", From: from("new"), To: "paid"})
	_, err := table.Next("paid", "pay")
	if want := `order: event "pay" is not allowed in state "paid" (allowed: none)`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

package fsm

import (
	"fmt"
	"strings"
)

// TransitionError says that a state has no answer to an event. The machine, or
// the entity, is where it was. It is returned as a pointer; match it with
// [errors.AsType] or [errors.As].
type TransitionError struct {
	Machine string   // name of the table
	State   string   // where it was
	Event   string   // what was fired
	Allowed []string // the events that would have been allowed, in order of the table; empty in a final state
}

func (e *TransitionError) Error() string {
	allowed := "none"
	if len(e.Allowed) > 0 {
		allowed = strings.Join(e.Allowed, ", ")
	}
	return fmt.Sprintf("%s: event %q is not allowed in state %q (allowed: %s)", e.Machine, e.Event, e.State, allowed)
}

// UnknownStateError says that [Table.Next] was asked about a state that the
// table does not have. It points at stored data that is damaged or older than
// the table, not at an event that came at the wrong time. It is returned as a
// pointer.
type UnknownStateError struct {
	Machine string   // name of the table
	State   string   // what was asked about
	States  []string // the states that there are, in order of first mention
}

func (e *UnknownStateError) Error() string {
	return fmt.Sprintf("%s: there is no state %q (states: %s)", e.Machine, e.State, strings.Join(e.States, ", "))
}

// TableError holds everything that [New] found wrong with one table. It is
// returned as a pointer.
type TableError struct {
	Table  string   // name of the table, may be empty if that is one of the faults
	Faults []string // at least one, in order of the edges
}

func (e *TableError) Error() string {
	if len(e.Faults) == 1 {
		return fmt.Sprintf("fsm: table %q: %s", e.Table, e.Faults[0])
	}
	return fmt.Sprintf("fsm: table %q has %d faults:\n\t%s", e.Table, len(e.Faults), strings.Join(e.Faults, "\n\t"))
}

package health

import (
	"fmt"
	"strings"
	"time"
)

// State is how a component, or the whole, is.
type State string

const (
	StateOK        State = "ok"        // works
	StateDegraded  State = "degraded"  // works, but there is a problem
	StateUnhealthy State = "unhealthy" // should not be considered operational
)

// rank orders states from good to bad. What is not a state ranks as the worst.
func (s State) rank() int {
	switch s {
	case StateOK:
		return 0
	case StateDegraded:
		return 1
	default:
		return 2
	}
}

// Report tells how one component is, or all of them together.
type Report struct {
	State      State       `json:"state"`
	Reason     string      `json:"reason,omitempty"`     // why it is not ok, in words
	Since      time.Time   `json:"since,omitzero"`       // when State began
	LastOK     time.Time   `json:"last_ok,omitzero"`     // when it was last seen ok; zero: never
	Components []Component `json:"components,omitempty"` // what the report sums up, in order of registration
}

// Component is a named part of a report. In JSON the fields of its report
// stand beside its name.
type Component struct {
	Name     string `json:"name"`
	Critical bool   `json:"critical"` // unhealthy here is unhealthy as a whole
	// Groups are the probes that it can make say no. Not to be changed.
	Groups []Group `json:"groups,omitempty"`
	Report
}

// Degraded marks the error of a check: the component works, but there is a
// problem. The text of the error stays, and [errors.Is] and [errors.As] look
// through the mark. Degraded(nil) is nil.
func Degraded(err error) error {
	if err == nil {
		return nil
	}
	return &degraded{err}
}

type degraded struct{ err error }

func (d *degraded) Error() string { return d.err.Error() }
func (d *degraded) Unwrap() error { return d.err }

// Of is the report that a check's error stands for: ok for nil, degraded for
// an error that [Degraded] marked, unhealthy for any other. Of several errors
// joined into one, each must be marked. Since and LastOK are left zero: a
// single result does not know them.
func Of(err error) Report {
	switch {
	case err == nil:
		return Report{State: StateOK}
	case isDegraded(err):
		return Report{State: StateDegraded, Reason: err.Error()}
	default:
		return Report{State: StateUnhealthy, Reason: err.Error()}
	}
}

// isDegraded is stricter than errors.As, which would let one marked error
// soften all that are joined with it.
func isDegraded(err error) bool {
	switch e := err.(type) {
	case *degraded:
		return true
	case interface{ Unwrap() error }:
		return isDegraded(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !isDegraded(inner) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	default:
		return false
	}
}

// follow fills in what next leaves open, from the report before it.
func (r Report) follow(next Report, now time.Time) Report {
	if next.Since.IsZero() {
		next.Since = now
		if next.State == r.State {
			next.Since = r.Since
		}
	}
	if next.LastOK.IsZero() {
		next.LastOK = r.LastOK
		if next.State == StateOK {
			next.LastOK = now
		}
	}
	return next
}

// aggregate sums components up. The reason names those that make the whole
// what it is; the milder ones can be read from the components.
func aggregate(components []Component) Report {
	whole := Report{State: StateOK, Components: components}
	var reasons []string
	for _, c := range components {
		effect := c.State
		if !c.Critical && effect == StateUnhealthy {
			effect = StateDegraded
		}
		if effect == StateOK || effect.rank() < whole.State.rank() {
			continue
		}
		if effect != whole.State {
			whole.State, reasons = effect, nil
		}
		reason := fmt.Sprintf("%s is %s", c.Name, c.State)
		if c.Reason != "" {
			reason += ": " + c.Reason
		}
		reasons = append(reasons, reason)
	}
	whole.Reason = strings.Join(reasons, "; ")
	return whole
}

package health

import "slices"

// Group is the set of components that one kind of probe asks about.
type Group string

const (
	// Readiness holds what the application needs to take on work: while a member
	// is unhealthy it should get none. Critical components always belong to it.
	Readiness Group = "readiness"
	// Startup holds checks that must have been ok once before the application
	// counts as started. What becomes of them later does not matter to it.
	Startup Group = "startup"
)

// Holding gives the components that make a probe of the group say no, in order
// of registration: for Readiness the members that are unhealthy, for Startup
// those that have never been ok.
func (r Report) Holding(g Group) []Component {
	var holding []Component
	for _, c := range r.Components {
		if slices.Contains(c.Groups, g) && c.holds(g) {
			holding = append(holding, c)
		}
	}
	return holding
}

func (c Component) holds(g Group) bool {
	if g == Startup {
		return c.LastOK.IsZero()
	}
	return c.State == StateUnhealthy
}

// groupsOf completes the groups of a component.
func groupsOf(critical bool, groups []Group) []Group {
	out := slices.Clone(groups)
	if critical && !slices.Contains(out, Readiness) {
		out = append(out, Readiness)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

package runtime

import (
	"fmt"
	"slices"
	"strings"
)

type after []string

func (names after) worker(s *supervised)   { s.after = append(s.after, names...) }
func (names after) resource(res *resource) { res.after = append(res.after, names...) }

// After makes a worker or a resource start after others, in whatever order they were registered, and stop before them. A worker may come after workers and
// resources, a resource after resources. Several After add up.
//
// It orders and does nothing else: a start that fails, or a later restart, of what comes first is the matter of its own criticality and policy. What names no
// other keeps its place: parts without After start in the order of their registration among themselves.
//
// In a stop it counts for more than the rule that sources stop first: a loop that keeps a cache for a consumer goes on until the consumer has stopped. So do
// not put a consumer after the source that feeds it, or the source will go on feeding while the consumer drains.
//
// A name that no worker or resource goes by, a part that comes after itself and a circle are faults that New reports.
func After(names ...string) interface {
	WorkerOption
	ResourceOption
} {
	return after(names)
}

// turn is what ordering knows of a worker or resource.
type turn struct {
	name  string
	after []string // only names of other turns
}

// inTurn gives the places of turns in the order of their start: as they stand, but each behind all that it comes after. Of several that could be next
// the one that stands first is. The turns of a circle, and those behind it, are missing.
func inTurn(turns []turn) (order []int) {
	at := make(map[string]int, len(turns))
	for i, t := range turns {
		at[t.name] = i
	}
	waits := make([]int, len(turns))   // how many each one still waits for
	leads := make([][]int, len(turns)) // which wait for it
	next := make([]int, 0, len(turns)) // those that could start now, sorted
	order = make([]int, 0, len(turns))
	for i, t := range turns {
		for _, name := range t.after {
			leads[at[name]] = append(leads[at[name]], i)
			waits[i]++
		}
		if waits[i] == 0 {
			next = append(next, i)
		}
	}
	for len(next) > 0 {
		i := next[0]
		next = next[1:]
		order = append(order, i)
		for _, follower := range leads[i] {
			if waits[follower]--; waits[follower] == 0 {
				place, _ := slices.BinarySearch(next, follower)
				next = slices.Insert(next, place, follower)
			}
		}
	}
	return order
}

// circleOf finds a circle among turns that could not be ordered; ordered are those that could. It begins with the turn that stands first.
func circleOf(turns []turn, ordered []int) []string {
	stuck := map[string]turn{}
	first := ""
	for i, t := range turns {
		if !slices.Contains(ordered, i) {
			stuck[t.name] = t
			if first == "" {
				first = t.name
			}
		}
	}
	path := []string{first}
	for { // each stuck turn comes after another one, so this must come back to where it was
		t := stuck[path[len(path)-1]]
		next := t.after[slices.IndexFunc(t.after, func(name string) bool { _, is := stuck[name]; return is })]
		if begin := slices.Index(path, next); begin >= 0 {
			return fromFirst(path[begin:], turns)
		}
		path = append(path, next)
	}
}

// fromFirst turns a circle so that it begins with the member that stands first, and closes it.
func fromFirst(circle []string, turns []turn) []string {
	for _, t := range turns {
		if i := slices.Index(circle, t.name); i >= 0 {
			circle = slices.Concat(circle[i:], circle[:i])
			break
		}
	}
	return append(circle, circle[0])
}

// order settles who starts when, and reports every After that cannot be.
func (r *Registry) order() {
	resources := make([]turn, len(r.resources))
	for i, res := range r.resources {
		resources[i] = turn{res.name, r.checkAfter("resource", res.name, res.after)}
	}
	ws := make([]turn, len(r.workers))
	for i, s := range r.workers {
		s.after = r.checkAfter("worker", s.w.Name(), s.after)
		ws[i] = turn{s.w.Name(), s.after}
	}
	r.startResources = arrange(r, "resources", r.resources, resources)
	r.startWorkers = arrange(r, "workers", r.workers, ws)
}

func arrange[T any](r *Registry, kind string, parts []T, turns []turn) []T {
	order := inTurn(turns)
	if len(order) < len(turns) {
		circle := circleOf(turns, order)
		r.faults.addf("%s that start after each other in a circle: %q after %s", kind, circle[0], quoted(circle[1:], " after "))
	}
	arranged := make([]T, len(order))
	for i, place := range order {
		arranged[i] = parts[place]
	}
	return arranged
}

// checkAfter reports the names that are none, and gives those of the same kind, each once: all resources are open before the first worker starts.
func (r *Registry) checkAfter(kind, name string, after []string) (same []string) {
	for i, other := range after {
		if slices.Contains(after[:i], other) {
			continue
		}
		switch otherKind := r.names[other]; {
		case other == name:
			r.faults.addf("%s %q: After names the %s itself", kind, name, kind)
		case otherKind == kind:
			same = append(same, other)
		case kind == "worker" && otherKind == "resource":
		case kind == "resource" && otherKind == "worker":
			r.faults.addf("%s %q: After names the worker %q, but all resources open before the first worker starts", kind, name, other)
		case otherKind != "":
			r.faults.addf("%s %q: After names the %s %q, which has no turn in the start", kind, name, otherKind, other)
		case !r.incomplete: // else a Register that gave up might have registered it
			r.faults.addf("%s %q: After names %q, which is neither a worker nor a resource (there are %s)", kind, name, other, r.candidates(kind, name))
		}
	}
	return same
}

// candidates are the first few names that a part of that kind could come after.
func (r *Registry) candidates(kind, name string) string {
	const most = 10
	var names []string
	for other, otherKind := range r.names {
		if other != name && (otherKind == "resource" || otherKind == "worker" && kind == "worker") {
			names = append(names, other)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", quoted(names[:most], ", "), len(names)-most)
	}
	return quoted(names, ", ")
}

func quoted(names []string, between string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(out, between)
}

package runtime

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// genTurns draws turns with any After: circles too.
func genTurns(rt *rapid.T) []turn {
	turns := make([]turn, rapid.IntRange(0, 6).Draw(rt, "turns"))
	for i := range turns {
		turns[i].name = fmt.Sprintf("t%d", i)
		for j := range turns {
			if j != i && rapid.IntRange(0, 4).Draw(rt, "after") == 0 {
				turns[i].after = append(turns[i].after, fmt.Sprintf("t%d", j))
			}
		}
	}
	return turns
}

func allowed(turns []turn, order []int) bool {
	var before []string
	for _, i := range order {
		for _, name := range turns[i].after {
			if !slices.Contains(before, name) {
				return false
			}
		}
		before = append(before, turns[i].name)
	}
	return true
}

// firstAllowed is the naive answer: of all orders, written as places and sorted, the first that is allowed; nil if none is.
func firstAllowed(turns []turn, order []int) []int {
	if len(order) == len(turns) {
		if allowed(turns, order) {
			return order
		}
		return nil
	}
	for i := range turns {
		if !slices.Contains(order, i) {
			if found := firstAllowed(turns, append(slices.Clone(order), i)); found != nil {
				return found
			}
		}
	}
	return nil
}

func TestTurnsAgainstTheNaiveOrder(t *testing.T) {
	circles, moved := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		turns := genTurns(rt)
		got, want := inTurn(turns), firstAllowed(turns, []int{})
		if want == nil {
			circles++
			checkCircle(rt, turns, got)
			return
		}
		if !slices.IsSorted(want) {
			moved++
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%v are ordered as %v, want %v", turns, got, want)
		}
	})
	if circles == 0 || moved == 0 {
		t.Errorf("%d circles and %d orders other than the registration's were seen: too few to prove anything", circles, moved)
	}
}

// checkCircle expects the named circle to be one, each member after the next, from the member that stands first.
func checkCircle(rt *rapid.T, turns []turn, ordered []int) {
	if !allowed(turns, ordered) || len(ordered) >= len(turns) {
		rt.Fatalf("%v: ordered %v", turns, ordered)
	}
	circle := circleOf(turns, ordered)
	if len(circle) < 3 || circle[0] != circle[len(circle)-1] || circle[0] != slices.Min(circle) {
		rt.Fatalf("%v: circle %v", turns, circle)
	}
	for i, name := range circle[:len(circle)-1] {
		t := turns[slices.IndexFunc(turns, func(t turn) bool { return t.name == name })]
		if !slices.Contains(t.after, circle[i+1]) {
			rt.Fatalf("%v: %s does not come after %s", turns, name, circle[i+1])
		}
	}
}

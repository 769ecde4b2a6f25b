package modeltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// world is what real stages do to their surroundings.
type world struct {
	begin time.Time

	mu     sync.Mutex
	calls  map[string]int
	notes  []note
	inside map[*gauge]int
	wrong  []string
}

// gauge is how many may do a thing at once.
type gauge struct{ most int }

func newAlbum() *world {
	return &world{begin: time.Now(), calls: map[string]int{}, inside: map[*gauge]int{}}
}

// note notes a side effect, and says how often it has happened.
func (w *world) note(what string, v int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[what]++
	w.notes = append(w.notes, note{time.Since(w.begin), fmt.Sprintf("%s(%d)", what, v)})
	return w.calls[what]
}

func (w *world) enter(g *gauge) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside[g]++; w.inside[g] > g.most {
		w.wrong = append(w.wrong, fmt.Sprintf("%d at once, where the limit is %d", w.inside[g], g.most))
	}
}

func (w *world) leave(g *gauge) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inside[g]--
}

func (w *world) batch(g *gathering, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 1 || n > g.size {
		w.wrong = append(w.wrong, fmt.Sprintf("%d items in a batch of up to %d", n, g.size))
	}
}

// unordered begins the names of lines on which the order is open.
const unordered = "unordered "

// lineOf names the line of execution that a side effect belongs to, by the key of the place where it happens: "t0" is lane 0,
// one task after the other, wherever nothing is done beside it; "t0.1/p/arm.map7" is a branch; "t0.1/p/many3/many3/2" is an element of a fan-out
// with several at once. What compensations do is on the task's own line. What has no key is a line of its own.
func lineOf(what string) string {
	place, undoes := strings.CutSuffix(what, "#undo")
	if end := strings.LastIndexAny(place, "/<>?+~"); end >= 0 && place[end] != '/' {
		place = strings.TrimRight(place[:end], "<>?+~")
	}
	parts := strings.Split(place, "/")
	if len(parts) == 1 {
		return unordered + what
	}
	last := len(parts) - 1
	for i := last; i > 0 && !undoes; i-- {
		again := parts[i] == parts[i-1] // the fan-out in a pipeline of the same name
		switch {
		case again && i < last && strings.Contains(parts[i], "many"):
			return strings.Join(parts[:i+2], "/")
		case !again && strings.HasPrefix(parts[i], "arm."):
			return strings.Join(parts[:i+1], "/")
		}
	}
	lane, _, _ := strings.Cut(parts[0], ".")
	return lane
}

// lines are side effects by their lines, each in the order in which it happened, with its instant unless that means nothing.
func lines(notes []note, instants bool) map[string][]string {
	all := map[string][]string{}
	for _, n := range notes {
		name := lineOf(n.what[:strings.LastIndexByte(n.what, '(')])
		text := n.what
		if instants {
			text = n.instant().String() + " " + text
		}
		all[name] = append(all[name], text)
	}
	for name, line := range all {
		if strings.HasPrefix(name, unordered) {
			slices.Sort(line)
		}
	}
	return all
}

// instant is when it happened, without the fractions that rates are not exact to.
func (n note) instant() time.Duration { return n.at.Round(time.Millisecond) }

// differences says on which lines side effects differ.
func differences(got, want map[string][]string) (all []string) {
	names := maps.Clone(got)
	maps.Copy(names, want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Equal(got[name], want[name]) {
			all = append(all, fmt.Sprintf("on the line %s\n  %s\nwant\n  %s", name, strings.Join(got[name], "\n  "), strings.Join(want[name], "\n  ")))
		}
	}
	return all
}

package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// history is what the stages of one task have done to the world over all of its leases, and what must hold of it.
type history struct {
	mu      sync.Mutex
	shelf   *shelf
	dead    bool   // the process that has the lease is gone: nothing it does has an effect
	fuse    int    // how many more things happen before it goes
	force   func() // instead, the stop is forced
	lease   int
	undoing bool
	calls   map[string]int
	effects map[string]*deed // of stages that can be undone, by path
	undone  []string         // in order, each once
	wrong   []string
	seen    map[string]int // volume of the test
}

// deed is an effect in the world.
type deed struct {
	in, out  int
	standing bool
	lease    int // in which it was done
}

func (h *history) fault(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// happens counts down to the end of the process; false when that has come.
func (h *history) happens() bool {
	if h.fuse--; h.fuse == 0 && h.force != nil {
		h.force()
		h.seen["forced"]++
	} else if h.fuse == 0 {
		h.dead = true
		h.seen["killed"]++
	}
	return !h.dead
}

// audit checks that what the last lease has done is on record, as it came to an end.
func (h *history) audit() {
	for path, d := range h.effects {
		if d.lease == h.lease && d.standing && !h.recorded(path) {
			h.fault("%s was done and is not on record", path)
		}
	}
}

// recorded says whether a stage at the path, or one that it is inside of, is on record.
func (h *history) recorded(path string) bool {
	for _, kept := range h.shelf.places() {
		kept = strings.TrimPrefix(kept, "checkpoint/")
		if strings.HasPrefix(kept, task.UndoPrefix) {
			kept = kept[len(task.UndoPrefix)+len("00000001/"):]
		}
		if path == kept || strings.HasPrefix(path, kept+"/") {
			return true
		}
	}
	return false
}

// act is a call of the stage at path. It has its effect unless it fails, as its first calls do.
func (h *history) act(path string, in, out int, l *labourer) (failed, gone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.happens() {
		return false, true
	}
	if h.recorded(path) {
		h.fault("%s runs again although it is on record", path)
	}
	if h.undoing {
		h.fault("%s runs in a lease that is for undoing", path)
	}
	if h.calls[path]++; h.calls[path] <= l.fails {
		return true, false
	}
	if l.keep == "undo" {
		h.effects[path] = &deed{in, out, true, h.lease}
	}
	return false, false
}

// undo undoes the effect at path, and those inside of it.
func (h *history) undo(path string, in, out int, fails int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.happens() {
		return task.ErrLeaseLost
	}
	if !h.undoing {
		h.fault("%s is undone in a lease that is not for that", path)
	}
	if h.calls["undo "+path]++; h.calls["undo "+path] <= fails {
		h.seen["undo failed"]++
		return errAway
	}
	if d := h.effects[path]; d != nil && (d.in != in || d.out != out) {
		h.fault("%s made %d of %d and is undone with %d of %d", path, d.out, d.in, out, in)
	}
	for other, d := range h.effects {
		if other == path || strings.HasPrefix(other, path+"/") {
			d.standing = false
		}
	}
	if !slices.Contains(h.undone, path) {
		h.undone = append(h.undone, path)
	}
	return nil
}

// station is a stage of a random pipeline, and what it gives for a value when nothing goes wrong.
type station interface {
	stage(h *history) pipeline.Stage[int, int]
	gives(v int) int
}

// labourer is a station of one function.
type labourer struct {
	name      string
	keep      string // "", checkpoint, undo
	end       string // how it fails: error, permanent, panic
	fails     int    // its first calls at each place
	undoFails int
}

func (l *labourer) gives(v int) int { return (v*3 + len(l.name)) % 101 }

func (l *labourer) stage(h *history) pipeline.Stage[int, int] {
	return l.kept(h, pipeline.Map(l.name, func(ctx context.Context, v int) (int, error) {
		out := l.gives(v)
		failed, gone := h.act(strings.TrimPrefix(task.Key(ctx), "t1/"), v, out, l)
		switch {
		case gone:
			return 0, task.ErrLeaseLost
		case !failed:
			return out, nil
		case l.end == "permanent":
			return 0, task.Permanent(errDeclined)
		case l.end == "panic":
			panic("out of paper")
		default:
			return 0, errAway
		}
	}))
}

func (l *labourer) kept(h *history, s *pipeline.Step[int, int]) pipeline.Stage[int, int] {
	switch l.keep {
	case "checkpoint":
		return s.Checkpoint()
	case "undo":
		return s.Compensate(func(ctx context.Context, in, out int, _ error) error {
			path := strings.TrimPrefix(strings.TrimSuffix(task.Key(ctx), "#undo"), "t1/")
			return h.undo(path, in, out, l.undoFails)
		})
	}
	return s
}

// gang is a nested pipeline.
type gang struct {
	name     string
	stations []station
	attempts int
	keep     string // "", checkpoint, undo
}

func (g *gang) gives(v int) int {
	for _, s := range g.stations {
		v = s.gives(v)
	}
	return v
}

func (g *gang) pipeline(h *history) *pipeline.Pipeline[int, int] {
	b := pipeline.New[int, int](g.name)
	for _, s := range g.stations {
		b.Stage(s.stage(h))
	}
	return b.MustBuild()
}

func (g *gang) stage(h *history) pipeline.Stage[int, int] {
	s := pipeline.Sub(g.pipeline(h))
	if g.attempts > 1 {
		s = s.Retry(g.attempts, noPause)
	}
	return (&labourer{keep: g.keep}).kept(h, s)
}

// crowd works on several elements at once and adds up what they give.
type crowd struct {
	name    string
	element station
	atOnce  int
	collect bool
}

func (c *crowd) gives(v int) int {
	sum := 0
	for _, e := range elementsOf(v) {
		sum += c.element.gives(e)
	}
	return sum % 101
}

func elementsOf(v int) []int {
	all := make([]int, v%4)
	for i := range all {
		all[i] = v + i
	}
	return all
}

func (c *crowd) stage(h *history) pipeline.Stage[int, int] {
	options := []pipeline.EachOption{pipeline.AtOnce(c.atOnce)}
	if c.collect {
		options = append(options, pipeline.CollectErrors())
	}
	return pipeline.New[int, int](c.name).
		Stage(pipeline.Pure("split", elementsOf)).
		Stage(pipeline.Each("each", c.element.stage(h), options...).KeyedBy(func(v int) string { return fmt.Sprint("no/", v) })).
		Stage(pipeline.Pure("sum", func(vs []int) int {
			sum := 0
			for _, v := range vs {
				sum += v
			}
			return sum % 101
		})).
		MustBuild()
}

// twins runs two stations beside each other.
type twins struct {
	name string
	a, b station
}

func (p *twins) gives(v int) int { return (p.a.gives(v) + 2*p.b.gives(v)) % 101 }

func (p *twins) stage(h *history) pipeline.Stage[int, int] {
	return pipeline.Both(p.name, p.a.stage(h), p.b.stage(h), func(_ context.Context, _, a, b int) (int, error) {
		return (a + 2*b) % 101, nil
	})
}

func drawStation(t *rapid.T, depth int, name string) station {
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case depth > 0 && kind == 0:
		return &crowd{name, drawStation(t, depth-1, "x"), rapid.IntRange(1, 3).Draw(t, "at once"), rapid.Bool().Draw(t, "collect")}
	case depth > 0 && kind == 1:
		return &twins{name, drawStation(t, depth-1, "a"), drawStation(t, depth-1, "b")}
	case depth > 0 && kind == 2:
		return drawGang(t, depth-1, name)
	}
	l := &labourer{name: name, keep: rapid.SampledFrom([]string{"", "checkpoint", "undo", "undo"}).Draw(t, "keep")}
	if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
		l.end = rapid.SampledFrom([]string{"error", "error", "permanent", "panic"}).Draw(t, "end")
		l.fails = rapid.SampledFrom([]int{1, 2, 99}).Draw(t, "times")
	}
	if l.keep == "undo" && rapid.IntRange(0, 4).Draw(t, "undo fails") == 0 {
		l.undoFails = 1
	}
	return l
}

func drawGang(t *rapid.T, depth int, name string) *gang {
	g := &gang{
		name: name, attempts: rapid.IntRange(1, 2).Draw(t, "attempts"),
		keep: rapid.SampledFrom([]string{"", "", "checkpoint", "undo"}).Draw(t, "keep"),
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "stations") {
		g.stations = append(g.stations, drawStation(t, depth, fmt.Sprintf("s%d", i)))
	}
	return g
}

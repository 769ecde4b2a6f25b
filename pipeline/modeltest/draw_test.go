package modeltest

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// drawing draws plans. In the one kind of scenario tasks come one after the other, time counts, and every instant is known; in the other they
// come at once, and what depends on time or on who is first is not drawn.
type drawing struct {
	t        *rapid.T
	together bool
	left     int // stages that may still be drawn
	number   int // of the last one
}

// spot is where a plan stands.
type spot struct {
	depth  int
	crowd  bool // several runs of it may be under way for one task
	beside bool // others run beside it
	keeps  bool // something may be kept there
}

// of draws a number below n. All are as likely: the draws of rapid prefer small ones, which here would be a choice.
func (d *drawing) of(n int, label string) (i int) {
	for range bits.Len(uint(n-1)) + 2 {
		i *= 2
		if rapid.Bool().Draw(d.t, label) {
			i++
		}
	}
	return i % n
}

func (d *drawing) oneIn(n int, label string) bool { return d.of(n, label) == n-1 }

// millis is one of so many milliseconds.
func (d *drawing) millis(label string, from ...int) time.Duration {
	return time.Duration(pick(d, label, from...)) * time.Millisecond
}

func pick[T any](d *drawing, label string, from ...T) T { return from[d.of(len(from), label)] }

// named gives the next stage its name, and some milliseconds that are its own, so that few things happen at the same time.
func (d *drawing) named(prefix, kind string) (name string, own time.Duration) {
	d.number++
	d.left--
	return fmt.Sprintf("%s%s%d", prefix, kind, d.number), time.Duration(d.number*d.number%101) * time.Millisecond
}

func (d *drawing) deed(own time.Duration, slow int, ends ...string) (f deed) {
	if slow > 0 && !d.oneIn(slow, "quick") || slow == 0 && d.oneIn(3, "slow") {
		f.takes = own + time.Duration(1+d.of(4, "hundreds"))*107*time.Millisecond
		f.heeds = pick(d, "heeds", "", "error", "cause")
	}
	f.mod, f.times = 1, 1000
	if d.oneIn(3, "fails") {
		f.end = "error"
		if !d.oneIn(3, "usual") {
			f.end = pick(d, "end", ends...)
		}
		f.mod = 1 + d.of(3, "modulo")
		f.rem = d.of(f.mod, "remainder")
		f.times = pick(d, "times", 1, 2, 1000)
	}
	return f
}

// function draws what the function of a stage at the spot does.
func (d *drawing) function(own time.Duration, s spot) deed {
	slow := 0
	if s.beside {
		slow = 6
	}
	return d.deed(own, slow, ends...)
}

func (d *drawing) policies(own time.Duration, s spot) (p policies) {
	kinds := []string{"retry", "retry if", "permanent if", "timeout", "limit", "rate", "breaker", "fallback", "keep"}
	drawn := map[string]bool{}
	for range pick(d, "policies", 0, 0, 1, 1, 2, 3, 4) {
		drawn[pick(d, "policy", kinds...)] = true
	}
	if len(drawn) == 0 && !s.keeps {
		return p
	}
	p.order = rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(d.t, "order")
	if drawn["retry"] || drawn["retry if"] {
		p.attempts = 1 + d.of(3, "attempts")
		p.pause = pick(d, "pause", 0, own+211*time.Millisecond)
	}
	if drawn["retry if"] {
		p.retryIf = pick(d, "retry if", questions...)
	}
	if drawn["permanent if"] {
		p.permanentIf = pick(d, "permanent if", questions...)
	}
	if drawn["timeout"] {
		p.timeout = time.Hour
		if !d.together {
			p.timeout = own + d.millis("timeout", 53, 307, 911)
		}
	}
	d.shared(&p, s, drawn)
	if drawn["fallback"] {
		f := d.function(own, s)
		p.fallback = &f
	}
	if s.keeps && (drawn["keep"] || d.oneIn(4, "kept")) {
		p.keep = pick(d, "keep", "checkpoint", "undo", "undo")
		undo := d.deed(own, 0, "error", "permanent", "drop", "panic", "error")
		p.undo = &undo
	}
	return p
}

// shared draws the policies whose state is that of the place. Where several runs share one, who comes first depends on time.
func (d *drawing) shared(p *policies, s spot, drawn map[string]bool) {
	if drawn["limit"] {
		p.limit = 1 + d.of(2, "limit")
		if s.crowd && !d.together {
			p.limit = 100 // nobody waits
		}
	}
	if drawn["rate"] && (d.together || !s.crowd) {
		p.rate, p.burst = pick(d, "rate", 2.0, 5, 20), 1+d.of(2, "burst")
	}
	if drawn["breaker"] && !d.together && !s.crowd {
		p.failures = 1 + d.of(3, "failures")
		p.outOf = p.failures + d.of(2, "out of")
		p.closed = d.millis("closed", 503, 2003)
	}
}

func (d *drawing) plan(prefix string, s spot) plan {
	s.depth--
	if s.depth < 0 || d.left <= 0 || d.oneIn(3, "leaf") {
		return d.leaf(prefix, s)
	}
	return pick(d, "shape", d.sequence, d.fan, d.arms, d.choice, d.gate, d.gathering, d.leaf)(prefix, s)
}

func (d *drawing) leaf(prefix string, s spot) plan {
	f := &leaf{kind: pick(d, "kind", "map", "pure", "tap", "filter", "sink", "map"), add: d.of(7, "add")}
	var own time.Duration
	f.name, own = d.named(prefix, f.kind)
	f.deed, f.policies = d.function(own, s), d.policies(own, s)
	if f.policies.limit > 0 && !slices.Contains([]string{"filter", "sink"}, f.kind) {
		f.deed.alone = &gauge{f.policies.limit}
	}
	return f
}

func (d *drawing) sequence(prefix string, s spot) plan {
	name, own := d.named(prefix, "sub")
	q := d.stages(name, s)
	if !d.oneIn(3, "plain") {
		q.policies = d.policies(own, s)
	}
	if len(q.policies.order) > 0 && d.oneIn(2, "again") {
		q.policies.attempts = 2 + d.of(2, "attempts")
	}
	return q
}

// stages draws a pipeline.
func (d *drawing) stages(name string, s spot) *sequence {
	q := &sequence{name: name}
	for range 1 + d.of(4, "stages") {
		q.stages = append(q.stages, d.plan("", s))
	}
	if d.oneIn(3, "uses middleware") {
		for i := range 1 + d.of(2, "middleware") {
			q.use = append(q.use, &middleware{fmt.Sprint("m", i), pick(d, "does", meddling...), fmt.Sprint(d.of(10, "to"))})
		}
	}
	return q
}

func (d *drawing) fan(prefix string, s spot) plan {
	f := &fan{atOnce: 1 + d.of(3, "at once"), collect: d.oneIn(2, "collect"), keyed: d.oneIn(2, "keyed"), unlike: d.oneIn(2, "unlike")}
	kind := "each"
	inside := s
	if f.atOnce > 1 {
		kind, inside.crowd, inside.beside = "many", true, true
	}
	inside.keeps = s.keeps && f.keyed && f.unlike
	var own time.Duration
	f.name, own = d.named(prefix, kind)
	f.policies = d.policies(own, s)
	f.element = d.plan("", inside)
	return f
}

func (d *drawing) arms(prefix string, s spot) plan {
	a := &arms{}
	n := 2 + d.of(3, "arms")
	var own time.Duration
	a.name, own = d.named(prefix, map[int]string{2: "both", 3: "all3-", 4: "all4-"}[n])
	a.policies = d.policies(own, s)
	inside := s
	inside.beside = true
	for range n {
		a.stages = append(a.stages, d.plan("arm.", inside))
	}
	a.merge = d.function(own, s)
	return a
}

func (d *drawing) choice(prefix string, s spot) plan {
	c := &choice{}
	var own time.Duration
	c.name, own = d.named(prefix, "switch")
	c.policies = d.policies(own, s)
	for range 1 + d.of(3, "cases") {
		if len(c.stages) == 0 || d.oneIn(2, "new stage") {
			c.stages = append(c.stages, d.plan("", s))
		}
		c.cases = append(c.cases, len(c.stages)-1)
	}
	if d.oneIn(2, "otherwise") {
		c.otherwise = d.plan("", s)
	}
	return c
}

func (d *drawing) gate(prefix string, s spot) plan {
	g := &gate{}
	var own time.Duration
	g.name, own = d.named(prefix, "validate")
	g.policies = d.policies(own, s)
	g.check, g.sink = d.function(own, s), d.function(own, s)
	if g.check.end == "" && d.oneIn(2, "rejects") {
		g.check.end, g.check.mod, g.check.rem = "permanent", 2, d.of(2, "remainder")
	}
	inside := s
	if d.oneIn(2, "path") {
		g.before = d.plan("", s)
	} else {
		inside.keeps = false // what was rejected cannot be encoded
	}
	g.rejected = d.policies(own, inside)
	return g
}

func (d *drawing) gathering(prefix string, s spot) plan {
	g := &gathering{size: pick(d, "size", 1, 2, 3)}
	var own time.Duration
	g.name, own = d.named(prefix, "batch")
	g.wait = own + d.millis("wait", 101, 401)
	if s.crowd && !d.together {
		g.size = 1
	}
	g.policies = d.policies(own, s)
	if g.policies.limit > 0 && g.policies.limit < g.size {
		g.policies.limit = g.size
	}
	possible := ends
	if d.together && g.size > 1 {
		possible = ends[:len(ends)-1] // it is open whose goroutine would end
	}
	g.deed = d.deed(own, 0, possible...)
	g.deed.mod, g.deed.rem = 1, 0
	if d.together && g.deed.end != "" && !d.oneIn(3, "always") {
		g.deed.end = ""
	}
	if s.crowd {
		g.deed.times = 1000 // it is open whose call is the first
	}
	if d.oneIn(2, "fail by themselves") {
		g.item = pick(d, "item", ends[:6]...)
	}
	if d.oneIn(6, "answers wrongly") {
		g.answers = pick(d, "answers", "errors", "outputs")
	}
	return g
}

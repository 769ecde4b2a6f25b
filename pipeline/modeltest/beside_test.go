package modeltest

import (
	"slices"
	"time"
)

// crowd is work that is done at once: n pieces in order, each taken by the first of so many hands that is free.
type work struct {
	n, hands int
	piece    func(r *reader, i int) *failure
	// begins says whether piece i is begun at all.
	begins func(r *reader) bool
	// stops says whether a failure ends the contexts of the others.
	stops func(*failure) bool
}

// done is what became of a piece.
type done struct {
	begun  bool
	failed *failure
	at     time.Duration
}

// stopped is the piece whose failure ends the contexts of the others.
type stopped struct {
	by  int
	ctx *scope // of the others
}

// interpret does all pieces and gives what became of them, and the number of the one whose failure stopped the others, or -1.
//
// One after the other, the interpreter cannot know that a piece is stopped by one that comes later. So it imagines first what
// happens if nobody is stopped: whoever fails first then is the one who stops the others.
func (c *work) interpret(r *reader) (all []done, stopper int) {
	if c.stops != nil {
		clock := *r.clock
		imagined := *r
		imagined.clock, imagined.script = &clock, r.script.imagined()
		all := c.through(&imagined, nil)
		if i := c.first(all, r); i >= 0 {
			if r.together && min(c.n, c.hands) > 1 {
				r.open("it is open which of several failed first")
			}
			return c.through(r, &stopped{i, &scope{around: r.ctx, at: all[i].at, kind: canceled, cause: all[i].failed}}), i
		}
	}
	return c.through(r, nil), -1
}

// first is the one that fails first.
func (c *work) first(all []done, r *reader) int {
	stopper := -1
	for i, d := range all {
		if !d.begun || d.failed == nil || !c.stops(d.failed) {
			continue
		}
		if stopper < 0 || r.before(d.at, all[stopper].at) {
			stopper = i
		}
	}
	return stopper
}

// through does all pieces, stopped by one of them if that is not nil.
func (c *work) through(r *reader, stop *stopped) []done {
	all := make([]done, c.n)
	free := slices.Repeat([]clock{*r.clock}, min(c.n, c.hands))
	last := slices.Repeat([]int{-1}, len(free)) // piece of each hand
	for i := range all {
		hand := 0
		for h := range free { // the first that is free, and of several rather one that did something else than the stopper
			if free[h].now < free[hand].now || free[h].now == free[hand].now && stop != nil && last[hand] == stop.by {
				hand = h
			}
		}
		clock := free[hand]
		one := r.within(r.ctx)
		one.clock = &clock
		if stop != nil && i != stop.by {
			// Without any doubt for the hand that had the stopper; for the others it may be open.
			if last[hand] == stop.by || one.past(stop.ctx) {
				continue
			}
			one.ctx = stop.ctx
		}
		if !c.begins(one) {
			continue
		}
		all[i] = done{begun: true, failed: c.piece(one, i)}
		all[i].at = clock.now
		free[hand], last[hand] = clock, i
	}
	for _, f := range free {
		*r.clock = r.clock.join(f)
	}
	return all
}

package modeltest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plba/plba/task"
)

// script is all that the interpreter knows of the world.
type script struct {
	calls    map[string]int // by what was called
	notes    []note
	breakers map[*policies]circuit
	buckets  map[*policies]bucket
	kept     map[string]*keptOutput // of the task at hand, by path
	number   int                    // of the last one
	together bool                   // several tasks run at once: instants mean nothing
	loose    string                 // why it is open what happens; "" when it is not
	seen     map[string]int         // how often which things happened, for the volume of the test
}

func newScript(together bool, seen map[string]int) *script {
	return &script{
		calls: map[string]int{}, breakers: map[*policies]circuit{}, buckets: map[*policies]bucket{},
		kept: map[string]*keptOutput{}, together: together, seen: seen,
	}
}

// imagined is a copy to try something out on.
func (s *script) imagined() *script {
	c := *s
	c.calls, c.kept = maps.Clone(s.calls), maps.Clone(s.kept)
	c.breakers, c.buckets = maps.Clone(s.breakers), maps.Clone(s.buckets)
	c.notes = slices.Clip(s.notes)
	c.seen = map[string]int{}
	return &c
}

// note is a side effect.
type note struct {
	at   time.Duration // since the beginning
	what string
}

// line is a place in time, where the interpreter is with something: everything that follows on the same line follows in time.
type reader struct {
	*script
	clock *clock
	task  string
	ctx   *scope
	use   []*middleware // around the stages here
}

// clock says how late it is, and which contexts have ended without any doubt: their end was waited for.
type clock struct {
	now   time.Duration // since the beginning
	known []*scope
}

func (c clock) knows(s *scope) bool { return slices.Contains(c.known, s) }

// join is what is known when both have been waited for.
func (c clock) join(other clock) clock {
	known := slices.Clip(c.known)
	for _, s := range other.known {
		if !c.knows(s) {
			known = append(known, s)
		}
	}
	return clock{max(c.now, other.now), known}
}

// scope is a context that ends.
type scope struct {
	around *scope
	at     time.Duration
	kind   error // what its Err says then
	cause  *failure
}

// end is what a context says when it has ended.
type end struct {
	kind  error
	cause *failure
	of    *scope
}

var (
	canceled = context.Canceled
	deadline = context.DeadlineExceeded
)

// tie is how near two moments are that may come in any order.
const tie = 500 * time.Nanosecond

func (r *reader) now() time.Duration { return r.clock.now }

func (r *reader) within(ctx *scope) *reader {
	c := *r
	c.ctx = ctx
	return &c
}

func (r *reader) using(use []*middleware) *reader {
	c := *r
	c.use = use
	return &c
}

// first is the scope that ends first of those around the line, nil when none does, and whether it is open which of them that is.
func (r *reader) first() (s *scope, tied bool) {
	for c := r.ctx; c != nil; c = c.around {
		if s == nil || c.at <= s.at {
			tied = s != nil && near(s.at, c.at)
			s = c
		}
	}
	return s, tied
}

func near(a, b time.Duration) bool { return a-b < tie && b-a < tie }

// before compares two moments. It is open which comes first when they are too near.
func (r *reader) before(a, b time.Duration) bool {
	if near(a, b) {
		r.open("two things happen at the same time")
	}
	return a < b
}

// past says whether a context has ended.
func (r *reader) past(s *scope) bool { return r.clock.knows(s) || !r.before(r.now(), s.at) }

func (r *reader) open(why string) { r.loose = why }

// ended says whether and how the context has ended.
func (r *reader) ended() *end {
	s, tied := r.first()
	if s == nil || !r.past(s) {
		return nil
	}
	return r.end(s, tied)
}

func (r *reader) end(s *scope, tied bool) *end {
	if tied {
		r.open("two contexts end at the same time")
	}
	return &end{s.kind, s.cause, s}
}

// pass lets time pass. With heeding, it ends with the context.
func (r *reader) pass(d time.Duration, heeding bool) *end {
	if d <= 0 {
		return nil
	}
	until := r.now() + d
	if s, tied := r.first(); heeding && s != nil && r.before(s.at, until) {
		*r.clock = r.clock.join(clock{s.at, []*scope{s}})
		return r.end(s, tied)
	}
	r.clock.now = until
	return nil
}

// plain is the context's Err.
func (e *end) plain() *failure {
	return &failure{text: e.kind.Error(), outcome: task.Retry, bare: true, is: []any{e.kind}}
}

// interrupted is the error of a run that its context ends.
func (e *end) interrupted() *failure {
	if slices.Contains(e.cause.is, any(e.kind)) {
		return e.cause
	}
	return e.cause.covering(e.plain(), e.cause.text)
}

// cut is the failure of a stage that is not begun because the context has ended.
func (r *reader) cut(path string) *failure {
	if end := r.ended(); end != nil {
		r.saw("acted: cancelled before a stage")
		return r.located(path, 0, end.interrupted())
	}
	return nil
}

// located is the failure as the stage of that path reports it after so many attempts.
func (r *reader) located(path string, attempts int, f *failure) *failure {
	if f.exit || attempts <= 1 && strings.HasPrefix(f.at, path+"/") {
		return f
	}
	if end := r.ended(); end != nil && slices.Contains(f.is, any(end.kind)) && !end.cause.within(f) {
		f = f.covering(end.cause, f.text+": "+end.cause.text)
	}
	text := path + ": " + f.text
	switch {
	case attempts > 1:
		text = fmt.Sprintf("%s: after %d attempts: %s", path, attempts, f.text)
	case strings.HasPrefix(f.told, path+"/"):
		text = f.text // a place is told once
	}
	f = f.wrapped(text)
	f.at, f.told = path, path
	return f
}

// within says whether errors.Is finds it in another one: the last of its identities is its own.
func (f *failure) within(other *failure) bool {
	return len(f.is) > 0 && slices.Contains(other.is, f.is[len(f.is)-1])
}

// key is the idempotency key at a path.
func (r *reader) key(path string) string { return r.task + "/" + path }

// note notes a side effect, and says how often it has happened.
func (r *reader) note(what string, v int) int {
	r.calls[what]++
	r.notes = append(r.notes, note{r.now(), fmt.Sprintf("%s(%d)", what, v)})
	return r.calls[what]
}

func (r *reader) saw(what string) { r.seen[what]++ }

package modeltest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// sequence is a pipeline: a nested one, or the whole.
type sequence struct {
	name     string
	stages   []plan
	use      []*middleware
	policies policies
}

func (s *sequence) title() string     { return s.name }
func (s *sequence) inside() []plan    { return s.stages }
func (s *sequence) policy() *policies { return &s.policies }

func (s *sequence) pipeline(w *world) *pipeline.Pipeline[int, int] {
	b := pipeline.New[int, int](s.name)
	for _, p := range s.stages {
		b.Stage(p.build(w))
	}
	for _, m := range s.use {
		b.Use(m.build(w))
	}
	return b.MustBuild()
}

func (s *sequence) build(w *world) pipeline.Stage[int, int] {
	p := s.pipeline(w)
	if len(s.policies.order) == 0 {
		return p
	}
	return dress(pipeline.Sub(p), &s.policies, w, same, bounded)
}

func (s *sequence) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, &s.policies, path, v, bounded, func(r *reader) (int, *failure) { return s.walk(r, path, v, false) })
}

// walk goes through the stages, from behind the last one that is kept. Streamed, each has a goroutine of its own to end.
func (s *sequence) walk(r *reader, path string, v int, streamed bool) (int, *failure) {
	r = r.using(s.use)
	first := 0
	for i, p := range s.stages {
		if k, ok := r.kept(path + "/" + p.title()); ok {
			r.saw("acted: resumed")
			first, v = i+1, k.out.(int)
		}
	}
	for _, p := range s.stages[first:] {
		inside := path + "/" + p.title()
		if cut := r.cut(inside); cut != nil {
			return 0, cut
		}
		var f *failure
		if v, f = p.interpret(r, inside, v); f != nil {
			if f.exit && streamed {
				f = r.located(inside, 1, exited())
			}
			return 0, f
		}
	}
	return v, nil
}

// run interprets the whole, outside of a queue: what it did is undone when it fails.
func (s *sequence) run(r *reader, v int, streamed bool) (int, *failure) {
	r.script.kept = map[string]*keptOutput{}
	out, f := s.walk(r, s.name, v, streamed)
	if f == nil {
		return out, nil
	}
	if f.exit || f.outcome == task.Retry || f.outcome == task.Dead {
		if failed := r.undo("", cmp.Or(f.origin, f)); failed != nil && !f.exit {
			f = failed
		}
	}
	return 0, f
}

// fan is a pipeline of three stages: one that splits the value, the fan-out, and one that joins the results.
type fan struct {
	name     string
	element  plan
	atOnce   int
	collect  bool
	keyed    bool
	unlike   bool // no two elements have the same key
	policies policies
}

func (f *fan) title() string     { return f.name }
func (f *fan) inside() []plan    { return []plan{f.element} }
func (f *fan) policy() *policies { return &f.policies }

func (f *fan) split(v int) []int {
	in := make([]int, v%4)
	for i := range in {
		if in[i] = v + i; !f.unlike {
			in[i] -= i % 2 // the first two are alike
		}
	}
	return in
}

func sum(vs []int) int {
	total := len(vs)
	for i, v := range vs {
		total += (i + 1) * v
	}
	return bounded(total)
}

func few(v int) []int { return []int{bounded(v), 7} }

func keyOf(v int) string { return fmt.Sprintf("k/%d", v) }

func (f *fan) build(w *world) pipeline.Stage[int, int] {
	options := []pipeline.EachOption{pipeline.AtOnce(f.atOnce)}
	if f.collect {
		options = append(options, pipeline.CollectErrors())
	}
	e := pipeline.Each(f.name, f.element.build(w), options...)
	if f.keyed {
		e = e.KeyedBy(keyOf)
	}
	return pipeline.New[int, int](f.name).
		Stage(pipeline.Pure("split", f.split)).
		Stage(dress(e.Step, &f.policies, w, sum, few)).
		Stage(pipeline.Pure("join", sum)).
		MustBuild()
}

func (f *fan) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, nil, path, v, nil, func(r *reader) (int, *failure) {
		r = r.using(nil)
		inside := path + "/" + f.name
		k, found := r.kept(inside)
		var out []int
		if found {
			out = k.out.([]int)
		} else {
			in := f.split(v)
			for _, stage := range []string{path + "/split", inside} {
				if cut := r.cut(stage); cut != nil {
					return 0, cut
				}
			}
			var failed *failure
			out, failed = layered(r, &f.policies, inside, sum(in), few, func(r *reader) ([]int, *failure) { return f.each(r, inside, in) })
			if failed != nil {
				return 0, failed
			}
		}
		return sum(out), r.cut(path + "/join")
	})
}

// each interprets the fan-out.
func (f *fan) each(r *reader, path string, in []int) (out []int, failed *failure) {
	if len(in) == 0 {
		return nil, nil
	}
	results, names := make([]int, len(in)), f.names(in)
	c := work{
		n: len(in), hands: f.atOnce,
		begins: func(r *reader) bool { return r.ended() == nil },
		piece: func(r *reader, i int) (failed *failure) {
			inside := fmt.Sprintf("%s/%s/%s", path, names[i], f.element.title())
			results[i], failed = f.element.interpret(r, inside, in[i])
			return owned(r, inside, failed)
		},
	}
	if !f.collect {
		c.stops = func(f *failure) bool { return !f.drops() }
	}
	all, stopper := c.interpret(r)
	if stopper >= 0 {
		return nil, all[stopper].failed
	}
	var failures []*failure
	cut := false
	for i, d := range all {
		switch {
		case !d.begun:
			cut = true
		case d.failed == nil:
			out = append(out, results[i])
		case !d.failed.drops():
			failures = append(failures, d.failed)
		}
	}
	return out, f.failure(r, len(in), failures, cut)
}

func (f *fan) failure(r *reader, n int, failures []*failure, cut bool) *failure {
	if cut {
		end := r.ended()
		if len(failures) == 0 {
			return end.interrupted()
		}
		failures = append(failures, end.interrupted())
	}
	if len(failures) == 0 {
		return nil
	}
	r.saw("acted: collected")
	var texts []string
	for _, f := range failures {
		texts = append(texts, f.text)
	}
	return joined(failures, fmt.Sprintf("%d errors in %d elements: %s", len(failures), n, strings.Join(texts, "; ")))
}

// names names the elements.
func (f *fan) names(in []int) (names []string) {
	for i, v := range in {
		if !f.keyed {
			names = append(names, fmt.Sprint(i))
			continue
		}
		name := strings.ReplaceAll(keyOf(v), "/", "%2F")
		if before := slices.Index(in, v); before < i {
			name += "#2" // no more than two are alike
		}
		names = append(names, name)
	}
	return names
}

// owned is the failure of a piece of work that has a goroutine of its own.
func owned(r *reader, path string, f *failure) *failure {
	if f != nil && f.exit {
		return r.located(path, 1, exited())
	}
	return f
}

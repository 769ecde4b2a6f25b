package modeltest

import (
	"context"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// arms is a Both, All3 or All4: two to four stages at once, and a function that merges what they give.
type arms struct {
	name     string
	stages   []plan
	merge    deed
	policies policies
}

func (a *arms) title() string     { return a.name }
func (a *arms) inside() []plan    { return a.stages }
func (a *arms) policy() *policies { return &a.policies }

func (a *arms) build(w *world) pipeline.Stage[int, int] {
	var s []pipeline.Stage[int, int]
	for _, p := range a.stages {
		s = append(s, p.build(w))
	}
	merge := func(ctx context.Context, in int, outs ...int) (int, error) {
		return sum(outs), a.merge.do(ctx, w, task.Key(ctx)+"+", in)
	}
	var step *pipeline.Step[int, int]
	switch len(s) {
	case 2:
		step = pipeline.Both(a.name, s[0], s[1], func(ctx context.Context, in, a, b int) (int, error) { return merge(ctx, in, a, b) })
	case 3:
		step = pipeline.All3(a.name, s[0], s[1], s[2], func(ctx context.Context, in, a, b, c int) (int, error) {
			return merge(ctx, in, a, b, c)
		})
	default:
		step = pipeline.All4(a.name, s[0], s[1], s[2], s[3], func(ctx context.Context, in, a, b, c, d int) (int, error) {
			return merge(ctx, in, a, b, c, d)
		})
	}
	return dress(step, &a.policies, w, same, bounded)
}

func (a *arms) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, &a.policies, path, v, bounded, func(r *reader) (int, *failure) {
		outs := make([]int, len(a.stages))
		c := work{
			n: len(outs), hands: len(outs),
			begins: func(*reader) bool { return true },
			stops:  func(*failure) bool { return true },
			piece: func(r *reader, i int) (f *failure) {
				inside := path + "/" + a.stages[i].title()
				if f = r.cut(inside); f == nil {
					outs[i], f = a.stages[i].interpret(r, inside, v)
				}
				return owned(r, inside, f)
			},
		}
		if all, stopper := c.interpret(r); stopper >= 0 {
			return 0, all[stopper].failed
		}
		return sum(outs), a.merge.play(r, r.key(path)+"+", v)
	})
}

// choice is a Switch: the key is the value modulo 4.
type choice struct {
	name      string
	cases     []int // of each key that has one, the stage
	stages    []plan
	otherwise plan // may be nil
	policies  policies
}

func (c *choice) title() string     { return c.name }
func (c *choice) policy() *policies { return &c.policies }

func (c *choice) inside() []plan {
	if c.otherwise == nil {
		return c.stages
	}
	return append(c.stages[:len(c.stages):len(c.stages)], c.otherwise)
}

func (c *choice) build(w *world) pipeline.Stage[int, int] {
	var built []pipeline.Stage[int, int]
	for _, p := range c.stages {
		built = append(built, p.build(w))
	}
	var cases []pipeline.Case[int, int, int]
	for key, stage := range c.cases {
		cases = append(cases, pipeline.On(key, built[stage]))
	}
	s := pipeline.Switch(c.name, func(v int) int { return v % 4 }, cases...)
	if c.otherwise != nil {
		s = s.Otherwise(c.otherwise.build(w))
	}
	return dress(s.Step, &c.policies, w, same, bounded)
}

func (c *choice) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, &c.policies, path, v, bounded, func(r *reader) (int, *failure) {
		p := c.otherwise
		switch key := v % 4; {
		case key < len(c.cases):
			p = c.stages[c.cases[key]]
		case p == nil:
			r.saw("end: no case")
			text := (&pipeline.NoCaseError{Key: string(rune('0' + key))}).Error()
			return 0, &failure{text: text, outcome: task.Dead, is: []any{&identity{}}}
		default:
			r.saw("acted: otherwise")
		}
		return p.interpret(r, path+"/"+p.title(), v)
	})
}

// gate is a Validate. The rejected path is a sink, alone or at the end of a pipeline.
type gate struct {
	name     string
	check    deed
	sink     deed
	before   plan // in a pipeline in front of the sink; may be nil
	rejected policies
	policies policies
}

func (g *gate) title() string     { return g.name }
func (g *gate) policy() *policies { return &g.policies }

func (g *gate) inside() []plan {
	if g.before == nil {
		return nil
	}
	return []plan{g.before}
}

func (g *gate) build(w *world) pipeline.Stage[int, int] {
	var rejected pipeline.Stage[pipeline.Rejected[int], pipeline.Done]
	if g.before == nil {
		rejected = dress(pipeline.Sink("refuse", func(ctx context.Context, r pipeline.Rejected[int]) error {
			return g.sink.do(ctx, w, task.Key(ctx), r.Value)
		}), &g.rejected, w, func(r pipeline.Rejected[int]) int { return r.Value }, nothing)
	} else {
		rejected = pipeline.New[pipeline.Rejected[int], pipeline.Done]("refuse").
			Stage(pipeline.Pure("value", func(r pipeline.Rejected[int]) int { return r.Value })).
			Stage(g.before.build(w)).
			Stage(dress(pipeline.Sink("refuse", func(ctx context.Context, v int) error {
				return g.sink.do(ctx, w, task.Key(ctx), v)
			}), &g.rejected, w, same, nothing)).
			MustBuild()
	}
	return dress(pipeline.Validate(g.name, func(ctx context.Context, v int) error {
		return g.check.do(ctx, w, task.Key(ctx)+"?", v)
	}, rejected), &g.policies, w, same, bounded)
}

func (g *gate) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, &g.policies, path, v, bounded, func(r *reader) (int, *failure) {
		reason := g.check.play(r, r.key(path)+"?", v)
		if reason == nil || reason.exit || reason.thrown {
			return v, reason
		}
		if r.ended() != nil || reason.outcome != task.Dead && (reason.outcome != task.Retry || reason.wait) {
			return 0, reason
		}
		r.saw("acted: rejected")
		if f := g.refuse(r, path+"/refuse", v); f != nil && !f.drops() {
			r.saw("acted: rejected path failed")
			return 0, f
		}
		f := reason.wrapped("dropped: rejected: " + reason.text)
		f.outcome, f.wait = task.Dropped, false
		return 0, f
	})
}

// refuse interprets the rejected path.
func (g *gate) refuse(r *reader, path string, v int) *failure {
	last := func(r *reader, path string, v int) (pipeline.Done, *failure) {
		return layered(r, &g.rejected, path, v, nothing, func(r *reader) (pipeline.Done, *failure) {
			return pipeline.Done{}, g.sink.play(r, r.key(path), v)
		})
	}
	if g.before == nil {
		_, f := last(r, path, v)
		return f
	}
	_, f := layered(r, nil, path, v, nil, func(r *reader) (done pipeline.Done, f *failure) {
		r = r.using(nil)
		sink, first := path+"/refuse", path+"/"+g.before.title()
		if _, kept := r.kept(sink); kept {
			return done, nil
		}
		k, kept := r.kept(first)
		if kept {
			v = k.out.(int)
		} else {
			for _, stage := range []string{path + "/value", first} {
				if cut := r.cut(stage); cut != nil {
					return done, cut
				}
			}
			if v, f = g.before.interpret(r, first, v); f != nil {
				return done, f
			}
		}
		if cut := r.cut(sink); cut != nil {
			return done, cut
		}
		return last(r, sink, v)
	})
	return f
}

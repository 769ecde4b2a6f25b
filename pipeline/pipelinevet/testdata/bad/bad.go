// Package bad holds pipelines that cannot be built, and builders that never are.
package bad

import (
	"context"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
)

type (
	item  struct{ name string }
	order struct{ items []item }

	named      []item
	aliased    = []item
	box[T any] struct{ v T }
)

func to[In, Out any](name string) *pipeline.Step[In, Out] {
	return pipeline.Pure(name, func(In) (out Out) { return out })
}

func maybe[T any](v T) T { return v }

func pure[In, Out any](In) (out Out) { return out }

var inPackage = pipeline.New[item, order]("package").
	Stage(to[item, int]("a")). // want `the pipeline must end in bad.order, but stage 1 \(bad/bad.go:\d+\) gives int`
	MustBuild()

var _ = inPackage

var ofPackage = pipeline.New[item, order]("package").Stage(to[int, string]("a")) // want `stage 1 takes int, but the pipeline takes bad.item`

// --- what becomes of the builder ---

func forgotten(add bool) {
	pipeline.New[item, item]("one") // want `pipeline "one" is never built \(end with Build or MustBuild, or give it to plba.Pipeline\)`

	pipeline.New[item, order]("two").Stage(to[item, int]("a")) // want `pipeline "two" is never built`

	b := pipeline.New[item, int]("three") // want `pipeline "three" is never built`
	b = b.Stage(to[item, int]("a"))
	if add {
		b.Stage(to[int, int]("b"))
	}
	c := b
	c.Stage(to[int, int]("c"))

	d := pipeline.New[item, int](maybe("four")) // want `pipeline is never built`
	d.Stage(to[int, int]("c"))                  // want `stage 1 takes int, but the pipeline takes bad.item`
}

func replaced() *pipeline.Pipeline[int, int] {
	b := pipeline.New[int, int]("first") // want `pipeline "first" is never built`
	b = pipeline.New[int, int]("second").Stage(to[int, int]("a"))
	return b.MustBuild()
}

func given() *pipeline.Builder[item, order] {
	return pipeline.New[item, order]("given").
		Stage(to[item, int]("a")).
		Stage(to[string, order]("b")) // want `stage 2 takes string, but stage 1 \(bad/bad.go:\d+\) gives int`
}

func received(b *pipeline.Builder[item, order], s pipeline.AnyStage) {
	b.Stage(pipeline.Pure("a", pure[string, int])).
		Stage(pipeline.Pure(maybe("b"), pure[string, order])). // nobody knows what maybe does to b
		Stage(pipeline.Pure("c", pure[int, int])).             // want `stage "c" takes int, but the stage before \(bad/bad.go:\d+\) gives bad.order`
		Stage(s).
		Stage(pipeline.Pure("d", pure[int, item]).Retry(2)) // this stage may be what s takes
	b.Stage(s).Stage(pipeline.Pure("e", pure[int, string]).Retry(len("2")))
	given().Stage(nil).MustBuild() // want `this stage is nil`
	var t *pipeline.Step[int, string]
	t = pipeline.Pure("t", pure[int, string])
	b.Stage(t).Stage(t) // want `this stage takes int, but the stage before \(bad/bad.go:\d+\) gives string`
}

func registered(r *plba.Registry) {
	plba.Pipeline(r, pipeline.New[item, order]("registered").
		Stage(to[item, int]("a")).
		Stage(to[string, order]("b"))) // want `stage 2 takes string, but stage 1 .* gives int`

	b := pipeline.New[item, order]("registered-too").Stage(to[item, int]("a")) // want `the pipeline must end in bad.order, but stage 1`
	_ = plba.Pipeline(r, b)

	plba.Pipeline(r, pipeline.New[item, item]("empty")) // want `it has no stages \(add one with .Stage\(...\)\)`
}

func nested(items *pipeline.Step[item, item]) {
	_ = pipeline.Switch("kind", func(i item) string { return i.name },
		pipeline.On("a", items),
		pipeline.On("b", pipeline.New[item, item]("inside").Stage(to[item, int]("x")).MustBuild()), // want `the pipeline must end in bad.item, but stage 1`
	).Otherwise(pipeline.New[item, item]("other").MustBuild()) // want `it has no stages`
	_ = []pipeline.AnyStage{
		pipeline.Each("each", pipeline.New[item, int]("element").Stage(to[order, int]("x")).MustBuild()), // want `stage 1 takes bad.order, but the pipeline takes bad.item`
	}
}

// --- the order of statements ---

func conditions(add bool) (*pipeline.Pipeline[item, item], error) {
	b := pipeline.New[item, item]("p").Stage(to[item, int]("a"))
	if add {
		b.Stage(to[string, item]("b")) // want `stage 2 takes string, but stage 1 \(bad/bad.go:\d+\) gives int`
	} else {
		b.Stage(to[item, item]("c")) // want `stage 2 takes bad.item, but stage 1 \(bad/bad.go:\d+\) gives int`
	}
	b.Stage(to[item, string]("d")) // what comes here is not known
	b.Stage(to[int, string]("e"))  // want `this stage takes int, but the stage before \(bad/bad.go:\d+\) gives string` `the pipeline must end in bad.item, but the stage before \(bad/bad.go:\d+\) gives string`
	return b.Build()
}

func loops(names []string) {
	for _, name := range names {
		b := pipeline.New[item, item](name)
		b.Stage(pipeline.Tap("look", func(context.Context, item) error { return nil }))
		b.Stage(pipeline.Tap("look", func(context.Context, item) error { return nil })) // want `stage 2 "look": that name is taken by the stage at bad/bad.go:\d+ \(stages of one pipeline need different names\)`
		for range names {
			b.Stage(to[int, int](name))
			b.Stage(to[string, string](name)) // want `this stage takes string, but the stage before \(bad/bad.go:\d+\) gives int`
		}
		b.MustBuild()
	}
}

func literals() {
	build := func() error {
		_, err := pipeline.New[item, int]("p").Stage(to[item, order]("a")).Build() // want `the pipeline must end in int, but stage 1 \(bad/bad.go:\d+\) gives bad.order`
		return err
	}
	b := pipeline.New[item, item]("q").Stage(to[int, int]("a")) // want `stage 1 takes int, but the pipeline takes bad.item`
	defer func() { b.MustBuild() }()
	_ = build()
}

func selected(k int, c chan int) {
	b := pipeline.New[item, int]("p")
	b.Stage(to[item, item]("a")) // want `the pipeline must end in int, but stage 1 \(bad/bad.go:\d+\) gives bad.item`
	switch k {
	case 1:
		if _, err := b.Build(); err != nil {
			return
		}
	default:
		select {
		case <-c:
			b.MustBuild()
		}
	}
	b.Stage(to[int, int]("b")) // want `stage 2 takes int, but stage 1 \(bad/bad.go:\d+\) gives bad.item`
}

// --- types ---

func generic[T any, N ~int | ~string](one *pipeline.Step[T, T]) {
	_ = pipeline.New[[]T, []T]("a").Stage(one).MustBuild() // want `stage 1 takes T, but the pipeline takes \[\]T \(it takes one at a time; wrap it: pipeline.Each\(name, stage\)\)` `the pipeline must end in \[\]T, but stage 1 \(bad/bad.go:\d+\) gives T \(it takes several at once, but one arrives\)`
	_ = pipeline.New[N, box[N]]("b").
		Stage(to[float64, int]("a")).      // want `stage 1 takes float64, but the pipeline takes N`
		Stage(to[int, N]("b")).MustBuild() // want `the pipeline must end in bad.box\[N\], but stage 2 \(bad/bad.go:\d+\) gives N`
	_ = pipeline.New[map[string]T, <-chan T]("c").
		Stage(to[map[int]T, chan T]("a")).       // want `stage 1 takes map\[int\]T, but the pipeline takes map\[string\]T`
		Stage(to[*T, [2]T]("b")).                // want `stage 2 takes \*T, but stage 1 \(bad/bad.go:\d+\) gives chan T`
		Stage(to[[3]T, chan T]("c")).MustBuild() // want `stage 3 takes \[3\]T, but stage 2` `the pipeline must end in <-chan T, but stage 3 \(bad/bad.go:\d+\) gives chan T`
}

func constrained[S pipeline.Stage[int, string]](s S) {
	_ = pipeline.New[int, int]("p").Stage(s).MustBuild() // want `the pipeline must end in int, but stage 1 \(bad/bad.go:\d+\) gives string`
}

type renamed = pipeline.Builder[item, aliased]

func aliases() {
	var b *renamed = pipeline.New[item, aliased]("p")
	b.Stage(to[item, []item]("a")).
		Stage(to[aliased, named]("b")) // want `the pipeline must end in bad.aliased, but stage 2 \(bad/bad.go:\d+\) gives bad.named \(seams need identical types: convert with a pipeline.Pure stage in between\)`
	b.MustBuild()
}

// ours is a stage by what it embeds, and Build asks only that.
type ours struct {
	*pipeline.EachStep[item, order]
}

func embedded(s ours, i interface {
	pipeline.Stage[int, string]
	Extra()
}) {
	pipeline.New[item, string]("p").Stage(s).Stage(i).MustBuild() // want `stage 1 takes \[\]bad.item, but the pipeline takes bad.item \(it takes several at once, but one arrives\)` `stage 2 takes int, but stage 1 \(bad/bad.go:\d+\) gives \[\]bad.order`
}

type holder struct{ *pipeline.Builder[item, order] }

func held(h holder) {
	h.Stage(pipeline.Pure("a", pure[item, int])).Stage(pipeline.Pure("b", pure[item, int])).MustBuild() // want `stage "b" takes bad.item, but stage "a" \(bad/bad.go:\d+\) gives int` `the pipeline must end in bad.order, but stage "b"`
}

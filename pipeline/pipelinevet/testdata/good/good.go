// Package good holds pipelines that can be built, and others of which nothing is certain.
package good

import (
	"context"
	"errors"

	"github.com/plba/plba/pipeline"
)

type (
	item  struct{ Name string }
	order struct{ Items []item }

	aliased    = []item
	box[T any] struct{ v T }
)

func to[In, Out any](name string) *pipeline.Step[In, Out] {
	return pipeline.Pure(name, func(In) (out Out) { return out })
}

func maybe[T any](s T) T { return s }

// hiding is a stage by what it embeds; its own Run is not what Build sees.
type hiding struct {
	*pipeline.Step[item, order]
}

func (hiding) Run(context.Context, string) (int, error) { return 0, nil }

// mixed has Run from one stage, and is one by another.
type mixed struct {
	pipeline.AnyStage
	inner
}

type inner struct{ *pipeline.Step[int, string] }

// Builds can all be built.
var Builds = map[string]func() error{
	"chain": func() error {
		_, err := pipeline.New[item, pipeline.Done]("p").
			Stage(pipeline.Map("a", func(context.Context, item) ([]item, error) { return nil, nil }).Retry(2)).
			Stage(pipeline.Each("each", to[item, order]("a")).KeyedBy(func(i item) string { return i.Name })).
			Stage(pipeline.Sink("b", func(context.Context, []order) error { return nil })).
			Build()
		return err
	},
	"aliases": func() error {
		_, err := pipeline.New[aliased, []byte]("p").
			Stage(to[[]item, interface{}]("a")).
			Stage(to[any, []uint8]("b")).
			Build()
		return err
	},
	"own Run": func() error {
		_, err := pipeline.New[item, order]("p").Stage(hiding{to[item, order]("a")}).Build()
		return err
	},
	"mixed": func() error {
		_, err := pipeline.New[item, order]("p").Stage(mixed{to[item, order]("a"), inner{to[int, string]("b")}}).Build()
		return err
	},
	"any stage": func() error {
		var s pipeline.AnyStage = to[item, order]("a")
		_, err := pipeline.New[item, order]("p").Stage(s).Build()
		return err
	},
	"type parameters": func() error { return generic[int, int, item](to[int, int]("s")) },
	"variable captured before": func() error {
		var b *pipeline.Builder[item, order]
		add := func() *pipeline.Step[int, order] {
			b.Stage(to[string, int]("between"))
			return to[int, order]("b")
		}
		b = pipeline.New[item, order]("p").Stage(to[item, string]("a"))
		b.Stage(add())
		_, err := b.Build()
		return err
	},
	"added by a function": func() error {
		b := pipeline.New[item, order]("p").Stage(to[item, string]("a"))
		_, err := b.Stage(between(b)).Build()
		return err
	},
	"added on the way": func() error {
		b := pipeline.New[item, order]("p")
		keep := []*pipeline.Builder[item, order]{b}
		add := func() pipeline.Stage[int, order] {
			keep[0].Stage(to[string, int]("between"))
			return to[int, order]("b")
		}
		_, err := b.Stage(to[item, string]("a")).Stage(add()).Build()
		return err
	},
	"named result": func() error {
		_, err := named().Stage(to[string, order]("b")).Build()
		return err
	},
	"by address": func() error {
		b := pipeline.New[item, order]("p").Stage(to[item, string]("a"))
		other := pipeline.New[item, order]("q")
		swap(&b, &other)
		_, err := b.Stage(to[item, order]("c")).Build()
		return err
	},
	"deferred": func() error {
		b := pipeline.New[item, order]("p").Stage(to[item, string]("a"))
		func() {
			defer b.Stage(to[int, order]("c"))
			b.Stage(to[string, int]("b"))
		}()
		_, err := b.Build()
		return err
	},
	"deferred here": func() (err error) {
		b := pipeline.New[item, order]("p")
		b.Stage(to[item, order]("a"))
		defer b.Stage(to[int, string]("c"))
		_, err = b.Build()
		return err
	},
	"goto": func() error {
		b, n := pipeline.New[item, item]("p").Stage(to[item, int]("a")), 0
		goto second
	first:
		b.Stage(to[string, item]("c"))
		goto end
	second:
		b.Stage(to[int, string]("b"))
		n++
		goto first
	end:
		_, err := b.Build()
		return err
	},
	"left in the middle": func() error {
		b, skip := pipeline.New[item, item]("p"), maybe(true)
	choice:
		switch {
		default:
			if skip {
				break choice
			}
			b.Stage(to[item, string]("a"))
		}
		_, err := b.Stage(to[item, item]("b")).Build()
		return err
	},
	"falling through": func() error {
		b := pipeline.New[item, item]("p")
		switch maybe(1) {
		case 1:
			b.Stage(to[item, string]("a"))
			fallthrough
		case 2:
			b.Stage(to[string, item]("b"))
		}
		_, err := b.Build()
		return err
	},
	"second round": func() error {
		b := pipeline.New[item, string]("p")
		for i, s := range []pipeline.AnyStage{to[item, item]("a"), to[item, item]("b")} {
			if i == 1 {
				b.Stage(to[item, item]("c"))
			}
			b.Stage(s)
		}
		_, err := b.Stage(to[item, string]("d")).Build()
		return err
	},
	"or another": func() error {
		b := pipeline.New[item, item]("p").Stage(to[item, item]("a"))
		if maybe(true) {
			b = pipeline.New[item, item]("q")
		}
		_, err := b.Stage(to[item, item]("a")).Build()
		return err
	},
	"set in branches": func() error {
		var b *pipeline.Builder[item, item]
		if maybe(true) {
			b = pipeline.New[item, item]("p").Stage(to[item, item]("a"))
		} else {
			b = pipeline.New[item, item]("q")
		}
		_, err := b.Build()
		return err
	},
	"another each time": func() error {
		b := pipeline.New[item, item]("p").Stage(to[item, item]("a"))
		var err error
		for range 2 {
			if _, err = b.Build(); err != nil {
				return err
			}
			b = pipeline.New[item, item]("q")
			b.Stage(to[item, item]("a"))
		}
		return err
	},
	"name set twice": func() error {
		s := to[item, item]("a")
		b := pipeline.New[item, item]("p").Stage(s)
		s = to[item, item]("b")
		_, err := b.Stage(s).Build()
		return err
	},
	"half evaluated": func() error {
		b := pipeline.New[item, item]("p").Stage(to[item, item]("a"))
		_ = maybe(false) && b.Stage(to[item, int]("b")) != nil
		_, err := b.Build()
		return err
	},
	"nil, replaced": func() error {
		s := to[item, item]("a").Retry(2).RetryIf(nil).PermanentIf(nil)
		s = s.RetryIf(func(error) bool { return true })
		_, err := pipeline.New[item, item]("p").
			Stage(s.PermanentIf(func(error) bool { return true })).
			Stage(pipeline.Pure("b", func(i item) item { return i }).Retry(2).RetryIf(nil).RetryIf(func(error) bool { return true })).
			Build()
		return err
	},
	"replaced Otherwise": func() error {
		s := pipeline.Switch("kind", func(i item) string { return i.Name }, pipeline.On("a", to[item, item]("x")))
		_, err := pipeline.New[item, item]("p").
			Stage(s.Otherwise(pipeline.Map[item, item]("nil", nil)).Otherwise(to[item, item]("y"))).
			Stage(pipeline.Switch("other", func(i item) string { return i.Name }, pipeline.On("a", to[item, item]("x")), pipeline.On("b", to[item, item]("y"))).
				Otherwise(nil).Otherwise(to[item, item]("z"))).
			Build()
		return err
	},
	"keys that only look alike": func() error {
		same := to[item, item]("same")
		_, err := pipeline.New[item, item]("p").
			Stage(pipeline.Switch("any", func(item) any { return nil },
				pipeline.On[any](1, same), pipeline.On[any](int8(1), same), pipeline.On[any]("1", same), pipeline.On[any](weekday(1), same))).
			Build()
		return err
	},
	"passed to functions": func() error {
		b := pipeline.New[item, order]("p")
		extend(b)
		b = extended(b.Stage(to[string, int]("between")))
		_, err := b.Build()
		return err
	},
	"in a struct": func() error {
		x := struct {
			b *pipeline.Builder[item, order]
		}{pipeline.New[item, order]("p").Stage(to[item, string]("a"))}
		middle(x.b)
		x.b.Stage(to[int, order]("c"))
		_, err := x.b.Build()
		return err
	},
	"in a loop": func() error {
		var last error
		for i, name := range []string{"one", "two"} {
			b := pipeline.New[item, item](name)
			for range i + 1 {
				b.Stage(to[item, item](maybe("a") + string(rune('a'+i))))
				if i == 1 {
					b = pipeline.New[item, item](name)
					b.Stage(to[item, item]("b"))
				}
			}
			_, err := b.Build()
			last = errors.Join(last, err)
		}
		return last
	},
	"in maps and channels": func() error {
		all := map[string]*pipeline.Builder[item, order]{"p": pipeline.New[item, order]("p").Stage(to[item, string]("a"))}
		middle(all["p"])
		ch := make(chan *pipeline.Builder[item, order], 1)
		ch <- all["p"]
		_, err := (<-ch).Stage(to[int, order]("c")).Build()
		return err
	},
	"returned": func() error {
		make2 := func() (*pipeline.Builder[item, order], string) { return begun(), "p" }
		b, _ := make2()
		middle(b)
		_, err := b.Stage(to[int, order]("c")).Build()
		return err
	},
	"built before": func() error {
		b := pipeline.New[item, item]("p").Stage(to[item, item]("a"))
		p := b.MustBuild()
		b.Stage(to[item, item]("b"))
		_, err := pipeline.New[item, item]("q").Stage(p).Stage(to[item, item]("a")).Build()
		return err
	},
}

type weekday int

func (weekday) String() string { return "1" }

func begun() *pipeline.Builder[item, order] {
	return pipeline.New[item, order]("p").Stage(to[item, string]("a"))
}

func middle(b *pipeline.Builder[item, order]) { b.Stage(to[string, int]("middle")) }

func extend[In, Out any](b *pipeline.Builder[In, Out]) { b.Stage(to[In, string]("first")) }

func extended[In, Out any](b *pipeline.Builder[In, Out]) *pipeline.Builder[In, Out] {
	return b.Stage(to[int, Out]("last"))
}

func generic[T, U any, V any](s *pipeline.Step[T, U]) error {
	_, err := pipeline.New[T, box[[]U]]("p").
		Stage(s).
		Stage(to[T, struct{ f func(T) V }]("a")).
		Stage(to[struct{ f func(U) item }, []V]("b")).
		Stage(to[[]item, box[[]T]]("c")).
		Build()
	return err
}

func between(b *pipeline.Builder[item, order]) *pipeline.Step[int, order] {
	b.Stage(to[string, int]("between"))
	return to[int, order]("b")
}

func named() (b *pipeline.Builder[item, order]) {
	b = pipeline.New[item, order]("p")
	b.Stage(to[item, string]("a"))
	return
}

func swap(a, b **pipeline.Builder[item, order]) { *a, *b = *b, *a }

// --- nothing is certain of these ---

func kept(b *pipeline.Builder[item, item]) {
	x := struct{ b *pipeline.Builder[item, item] }{pipeline.New[item, item]("kept")}
	x.b.Stage(to[item, item]("a"))
	_ = pipeline.New[item, item]("discarded-on-purpose")
	add := b.Stage
	add(to[int, int]("b"))
	(*pipeline.Builder[item, item]).Stage(b, to[int, int]("c"))
	b.Stage(to[item, int]("d"))
	b.Stage(to[item, item]("e")) // others may have added one in between
}

var _ = kept

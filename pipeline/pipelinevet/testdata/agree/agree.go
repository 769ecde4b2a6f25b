// Package agree holds pipelines that cannot be built, and of which the analyzer says exactly what Build says.
package agree

import (
	"context"
	"errors"
	htmltemplate "html/template"
	"text/template"

	"github.com/plba/plba/pipeline"
)

type (
	mail   struct{ body string }
	item   struct{ Name string }
	order  struct{ Items []item }
	items  []item
	id     int
	status interface{ State() string }

	box[T any] struct{ v T }
)

func (order) State() string { return "new" }

var (
	parse   = pipeline.Map("parse", func(context.Context, mail) ([]item, error) { return nil, nil })
	check   = pipeline.Map("check", func(context.Context, item) (item, error) { return item{}, nil })
	collect = pipeline.Map("collect", func(context.Context, []item) (order, error) { return order{}, nil })
	store   = pipeline.Sink("store", func(context.Context, order) error { return nil })
	sub     = pipeline.New[item, item]("sub").Stage(check).MustBuild()
)

// embedded is a stage in an author's own type.
type embedded struct {
	n int
	*pipeline.Step[item, order]
}

func to[In, Out any](name string) *pipeline.Step[In, Out] {
	return pipeline.Pure(name, func(In) (out Out) { return out })
}

// Cases build their pipelines.
var Cases = map[string]func() error{
	"seams": func() error {
		_, err := pipeline.New[mail, pipeline.Done]("orders").
			Stage(parse).
			Stage(check).
			Stage(collect.Retry(2).Timeout(1)).
			Stage(store).
			Build()
		return err
	},
	"end": func() error {
		_, err := pipeline.New[mail, pipeline.Done]("orders").Stage(parse).
			Stage(collect).
			Build()
		return err
	},
	"end with a sink": func() error {
		_, err := pipeline.New[order, order]("orders").Stage(store).Build()
		return err
	},
	"sink in the middle": func() error {
		_, err := pipeline.New[order, pipeline.Done]("orders").
			Stage(store).
			Stage(pipeline.Sink("again", func(context.Context, order) error { return nil })).
			Build()
		return err
	},
	"pointers, conversions, interfaces": func() error {
		_, err := pipeline.New[*order, status]("orders").
			Stage(store).
			Stage(pipeline.Pure("done", func(pipeline.Done) id { return 1 })).
			Stage(pipeline.Pure("number", func(v int) *order { return nil })).
			Stage(pipeline.Pure("state", func(v any) order { return order{} })).
			Build()
		return err
	},
	"named slices": func() error {
		_, err := pipeline.New[items, items]("orders").
			Stage(pipeline.Pure("one", func(item) []item { return nil })).
			Build()
		return err
	},
	"same name of type": func() error {
		_, err := pipeline.New[*template.Template, []*template.Template]("pages").
			Stage(pipeline.Pure("page", func(t *htmltemplate.Template) []*htmltemplate.Template { return nil })).
			Build()
		return err
	},
	"type arguments": func() error {
		_, err := pipeline.New[box[int], box[box[item]]]("boxes").
			Stage(to[box[int], box[string]]("a")).
			Stage(to[box[int], box[box[id]]]("b")).
			Build()
		return err
	},
	"nothing": func() error {
		_, err := pipeline.New[mail, order]("").Build()
		return err
	},
	"names": func() error {
		const slash = "a/" + "b"
		_, err := pipeline.New[int, int]("My Pipeline").
			Stage(pipeline.Pure("number", func(v int) int { return v })).
			Stage(pipeline.Pure("number", func(v int) int { return v })).
			Stage(pipeline.Pure(slash, func(v int) int { return v })).
			Build()
		return err
	},
	"nil stages": func() error {
		_, err := pipeline.New[int, string]("p").
			Stage(nil).
			Stage(pipeline.Map[int, int]("inside", nil)).
			Build()
		return err
	},
	"nil functions": func() error {
		_, err := pipeline.New[int, pipeline.Done]("p").
			Stage(pipeline.Map[int, int]("map", nil)).
			Stage(pipeline.Pure[int, int]("pure", nil).Retry(3)).
			Stage(pipeline.Tap[int]("tap", nil)).
			Stage(pipeline.Filter[int]("filter", nil)).
			Stage(pipeline.Sink[int]("sink", nil)).
			Build()
		return err
	},
	"nil functions of policies": func() error {
		same := func(o order) order { return o }
		b := pipeline.New[order, order]("p").Describe("all of them").Use()
		b = b.Stage(pipeline.Pure("a", same).Fallback(nil)).Describe("still the same")
		b.Stage(pipeline.Pure("b", same).Retry(2).RetryIf(nil).PermanentIf(nil)).
			Use(func(ctx context.Context, _ pipeline.StageInfo, next func(context.Context) error) error {
				return next(ctx)
			}).
			Stage(pipeline.Pure("c", same).Compensate(nil).Trace(nil).Retry(2)).
			Stage(pipeline.Batch[order, order]("d", 2, 1, nil)).
			Stage(pipeline.Pure("e", func(item) order { return order{} }))
		_, err := b.Build()
		return err
	},
	"fan-outs": func() error {
		_, err := pipeline.New[[]item, [][]order]("p").
			Stage(pipeline.Each("a", parse)).
			Stage(pipeline.Each("b", check).KeyedBy(nil)).
			Stage(pipeline.Each("c", pipeline.Each("Inside", pipeline.Pure[item, item]("nil", nil))).Retry(2)).
			Stage(pipeline.Each("d", pipeline.Each("e", embedded{1, to[item, order]("inside")}))).
			Build()
		return err
	},
	"parts of branches": func() error {
		keep := func(_ context.Context, o order, _, _ order) (order, error) { return o, nil }
		same := func(o order) order { return o }
		broken := pipeline.Map[order, order]("broken", nil)
		_, err := pipeline.New[order, item]("p").
			Stage(pipeline.Both("a", broken, pipeline.Pure("Fine?", same), keep)).
			Stage(pipeline.Both[order, order, order, order]("b", nil, to[order, order]("x"), nil)).
			Stage(pipeline.Both("c", pipeline.Pure("x", same), pipeline.Pure("x", same), keep).Retry(2)).
			Stage(pipeline.All3("d", to[order, int]("x"), broken, to[order, int]("z"),
				func(context.Context, order, int, order, int) (order, error) { return order{}, nil })).
			Stage(pipeline.All4[order, int, int, int, int, order]("e", to[order, int]("w"), to[order, int]("x"), nil, to[order, int]("z"), nil)).
			Build()
		return err
	},
	"parts of a switch": func() error {
		size := func(o order) string { return "" }
		broken := pipeline.On("inside", pipeline.Map[order, order]("broken", nil))
		_, err := pipeline.New[order, item]("p").
			Stage(pipeline.Switch("a", size, pipeline.On("x", to[order, order]("ok")), pipeline.On("y", pipeline.Tap[order]("Tap", nil)))).
			Stage(pipeline.Switch("b", size, broken, pipeline.On("x", pipeline.Sub[order, order](nil).Retry(2)))).
			Stage(pipeline.Switch("c", size, pipeline.On("x", to[order, order]("ok"))).Otherwise(pipeline.Filter[order]("none", nil)).Retry(2)).
			Stage(pipeline.Switch[string, order, order]("d", nil)).
			Stage(pipeline.Switch("e", size, pipeline.On[string, order, order]("x", nil), pipeline.On("x", to[order, order]("f"))).Otherwise(nil)).
			Stage(pipeline.Switch("f", func(order) bool { return true }, pipeline.On(true, to[order, order]("ok")), pipeline.On(true, to[order, order]("again")))).
			Build()
		return err
	},
	"rejected paths and batches": func() error {
		none := func(context.Context, order) error { return nil }
		_, err := pipeline.New[item, item]("p").
			Stage(pipeline.Validate("a", none, pipeline.Sink[pipeline.Rejected[order]]("answer", nil))).
			Stage(pipeline.Validate("b", none, nil)).
			Stage(pipeline.Validate[order]("c", nil, pipeline.Sink("answer", func(context.Context, pipeline.Rejected[order]) error { return nil }))).
			Stage(pipeline.Batch("Batch", 10, 1, func(context.Context, []order) ([]int, error) { return nil, nil })).
			Stage(pipeline.Batch("d", 10, 1, func(context.Context, []order) ([]item, error) { return nil, nil })).
			Stage(pipeline.Sub[item, order](nil)).
			Build()
		return err
	},
	"nested builders": func() error {
		inside := pipeline.New[item, order]("inside").Stage(to[item, item]("a"))
		_, early := inside.Build()
		_, nested := pipeline.New[item, order]("nested").Stage(to[int, order]("b")).Build()
		_, err := pipeline.New[item, item]("p").
			Stage(pipeline.Both("both", check, pipeline.New[item, item]("fine").Stage(check).MustBuild(),
				func(_ context.Context, i, _, _ item) (item, error) { return i, nil })).
			Stage(pipeline.Each("each", pipeline.Switch("kind", func(i item) string { return i.Name }, pipeline.On("a", pipeline.Map[item, order]("No function", nil)))).Retry(2)).
			Build()
		return errors.Join(early, nested, err)
	},
	"stages of every form": func() error {
		var asInterface pipeline.Stage[order, item]
		asInterface = to[order, item]("interface")
		fields := struct{ step *pipeline.Step[[]item, item] }{to[[]item, item]("field")}
		_, err := pipeline.New[mail, []item]("forms").
			Stage(sub).
			Stage(embedded{1, to[item, order]("embedded")}).
			Stage(pipeline.Sub(sub).Retry(2)).
			Stage(asInterface).
			Stage(fields.step).
			Build()
		return err
	},
	"variables": func() error {
		b := pipeline.New[mail, order]("p")
		first := b.Stage(parse)
		b = b.Stage(check)
		_, early := b.Build()
		first.Stage(collect)
		var again = b
		again.Stage(check)
		_, err := again.Build()
		return errors.Join(early, err)
	},
	"names of pipelines": func() error {
		b := pipeline.New[item, item]("twice").Stage(check)
		p, err := b.Build()
		_, err = pipeline.New[item, item]("p").Stage(p).
			Stage(pipeline.Sub(b.Stage(sub).MustBuild()).Retry(2)).
			Stage(sub).
			Stage(sub).
			Build()
		return err
	},
	"in conditions": func() error {
		b := pipeline.New[mail, order]("p").Stage(parse)
		if _, err := b.Build(); err != nil {
			b.Stage(check)
			return errors.Join(err, second(b.Build()))
		}
		return nil
	},
}

func second[T any](_ T, err error) error { return err }

package pipeline_test

import (
	"context"
	htmltemplate "html/template"
	"math"
	"text/template"
	"time"

	"github.com/plba/plba/pipeline"
)

type (
	mail  struct{ body string }
	item  struct{ name string }
	order struct{ items []item }
	id    int
)

// faultyBuilds are pipelines that cannot be built. The golden files hold the lines of this file: add new ones at the end.
func faultyBuilds() map[string]func() error {
	parse := pipeline.Map("parse", func(context.Context, mail) ([]item, error) { return nil, nil })
	check := pipeline.Map("check", func(context.Context, item) (item, error) { return item{}, nil })
	collect := pipeline.Map("collect", func(context.Context, []item) (order, error) { return order{}, nil })
	store := pipeline.Sink("store", func(context.Context, order) error { return nil })
	number := pipeline.Map("number", func(_ context.Context, v int) (int, error) { return v, nil })
	fallback := func(int) time.Duration { return 0 }

	return map[string]func() error{
		"seams": func() error {
			_, err := pipeline.New[mail, pipeline.Done]("orders").
				Stage(parse).
				Stage(check).
				Stage(collect).
				Stage(store).
				Build()
			return err
		},
		"end": func() error {
			_, err := pipeline.New[mail, pipeline.Done]("orders").
				Stage(parse).
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
		"pointers and conversions": func() error {
			_, err := pipeline.New[*order, any]("orders").
				Stage(store).
				Stage(pipeline.Pure("done", func(pipeline.Done) id { return 1 })).
				Stage(number).
				Build()
			return err
		},
		"same name of type": func() error {
			_, err := pipeline.New[*template.Template, []*template.Template]("pages").
				Stage(pipeline.Pure("page", func(t *htmltemplate.Template) []*htmltemplate.Template { return nil })).
				Build()
			return err
		},
		"several at once": func() error {
			_, err := pipeline.New[item, order]("orders").Stage(collect).Build()
			return err
		},
		"nothing": func() error {
			_, err := pipeline.New[mail, order]("").Build()
			return err
		},
		"names": func() error {
			_, err := pipeline.New[int, int]("My Pipeline").
				Stage(number).
				Stage(number).
				Stage(pipeline.Pure("a/b", func(v int) int { return v })).
				Build()
			return err
		},
		"nil": func() error {
			var none *pipeline.Step[int, int]
			var noEach *pipeline.EachStep[int, int]
			var noPipeline *pipeline.Pipeline[int, int]
			_, err := pipeline.New[int, int]("p").
				Stage(nil).
				Stage(none).
				Stage(noEach).
				Stage(noPipeline).
				Stage(&pipeline.Step[int, int]{}).
				Stage(&pipeline.EachStep[int, int]{}).
				Stage(&pipeline.Pipeline[int, int]{}).
				Stage(pipeline.Sub(noPipeline)).
				Build()
			return err
		},
		"nil functions": func() error {
			_, err := pipeline.New[int, pipeline.Done]("p").
				Stage(pipeline.Map[int, int]("map", nil)).
				Stage(pipeline.Pure[int, int]("pure", nil)).
				Stage(pipeline.Tap[int]("tap", nil)).
				Stage(pipeline.Filter[int]("filter", nil)).
				Stage(pipeline.Sink[int]("sink", nil)).
				Build()
			return err
		},
		"settings": func() error {
			_, err := pipeline.New[int, int]("p").
				Stage(pipeline.Pure("a", func(v int) int { return v }).Retry(0)).
				Stage(pipeline.Pure("b", func(v int) int { return v }).Retry(-1, nil).Timeout(0)).
				Stage(pipeline.Pure("c", func(v int) int { return v }).Retry(2, fallback, fallback).Timeout(-time.Second)).
				Build()
			return err
		},
		"each": func() error {
			var noStep *pipeline.Step[int, int]
			_, err := pipeline.New[[]int, []int]("p").
				Stage(pipeline.Each("a", number, pipeline.AtOnce(0), nil)).
				Stage(pipeline.Each("b", number).KeyedBy(nil).Retry(0)).
				Stage(pipeline.Each[int, int]("c", nil)).
				Stage(pipeline.Each("d", noStep)).
				Stage(pipeline.Each("e", pipeline.Map[int, int]("inside", nil).Timeout(-1))).
				Build()
			return err
		},
		"nil in the middle": func() error {
			_, err := pipeline.New[mail, int]("p").
				Stage(parse).
				Stage(nil).
				Stage(number).
				Build()
			return err
		},
		"policies": func() error {
			a := pipeline.Pure("a", func(v int) int { return v })
			yes := func(error) bool { return true }
			_, err := pipeline.New[int, int]("p").
				Stage(a.Limit(0)).
				Stage(pipeline.Sub(pipeline.New[int, int]("b").Stage(a).MustBuild()).Rate(0, 0).Rate(math.NaN(), 1)).
				Stage(pipeline.Pure("c", func(v int) int { return v }).Rate(math.Inf(1), -1).Fallback(nil)).
				Stage(pipeline.Pure("d", func(v int) int { return v }).Breaker(0, 0, nil)).
				Stage(pipeline.Pure("e", func(v int) int { return v }).Breaker(5, time.Second, pipeline.OutOf(4))).
				Stage(pipeline.Pure("f", func(v int) int { return v }).Breaker(5, time.Second, pipeline.OutOf(1_000_000))).
				Stage(pipeline.Pure("g", func(v int) int { return v }).RetryIf(yes)).
				Stage(pipeline.Pure("h", func(v int) int { return v }).Retry(2).RetryIf(nil).PermanentIf(nil).Trace(nil)).
				Build()
			return err
		},
		"validate": func() error {
			var none *pipeline.Step[pipeline.Rejected[int], pipeline.Done]
			_, err := pipeline.New[int, int]("p").
				Stage(pipeline.Validate[int]("a", nil, nil)).
				Stage(pipeline.Validate("b", func(context.Context, int) error { return nil }, none)).
				Stage(pipeline.Validate("c", func(context.Context, int) error { return nil }, pipeline.Sink[pipeline.Rejected[int]]("inside", nil).Retry(0))).
				Build()
			return err
		},
		"switch": func() error {
			var none *pipeline.Step[int, int]
			itself := func(v int) int { return v }
			_, err := pipeline.New[int, int]("p").
				Stage(pipeline.Switch[int, int, int]("a", nil)).
				Stage(pipeline.Switch("b", itself, pipeline.On(1, number), pipeline.On(1, number), pipeline.On[int, int, int](2, nil), pipeline.On(3, none))).
				Stage(pipeline.Switch("c", itself, pipeline.Case[int, int, int]{}).Otherwise(nil)).
				Stage(pipeline.Switch("d", itself, pipeline.On(1, number)).Otherwise(pipeline.Pure("number", itself)).Limit(-1)).
				Stage(pipeline.Switch("e", func(v int) any { return v }, pipeline.On[any]([]int{1}, number))).
				Stage(pipeline.Switch("f", func(v int) float64 { return 0 }, pipeline.On(math.NaN(), number))).
				Build()
			return err
		},
		"branches": func() error {
			var none *pipeline.Step[int, int]
			merge := func(context.Context, int, int, int) (int, error) { return 0, nil }
			_, err := pipeline.New[int, int]("p").
				Stage(pipeline.Both("a", number, none, merge)).
				Stage(pipeline.Both("b", number, number, merge)).
				Stage(pipeline.All3[int, int, int, int, int]("c", nil, number, number.Retry(0), nil)).
				Stage(pipeline.All4[int, int, int, int, int, int]("d", nil, nil, nil, nil, nil)).
				Build()
			return err
		},
		"middleware": func() error {
			_, err := pipeline.New[int, int]("p").
				Use(func(ctx context.Context, _ pipeline.StageInfo, next func(context.Context) error) error {
					return next(ctx)
				}, nil).
				Stage(number).
				Build()
			return err
		},
	}
}

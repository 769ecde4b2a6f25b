package pipeline_test

import (
	"context"
	htmltemplate "html/template"
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
	}
}

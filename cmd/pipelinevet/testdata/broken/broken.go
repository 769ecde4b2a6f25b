// Package broken registers a pipeline that cannot be built.
package broken

import (
	"context"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
)

type (
	mail       struct{ body string }
	attachment struct{ name string }
	order      struct{ lines []string }
)

func parse(context.Context, mail) ([]attachment, error)    { return nil, nil }
func decode(context.Context, attachment) (order, error)    { return order{}, nil }
func store(context.Context, order) error                   { return nil }
func confirm(_ context.Context, o order) (bool, error)     { return true, nil }
func archived(context.Context, attachment) ([]byte, error) { return nil, nil }

type module struct{}

func (module) Name() string { return "orders" }

func (module) Register(r *plba.Registry) error {
	orders := pipeline.New[mail, pipeline.Done]("orders").
		Stage(pipeline.Map("parse", parse)).
		Stage(pipeline.Map("decode", decode).Retry(3)).
		Stage(pipeline.Tap("store", store)).
		Stage(pipeline.Filter("confirm", confirm))
	plba.Pipeline(r, orders)

	archive := pipeline.New[attachment, any]("archive")
	archive.Stage(pipeline.Map("compress", archived))
	archive.Stage(pipeline.Sink[[]byte]("compress", nil))
	return nil
}

var _ plba.Module = module{}

// Command meters is an application outside the module of PLBA, as its authors write them: a domain package that knows
// nothing of the platform, a module that composes it, and a main. It is built and tested with every change of PLBA, so that
// nothing an application needs can become internal.
package main

import (
	"context"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"

	"example.org/meters/meters"
)

type module struct {
	office *meters.Office // set by Register
}

func (*module) Name() string { return "meters" }

func (m *module) Register(r *plba.Registry) error {
	cfg, err := plba.Section[meters.Config](r, "meters")
	if err != nil {
		return err
	}
	m.office = meters.New(cfg)
	r.Resource("office", m.office.Open, nil, plba.Critical())

	files := plba.Queue(r, "files", queue.Spec[meters.File]{
		Unique: func(f meters.File) string { return f.Name },
	})
	readings := plba.Pipeline(r, pipeline.New[meters.File, pipeline.Done]("readings").
		Stage(pipeline.Map("read", m.office.Read).Retry(3)).
		Stage(pipeline.Each("lines", pipeline.Map("parse", meters.Parse), pipeline.AtOnce(4), pipeline.CollectErrors())).
		Stage(pipeline.Sink("book", m.office.Book)))

	r.Worker(workers.Poll("scan", cfg.Every, func(ctx context.Context) (int, error) {
		return m.office.Scan(ctx, files)
	}))
	r.Worker(workers.Consume("book", files, readings, workers.Concurrency(2)), plba.Critical())
	return nil
}

func main() { plba.Main(&module{}) }

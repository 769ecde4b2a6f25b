// Command quickstart is the smallest application with a queue: a poll finds greetings, a consumer handles them.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/workers"
)

type greeting struct{ Name string }

type module struct{ names []string }

func (*module) Name() string { return "example" }

func (m *module) Register(r *plba.Registry) error {
	incoming := plba.Queue[greeting](r, "incoming")

	hello := plba.Pipeline(r, pipeline.New[greeting, pipeline.Done]("hello").
		Stage(pipeline.Pure("compose", func(g greeting) string { return "hello, " + g.Name })).
		Stage(pipeline.Sink("print", func(_ context.Context, text string) error {
			_, err := fmt.Println(text)
			return err
		})))

	r.Worker(workers.Poll("source", time.Second, func(ctx context.Context) (int, error) {
		if len(m.names) == 0 {
			r.RequestStop("everybody is greeted")
			return 0, nil
		}
		err := incoming.Publish(ctx, greeting{m.names[0]})
		if err == nil {
			m.names = m.names[1:]
		}
		return 1, err
	}))
	r.Worker(workers.Consume("greeter", incoming, hello, workers.Concurrency(3)), plba.Critical())
	return nil
}

func main() {
	plba.Main(&module{names: []string{"world", "queue", "pipeline"}}, plba.WithoutControlListener())
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

// What a stage with a checkpoint gave is kept: the next attempt goes on behind it. Here that is an attempt of a Retry around
// both stages; on a queue also the next attempt at the task, in whichever process.
func ExampleStep_Checkpoint() {
	tries := 0
	bill := pipeline.New[string, string]("bill").
		Stage(pipeline.Map("render", func(_ context.Context, order string) (string, error) {
			fmt.Println("render", order)
			return order + ".pdf", nil
		}).Checkpoint()).
		Stage(pipeline.Map("mail", func(_ context.Context, file string) (string, error) {
			if tries++; tries < 3 {
				fmt.Println("mail", file, "failed")
				return "", errors.New("mail server away")
			}
			return "mailed " + file, nil
		})).
		MustBuild()
	now := func(int) time.Duration { return 0 }

	fmt.Println(pipeline.Sub(bill).Retry(3, now).Run(context.Background(), "order 7"))
	// Output:
	// render order 7
	// mail order 7.pdf failed
	// mail order 7.pdf failed
	// mailed order 7.pdf <nil>
}

// gallery is a module whose stages need very different numbers of goroutines.
type gallery struct {
	photos *queue.Queue[string]
	stored chan string
}

func (*gallery) Name() string { return "gallery" }

func (g *gallery) Register(r *plba.Registry) error {
	g.photos = plba.Queue[string](r, "photos")
	p := plba.Pipeline(r, pipeline.New[string, pipeline.Done]("photos").
		Stage(pipeline.Map("download", func(_ context.Context, name string) ([]byte, error) { return []byte(name), nil })).
		Stage(pipeline.Pure("shrink", func(photo []byte) []byte { return photo[:1] })).
		Stage(pipeline.Sink("store", func(_ context.Context, photo []byte) error {
			g.stored <- string(photo)
			return nil
		})))
	r.Worker(workers.Consume("photos", g.photos, p.Streamed(map[string]int{"download": 2, "shrink": 8}, 4), workers.Concurrency(16)))
	return nil
}

// Two downloads at a time, eight goroutines that shrink, one that stores, and up to four photos waiting in front of each.
func ExamplePipeline_Streamed() {
	g, ctx := &gallery{stored: make(chan string)}, context.Background()
	app, err := plba.New(g, plba.WithoutControlListener(), plba.WithOutput(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := g.photos.PublishAll(ctx, []string{"beach", "city", "alps"}); err != nil {
		fmt.Println(err)
	}
	stored := []string{<-g.stored, <-g.stored, <-g.stored}
	slices.Sort(stored)
	fmt.Println(stored)
	_, err = app.Stop(ctx)
	fmt.Println(errors.Join(err, app.Close(ctx)))
	// Output:
	// [a b c]
	// <nil>
}

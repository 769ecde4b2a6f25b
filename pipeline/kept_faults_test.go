package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/plba/plba/pipeline"
)

// The golden files hold the lines of this file: add new ones at the end.
func TestFaultsOfKeepingAndGathering(t *testing.T) {
	number := pipeline.Pure("number", func(v int) int { return v })
	line := pipeline.New[int, int]("line").Stage(number.Checkpoint()).MustBuild()
	for name, build := range map[string]func() error{
		"kept of unnamed elements": func() error {
			_, err := pipeline.New[[]int, []int]("p").
				Stage(pipeline.Each("a", number.Checkpoint())).
				Stage(pipeline.Each("b", line)).
				Stage(pipeline.Each("c", pipeline.Sub(line).Compensate(func(context.Context, int, int, error) error { return nil }))).
				Stage(pipeline.Each("named", line).KeyedBy(func(int) string { return "x" })).
				Build()
			return err
		},
		"types that cannot be kept": func() error {
			type handle struct{ fd int }
			_, err := pipeline.New[chan int, handle]("p").
				Stage(pipeline.Pure("a", func(chan int) int { return 1 }).Compensate(func(context.Context, chan int, int, error) error { return nil })).
				Stage(pipeline.Pure("b", func(v int) handle { return handle{v} }).Checkpoint()).
				Build()
			return err
		},
		"no compensation": func() error {
			_, err := pipeline.New[int, int]("p").Stage(number.Compensate(nil)).Build()
			return err
		},
		"batches": func() error {
			double := func(_ context.Context, in []int) ([]int, error) { return in, nil }
			_, err := pipeline.New[int, int]("p").
				Stage(pipeline.Batch[int, int]("a", 0, 0, nil)).
				Stage(pipeline.Batch("b", -1, -1, double)).
				Stage(pipeline.Batch("c", 10, 1, double).Limit(9)).
				Build()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := build()
			if err == nil {
				t.Fatal("it was built")
			}
			golden(t, "faults/"+strings.ReplaceAll(name, " ", "-")+".txt", err.Error()+"\n")
		})
	}
}

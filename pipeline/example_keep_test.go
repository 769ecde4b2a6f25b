package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// A run that fails for good undoes what it did, last in first out. On a queue the same happens when the task is given up.
func ExampleStep_Compensate() {
	do := func(what string) *pipeline.Step[string, string] {
		return pipeline.Map(what, func(_ context.Context, order string) (string, error) {
			fmt.Println(what, order)
			return order, nil
		}).Compensate(func(_ context.Context, order, _ string, cause error) error {
			fmt.Println("undo", what, order)
			return nil
		})
	}
	settle := pipeline.New[string, pipeline.Done]("settle").
		Stage(do("reserve")).
		Stage(do("charge")).
		Stage(pipeline.Sink("ship", func(context.Context, string) error {
			return task.Permanent(errors.New("no such address"))
		})).
		MustBuild()

	_, err := settle.Run(context.Background(), "order 7")
	fmt.Println(err)
	// Output:
	// reserve order 7
	// charge order 7
	// undo charge order 7
	// undo reserve order 7
	// settle/ship: no such address
}

// One call for the values of several tasks. Here they come from a fan-out; on a queue from the slots of the worker.
func ExampleBatch() {
	insert := pipeline.Batch("insert", 3, time.Second, func(_ context.Context, rows []string) ([]int, error) {
		ids, failed := make([]int, len(rows)), make(pipeline.ItemErrors, len(rows))
		for i, row := range rows {
			if ids[i] = len(row); row == "" {
				failed[i] = task.Permanent(errors.New("an empty row"))
			}
		}
		fmt.Println("insert", len(rows))
		return ids, failed
	})
	rows := pipeline.New[string, []int]("rows").
		Stage(pipeline.Pure("split", func(text string) []string { return strings.Split(text, ",") })).
		Stage(pipeline.Each("each", insert)).
		MustBuild()

	ids, err := rows.Run(context.Background(), "a,bb,ccc")
	fmt.Println(ids, err)
	// Output:
	// insert 3
	// [1 2 3] <nil>
}

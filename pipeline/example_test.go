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

type line struct {
	article string
	count   int
}

func parseLines(_ context.Context, text string) ([]string, error) {
	return strings.Split(text, ";"), nil
}

func parseLine(_ context.Context, text string) (line, error) {
	var l line
	if _, err := fmt.Sscanf(text, "%s %d", &l.article, &l.count); err != nil {
		return line{}, task.Permanent(fmt.Errorf("%q is not an order line", text))
	}
	return l, nil
}

func inStock(_ context.Context, l line) (bool, error) { return l.article != "umbrella", nil }

// An order in one line of text becomes order lines; articles that are not in stock are left out.
func Example() {
	orderLine := pipeline.New[string, line]("order-line").
		Stage(pipeline.Map("parse", parseLine)).
		Stage(pipeline.Filter("in-stock", inStock)).
		MustBuild()

	orders := pipeline.New[string, pipeline.Done]("orders").
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Each("lines", orderLine, pipeline.AtOnce(4))).
		Stage(pipeline.Sink("store", func(_ context.Context, lines []line) error {
			fmt.Println("stored", lines)
			return nil
		}).Retry(3).Timeout(5 * time.Second)).
		MustBuild()

	ctx := context.Background()
	fmt.Println(orders.Handle(ctx, "hat 2;umbrella 1;scarf 5"))

	err := orders.Handle(ctx, "hat 2;scarf")
	fmt.Println(err)
	fmt.Println(task.Classify(err))
	// Output:
	// stored [{hat 2} {scarf 5}]
	// <nil>
	// orders/lines/1/order-line/parse: "scarf" is not an order line
	// dead 0s
}

// Build reports everything that is wrong at once.
func ExampleBuilder_Build() {
	_, err := pipeline.New[string, pipeline.Done]("orders").
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Map("parse", parseLine).Retry(0)).
		Build()
	var build *pipeline.BuildError
	if errors.As(err, &build) {
		for _, f := range build.Faults {
			fmt.Println(f.Problem)
			if f.Hint != "" {
				fmt.Println("  hint:", f.Hint)
			}
		}
	}
	// Output:
	// stage 2 "parse": Retry(0): there must be at least 1 attempt
	// stage 2 "parse" takes string, but stage 1 "split" (pipeline/example_test.go:65) gives []string
	//   hint: it takes one at a time; wrap it: pipeline.Each(name, stage)
	// the pipeline must end in pipeline.Done, but stage 2 "parse" (pipeline/example_test.go:66) gives pipeline_test.line
	//   hint: end with a pipeline.Sink, or declare New[..., pipeline_test.line]
}

// A stage can be tested alone, with its policies.
func ExampleStep_Run() {
	attempts := 0
	load := pipeline.Map("load", func(context.Context, string) (string, error) {
		if attempts++; attempts < 3 {
			return "", errors.New("connection refused")
		}
		return "mail", nil
	}).Retry(3, func(int) time.Duration { return 0 })

	text, err := load.Run(context.Background(), "inbox/7")
	fmt.Println(text, err, "after", attempts, "attempts")
	// Output: mail <nil> after 3 attempts
}

// Every stage and every element has an idempotency key, the same on each attempt of the task.
func ExampleEachStep_KeyedBy() {
	send := pipeline.Tap("send", func(ctx context.Context, to string) error {
		fmt.Println(task.Key(ctx))
		return nil
	})
	replies := pipeline.New[[]string, []string]("replies").
		Stage(pipeline.Each("each", send, pipeline.AtOnce(1)).KeyedBy(strings.ToLower)).
		MustBuild()

	ctx := task.With(context.Background(), task.Info{ID: "task-1"}, nil, nil)
	_, _ = replies.Run(ctx, []string{"Ada", "Grace"})
	// Output:
	// task-1/replies/each/ada/send
	// task-1/replies/each/grace/send
}

func ExampleGraph_Mermaid() {
	p := pipeline.New[string, []line]("orders").
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Each("lines", pipeline.Map("parse", parseLine).Timeout(time.Second))).
		MustBuild()
	fmt.Print(p.Graph().Mermaid())
	// Output:
	// flowchart TD
	//   input(["string"])
	//   subgraph n0["orders, pipeline"]
	//     n1["split<br/>map"]
	//     subgraph n2["lines, each, at once 8"]
	//       n3["parse<br/>map<br/>timeout 1s"]
	//     end
	//   end
	//   output(["[]pipeline_test.line"])
	//   input --> n1
	//   n2 --> output
	//   n1 -->|"[]string"| n2
}

// A dropped value ends the run early; the direct caller of Run sees the drop, a worker acknowledges the task.
func ExamplePipeline_Run_drop() {
	p := pipeline.New[int, int]("numbers").
		Stage(pipeline.Filter("even", func(_ context.Context, n int) (bool, error) { return n%2 == 0, nil })).
		MustBuild()
	for n := range 2 {
		got, err := p.Run(context.Background(), n)
		outcome, _ := task.Classify(err)
		fmt.Println(got, outcome, err)
	}
	// Output:
	// 0 done <nil>
	// 0 dropped numbers/even: dropped: filtered by even
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

var errBank = errors.New("bank: connection refused")

// The last known price stands in for one that cannot be asked for.
func ExampleStep_Fallback() {
	price := pipeline.Map("price", func(context.Context, string) (int, error) { return 0, errBank }).
		Fallback(func(_ context.Context, article string, err error) (int, error) {
			fmt.Println("no price of", article, "because of", err)
			return 250, nil
		})
	fmt.Println(price.Run(context.Background(), "hat"))
	// Output:
	// no price of hat because of bank: connection refused
	// 250 <nil>
}

// After two failures in a row the bank is left alone; tasks come back from the queue when it may be asked again.
func ExampleStep_Breaker() {
	calls := 0
	pay := pipeline.Map("pay", func(context.Context, int) (string, error) { calls++; return "", errBank }).
		Breaker(2, 30*time.Second)
	for range 4 {
		_, err := pay.Run(context.Background(), 100)
		var open *pipeline.BreakerOpenError
		outcome, wait := task.Classify(err)
		fmt.Println(errors.As(err, &open), outcome, wait >= 30*time.Second)
	}
	fmt.Println(calls, "calls")
	// Output:
	// false retry false
	// false retry false
	// true retry true
	// true retry true
	// 2 calls
}

// At most 20 calls a second, at most 4 at once, whatever the worker's concurrency.
func ExampleStep_Rate() {
	fetch := pipeline.Map("fetch", func(context.Context, string) (string, error) { return "statement", nil }).
		Rate(20, 5).Limit(4).Timeout(10 * time.Second).Retry(3)
	p := pipeline.New[string, string]("reconcile").Stage(fetch).MustBuild()
	n, _ := p.Graph().Find("reconcile/fetch")
	fmt.Println(n.Policies["rate"], "|", n.Policies["limit"], "|", n.Policies["timeout"], "|", n.Policies["retry"])
	// Output: 20/s, burst 5 | 4 | 10s | 3
}

// Errors of the domain say what may pass and what cannot.
func ExampleStep_PermanentIf() {
	errUnknown := errors.New("unknown article")
	look := pipeline.Map("look-up", func(context.Context, string) (int, error) { return 0, errUnknown }).
		Retry(5).
		PermanentIf(func(err error) bool { return errors.Is(err, errUnknown) })
	_, err := look.Run(context.Background(), "hta")
	outcome, _ := task.Classify(err)
	fmt.Println(outcome, err)
	// Output: dead look-up: unknown article
}

// A middleware goes around every stage of a pipeline.
func ExampleBuilder_Use() {
	audit := func(ctx context.Context, stage pipeline.StageInfo, next func(context.Context) error) error {
		err := next(ctx)
		fmt.Println(task.Key(ctx), stage.Kind, err)
		return err
	}
	p := pipeline.New[string, pipeline.Done]("orders").
		Use(audit).
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Each("lines", pipeline.Map("parse", parseLine), pipeline.AtOnce(1))).
		Stage(pipeline.Sink("store", func(context.Context, []line) error { return nil })).
		MustBuild()
	_ = p.Handle(context.Background(), "hat 2;scarf 5")
	// Output:
	// orders/split map <nil>
	// orders/lines/0/parse map <nil>
	// orders/lines/1/parse map <nil>
	// orders/lines each <nil>
	// orders/store sink <nil>
}

func ExamplePipeline_Counters() {
	p := pipeline.New[string, []line]("orders").
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Each("lines", pipeline.Filter("wanted", func(_ context.Context, s string) (bool, error) { return s != "", nil }), pipeline.AtOnce(1))).
		Stage(pipeline.Each("parsed", pipeline.Map("parse", parseLine), pipeline.AtOnce(1))).
		MustBuild()
	_, _ = p.Run(context.Background(), "hat 2;;scarf 5")
	_, _ = p.Run(context.Background(), "hat")
	all := p.Counters()
	for _, n := range p.Graph().Nodes {
		c := all[n.ID]
		fmt.Printf("%s: done %d, failed %d, dropped %d\n", n.ID, c.Done, c.Failed, c.Dropped)
	}
	// Output:
	// orders: done 1, failed 1, dropped 0
	// orders/split: done 2, failed 0, dropped 0
	// orders/lines: done 2, failed 0, dropped 0
	// orders/lines/wanted: done 3, failed 0, dropped 1
	// orders/parsed: done 1, failed 1, dropped 0
	// orders/parsed/parse: done 2, failed 1, dropped 0
}

// A test puts a fake in the place of a stage, and collects what it would send.
func ExamplePipeline_Replace() {
	send := pipeline.Sink("send", func(context.Context, []line) error { return errBank })
	orders := pipeline.New[string, pipeline.Done]("orders").
		Stage(pipeline.Map("split", parseLines)).
		Stage(pipeline.Each("lines", pipeline.Map("parse", parseLine))).
		Stage(send.Retry(5)).
		MustBuild()

	var sent pipeline.Collected[[]line]
	test, err := orders.Replace("orders/send", sent.Sink("fake"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(test.Handle(context.Background(), "hat 2;scarf 5"))
	fmt.Println(sent.Values())

	_, err = orders.Replace("orders/lines/parse", pipeline.Pure("fake", func(s string) string { return s }))
	var build *pipeline.BuildError
	if errors.As(err, &build) {
		fmt.Println(build.Faults[0].Problem)
	}
	// Output:
	// <nil>
	// [[{hat 2} {scarf 5}]]
	// "orders/lines/parse" takes string and gives pipeline_test.line, but "fake" takes string and gives string
}

// Drops also shows what a fan-out leaves out without a word.
func ExampleDrops() {
	lines := pipeline.Each("lines", pipeline.Filter("in-stock", inStock), pipeline.AtOnce(1))
	var drops pipeline.Drops
	kept, _ := lines.Run(drops.Watch(context.Background()), []line{{"hat", 2}, {"umbrella", 1}})
	fmt.Println(kept)
	for _, d := range drops.All() {
		fmt.Println(d.Path, d.Reason)
	}
	// Output:
	// [{hat 2}]
	// lines/1/in-stock dropped: filtered by in-stock
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

type purchase struct {
	customer string
	cents    int
}

func ExampleMap() {
	parse := pipeline.Map("parse", parseLine)
	l, err := parse.Run(context.Background(), "hat 2")
	fmt.Println(l, err)
	_, err = parse.Run(context.Background(), "hat")
	fmt.Println(err)
	// Output:
	// {hat 2} <nil>
	// parse: "hat" is not an order line
}

func ExamplePure() {
	upper := pipeline.Pure("upper", strings.ToUpper)
	fmt.Println(upper.Run(context.Background(), "hat"))
	// Output: HAT <nil>
}

func ExampleTap() {
	log := pipeline.Tap("log", func(_ context.Context, p purchase) error {
		fmt.Println("from", p.customer)
		return nil
	})
	fmt.Println(log.Run(context.Background(), purchase{"ada", 500}))
	// Output:
	// from ada
	// {ada 500} <nil>
}

func ExampleFilter() {
	large := pipeline.Filter("large", func(_ context.Context, p purchase) (bool, error) { return p.cents >= 100, nil })
	_, err := large.Run(context.Background(), purchase{"ada", 5})
	outcome, _ := task.Classify(err)
	fmt.Println(outcome, err)
	// Output: dropped large: dropped: filtered by large
}

func ExampleSink() {
	print := pipeline.Sink("print", func(_ context.Context, p purchase) error {
		fmt.Println(p.customer, p.cents)
		return nil
	})
	_, _ = print.Run(context.Background(), purchase{"ada", 500})
	// Output: ada 500
}

// A refused value goes down the rejected path, and the run ends there: on a queue the task is finished.
func ExampleValidate() {
	check := func(_ context.Context, p purchase) error {
		if p.cents <= 0 {
			return fmt.Errorf("nothing to pay")
		}
		return nil
	}
	answer := pipeline.Sink("answer", func(_ context.Context, r pipeline.Rejected[purchase]) error {
		fmt.Printf("dear %s: %v\n", r.Value.customer, r.Reason)
		return nil
	})
	orders := pipeline.New[purchase, pipeline.Done]("orders").
		Stage(pipeline.Validate("check", check, answer)).
		Stage(pipeline.Sink("store", func(_ context.Context, p purchase) error { fmt.Println("stored", p); return nil })).
		MustBuild()

	fmt.Println(orders.Handle(context.Background(), purchase{"ada", 500}))
	err := orders.Handle(context.Background(), purchase{"bob", 0})
	outcome, _ := task.Classify(err)
	fmt.Println(outcome, err)
	// Output:
	// stored {ada 500}
	// <nil>
	// dear bob: nothing to pay
	// dropped orders/check: dropped: rejected: nothing to pay
}

// All cases take and give the same types; a nested pipeline may be one.
func ExampleSwitch() {
	kind := func(p purchase) string {
		if p.cents >= 1000 {
			return "wholesale"
		}
		return p.customer
	}
	to := func(where string) func(context.Context, purchase) (string, error) {
		return func(context.Context, purchase) (string, error) { return where, nil }
	}
	wholesale := pipeline.New[purchase, string]("wholesale").Stage(pipeline.Map("assign", to("sales desk"))).MustBuild()
	route := pipeline.Switch("route", kind,
		pipeline.On("wholesale", pipeline.Sub(wholesale).Retry(2)),
		pipeline.On("ada", pipeline.Map("vip", to("ada's clerk")))).
		Otherwise(pipeline.Map("shop", to("web shop")))

	for _, p := range []purchase{{"bob", 5000}, {"ada", 5}, {"bob", 5}} {
		fmt.Println(route.Run(context.Background(), p))
	}
	// Output:
	// sales desk <nil>
	// ada's clerk <nil>
	// web shop <nil>
}

// Results are in the order of the input, whatever order the elements end in; CollectErrors gives all errors.
func ExampleEach() {
	parse := pipeline.Map("parse", parseLine)
	all := pipeline.Each("lines", parse, pipeline.AtOnce(4), pipeline.CollectErrors())
	fmt.Println(all.Run(context.Background(), []string{"hat 2", "scarf 5"}))
	_, err := all.Run(context.Background(), []string{"hat", "scarf 5", "?"})
	fmt.Println(err)
	// Output:
	// [{hat 2} {scarf 5}] <nil>
	// lines: 2 errors in 3 elements: 0/parse: "hat" is not an order line; 2/parse: "?" is not an order line
}

func cents(_ context.Context, article string) (int, error) { return 100 * len(article), nil }

func stock(_ context.Context, article string) (int, error) {
	if article == "umbrella" {
		return 0, errors.New("warehouse does not answer")
	}
	return 7, nil
}

// Both stages get the same value, at the same time.
func ExampleBoth() {
	offer := pipeline.Both("offer", pipeline.Map("price", cents), pipeline.Map("stock", stock),
		func(_ context.Context, article string, cents, stock int) (string, error) {
			return fmt.Sprintf("%d of %s, %d ct each", stock, article, cents), nil
		})
	fmt.Println(offer.Run(context.Background(), "hat"))
	_, err := offer.Run(context.Background(), "umbrella")
	fmt.Println(err)
	// Output:
	// 7 of hat, 300 ct each <nil>
	// offer/stock: warehouse does not answer
}

func ExampleAll3() {
	weight := func(article string) float64 { return 0.25 * float64(len(article)) }
	parcel := pipeline.All3("parcel",
		pipeline.Map("price", cents), pipeline.Map("stock", stock), pipeline.Pure("weight", weight),
		func(_ context.Context, article string, cents, stock int, kg float64) (string, error) {
			return fmt.Sprintf("%s: %d ct, %d left, %g kg", article, cents, stock, kg), nil
		})
	fmt.Println(parcel.Run(context.Background(), "scarf"))
	// Output: scarf: 500 ct, 7 left, 1.25 kg <nil>
}

func ExampleAll4() {
	part := func(i int) *pipeline.Step[string, string] {
		return pipeline.Pure(fmt.Sprintf("part-%d", i), func(s string) string { return strings.Split(s, ".")[i] })
	}
	address := pipeline.All4("address", part(0), part(1), part(2), part(3),
		func(_ context.Context, _, a, b, c, d string) (string, error) {
			return d + "." + c + "." + b + "." + a, nil
		})
	fmt.Println(address.Run(context.Background(), "1.2.3.4"))
	// Output: 4.3.2.1 <nil>
}

// Policies around a nested pipeline concern the whole of it.
func ExampleSub() {
	tries := 0
	import1 := pipeline.New[string, string]("import").
		Stage(pipeline.Pure("trim", strings.TrimSpace)).
		Stage(pipeline.Map("store", func(_ context.Context, s string) (string, error) {
			if tries++; tries == 1 {
				return "", errors.New("database away")
			}
			return "stored " + s, nil
		})).
		MustBuild()
	nightly := pipeline.New[string, string]("nightly").Stage(pipeline.Sub(import1).Retry(3)).MustBuild()
	fmt.Println(nightly.Run(context.Background(), " hats "))
	// Output: stored hats <nil>
}

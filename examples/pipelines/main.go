// Command pipelines works on a few orders with everything that pipelines have: a rejected path, ways that part and meet, a fan-out with two look-ups at once, a pipeline
// inside of another, a batch over tasks, retries, and the undoing of what cannot be finished. It prints what became of each order; with -graph, the drawing of the pipeline.
//
//	go run ./examples/pipelines
//	go run ./examples/pipelines -graph
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/examples/pipelines/shop"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

type module struct {
	shop   *shop.Shop
	orders *queue.Queue[shop.Order]
	flow   *pipeline.Pipeline[shop.Order, pipeline.Done]
}

func (*module) Name() string { return "orders" }

func (m *module) Register(r *plba.Registry) error {
	m.orders = plba.Queue[shop.Order](r, "orders")
	m.flow = plba.Pipeline(r, flow(m.shop))
	r.Worker(workers.Consume("orders", m.orders, m.flow, workers.Concurrency(4)), plba.Critical())
	return nil
}

// flow composes the business functions.
func flow(s *shop.Shop) *pipeline.Builder[shop.Order, pipeline.Done] {
	wholesale := pipeline.New[shop.Order, shop.Offer]("wholesale").
		Stage(pipeline.Map("contract", s.Contract)).
		Stage(pipeline.Map("discount", s.Discount)).
		MustBuild()
	lines := pipeline.New[shop.Order, []shop.Priced]("lines").
		Stage(pipeline.Pure("split", func(o shop.Order) []shop.Line { return o.Lines })).
		Stage(pipeline.Each("each", pipeline.Both("quote", pipeline.Map("price", s.Price), pipeline.Map("stock", s.InStock), shop.Quote), pipeline.AtOnce(4))).
		MustBuild()
	retail := pipeline.Both("retail", lines, pipeline.Map("shipping", s.Shipping), shop.Sum)

	return pipeline.New[shop.Order, pipeline.Done]("orders").Describe("From an order to its confirmation.").
		Stage(pipeline.Validate("check", s.Check, pipeline.Sink("refuse", func(ctx context.Context, r pipeline.Rejected[shop.Order]) error {
			return s.Refuse(ctx, r.Value, r.Reason)
		}))).
		Stage(pipeline.Switch("kind", func(o shop.Order) shop.Kind { return o.Kind },
			pipeline.On(shop.Wholesale, pipeline.Sub(wholesale).Timeout(5*time.Second))).
			Otherwise(retail).PermanentIf(hopeless)).
		Stage(pipeline.Map("reserve", s.Reserve).Compensate(s.Release)).
		Stage(pipeline.Batch("insert", 4, time.Second, s.Insert)).
		Stage(pipeline.Sink("confirm", s.Confirm).Retry(3).PermanentIf(hopeless))
}

// hopeless says which errors no retry can help.
func hopeless(err error) bool {
	return errors.Is(err, shop.ErrUnknown) || errors.Is(err, shop.ErrSoldOut)
}

// orders are those of the demonstration.
var orders = []shop.Order{
	{ID: "1001", Customer: "ada", Kind: shop.Retail, Lines: []shop.Line{{SKU: "pen", Quantity: 2}, {SKU: "ink", Quantity: 1}}},
	{ID: "1002", Customer: "office-gmbh", Kind: shop.Wholesale, Lines: []shop.Line{{SKU: "pen", Quantity: 200}}},
	{ID: "1003", Customer: "bob", Kind: shop.Retail},
	{ID: "1004", Customer: "bob", Kind: shop.Retail, Lines: []shop.Line{{SKU: "lamp", Quantity: 3}}},
	{ID: "1005", Customer: "carol", Kind: shop.Retail, Lines: []shop.Line{{SKU: "lamp", Quantity: 1}}},
	{ID: "1006", Customer: "bob", Kind: shop.Retail, Lines: []shop.Line{{SKU: "ink", Quantity: 2}}},
	{ID: "1007", Customer: "bob", Kind: shop.Wholesale, Lines: []shop.Line{{SKU: "pen", Quantity: 100}}},
	{ID: "1008", Customer: "ada", Kind: shop.Retail, Lines: []shop.Line{{SKU: "pen", Quantity: -1}}},
}

// run works on the orders and prints what became of them.
func run(ctx context.Context, out io.Writer) (err error) {
	m := &module{shop: shop.New()}
	app, err := plba.New(m, plba.WithoutControlListener(), plba.WithOutput(io.Discard))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close(context.WithoutCancel(ctx))) }()
	if err := app.Start(ctx); err != nil {
		return err
	}
	_, err = m.orders.PublishAll(ctx, orders)
	dead, drainErr := drain(ctx, m.orders)
	_, stopErr := app.Stop(context.WithoutCancel(ctx))
	for _, line := range m.shop.Report() {
		fmt.Fprintln(out, line)
	}
	for _, t := range dead {
		fmt.Fprintf(out, "dead letter: %s\n", t.Failures[len(t.Failures)-1].Error)
	}
	return errors.Join(err, drainErr, stopErr)
}

// drain waits until nothing is left to do, and gives what could not be done.
func drain(ctx context.Context, orders *queue.Queue[shop.Order]) ([]queue.Task, error) {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		s, err := orders.Stats(ctx)
		if err != nil {
			return nil, err
		}
		if s.Unfinished() == 0 {
			page, err := orders.Tasks(ctx, queue.Query{States: []queue.State{queue.StateDead}})
			slices.SortFunc(page.Tasks, func(a, b queue.Task) int { return strings.Compare(a.Info.ID, b.Info.ID) })
			return page.Tasks, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func main() {
	graph := flag.Bool("graph", false, "print the drawing of the pipeline, in Mermaid's language, and exit")
	flag.Parse()
	if *graph {
		fmt.Print(flow(shop.New()).MustBuild().Graph().Mermaid())
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/plba/plba/examples/pipelines/shop"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Error(err)
		}
		compare(t, "output.txt", out.String())
	})
}

func TestGraph(t *testing.T) {
	compare(t, "graph.mmd", flow(shop.New()).MustBuild().Graph().Mermaid())
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant, from %s\n%s", got, file, want)
	}
}

// One order, all the way, without a queue: what a pipeline is for the test of business rules.
func TestWholesaleHasItsDiscount(t *testing.T) {
	var confirmed pipeline.Collected[shop.Offer]
	p, err := flow(shop.New()).MustBuild().Replace("orders/confirm", confirmed.Sink("confirm"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // the batch waits for others
		if _, err := p.Run(t.Context(), orders[1]); err != nil {
			t.Fatal(err)
		}
	})
	if got := confirmed.Values(); len(got) != 1 || got[0].Total != 200*150*80/100 {
		t.Errorf("confirmed %+v, want 200 pens less 20 %%", got)
	}
}

// A run that fails behind the reservation gives the goods back; a refused order never takes them.
func TestNothingIsTakenForNothing(t *testing.T) {
	for _, o := range []shop.Order{orders[4], orders[7]} {
		synctest.Test(t, func(t *testing.T) {
			s := shop.New()
			_, err := flow(s).MustBuild().Run(t.Context(), o)
			if outcome, _ := task.Classify(err); outcome != task.Dead && outcome != task.Dropped {
				t.Errorf("order %s: %v, want it refused or given up", o.ID, err)
			}
			for _, l := range o.Lines {
				if sold := s.Sold(l.SKU); sold != 0 {
					t.Errorf("order %s took %d × %s", o.ID, sold, l.SKU)
				}
			}
		})
	}
}

// The whole application under virtual time: a stage that fails for a while is tried again by the queue, and the stages before it are not.
func TestConfirmationIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{shop: shop.New()}
		app := plbatest.Start(t, m)
		r := plbatest.Feed(app, "orders", orders[0])
		if r.Outcome != task.Done || r.Attempts != 1 { // the mail server is busy once, Retry helps
			t.Errorf("%s after %d attempts: %v", r.Outcome, r.Attempts, r.Err)
		}
		if report := m.shop.Report(); !slices.ContainsFunc(report, func(l string) bool { return strings.HasPrefix(l, "1001 confirmed") }) {
			t.Errorf("report: %q", report)
		}
		if n := m.flow.Counters()["orders/confirm"]; n.Retried != 1 || n.Done != 1 {
			t.Errorf("counters of the last stage: %+v, want one retry", n)
		}
	})
}

// A stage can be tested alone.
func TestQuoteNeedsGoods(t *testing.T) {
	s := shop.New()
	quote := pipeline.Both("quote", pipeline.Map("price", s.Price), pipeline.Map("stock", s.InStock), shop.Quote)
	if _, err := quote.Run(context.Background(), shop.Line{SKU: "lamp", Quantity: 2}); !errors.Is(err, shop.ErrSoldOut) {
		t.Errorf("two lamps: %v, want ErrSoldOut", err)
	}
	if p, err := quote.Run(context.Background(), shop.Line{SKU: "lamp", Quantity: 1}); err != nil || p.Cents != 4900 {
		t.Errorf("one lamp: %+v, %v", p, err)
	}
}

package workers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

type placed struct{ Article string }

var (
	orderPlaced = queue.KindOf[placed]("order-placed")
	orderPaid   = queue.KindOf[int]("order-paid")
	orderSent   = queue.KindOf[string]("order-sent") // of a newer version of the program
)

func TestMux(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		note := func(format string, v any) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf(format, v))
			return nil
		}
		routes := []workers.Route{
			workers.On(orderPlaced, workers.Func(func(_ context.Context, p placed) error { return note("placed %+v", p) })),
			workers.On(orderPaid, workers.Func(func(_ context.Context, cents int) error { return note("paid %d", cents) })),
		}
		q := openQueue[queue.Message](t, "orders", 10)
		w := start(t, workers.Mux("orders", q, routes, workers.Concurrency(2)))
		for _, err := range []error{
			orderPlaced.Publish(t.Context(), q, placed{"A-1"}),
			orderSent.Publish(t.Context(), q, "by mail"),
			orderPaid.Publish(t.Context(), q, 1250),
			q.Publish(t.Context(), queue.Message{Kind: "order-paid", Body: []byte(`"much"`)}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		slices.Sort(got)
		if want := []string{"paid 1250", "placed {Article:A-1}"}; !slices.Equal(got, want) {
			t.Errorf("handled %q, want %q", got, want)
		}
		s := w.Status()
		if st := stats(t, q); st.Completed != 2 || st.Retrying != 2 || s.Failed != 2 || s.Concurrency != 2 {
			t.Errorf("stats %+v, status %+v", st, s)
		}
		pass(24 * time.Hour)
		page, err := q.Tasks(t.Context(), queue.Query{States: []queue.State{queue.StateDead}})
		dead := page.Tasks
		if err != nil || len(dead) != 2 || dead[0].Failures[0].Attempt != queue.MaxAttempts {
			t.Fatalf("%d dead letters, %v: what is not understood is kept", len(dead), err)
		}
		if text := dead[0].Failures[0].Error + dead[1].Failures[0].Error; !strings.Contains(text, `unknown kind "order-sent", known are: order-paid, order-placed`) {
			t.Errorf("errors %q", text)
		}
	})
}

// A process that knows the kind takes over what another did not understand.
func TestMuxKeepsUnknownKindsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		q := openQueue[queue.Message](t, "orders", 10)
		old := start(t, workers.Mux("old", q, []workers.Route{workers.On(orderPaid, workers.Func(func(context.Context, int) error { return nil }))}))
		if err := orderSent.Publish(t.Context(), q, "by mail"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		old.Stop(forever(), forever())
		start(t, workers.Mux("new", q, []workers.Route{workers.On(orderSent, workers.Func(func(_ context.Context, how string) error { got = append(got, how); return nil }))}))
		pass(time.Hour)
		if !slices.Equal(got, []string{"by mail"}) {
			t.Errorf("handled %q", got)
		}
	})
}

func TestMuxFaults(t *testing.T) {
	q := openQueue[queue.Message](t, "orders", 1)
	paid := workers.On(orderPaid, workers.Func(func(context.Context, int) error { return nil }))
	for want, routes := range map[string][]workers.Route{
		"no kind is routed":                       nil,
		`kind "order-paid" is routed twice`:       {paid, paid},
		`the handler of kind "order-paid" is nil`: {workers.On(orderPaid, nil)},
		`kind "Paid"`:                             {workers.On(queue.KindOf[int]("Paid"), workers.Func(func(context.Context, int) error { return nil }))},
		"chan int":                                {workers.On(queue.KindOf[chan int]("c"), workers.Func(func(context.Context, chan int) error { return nil }))},
	} {
		err := workers.Mux("w", q, routes).(workers.Equipped).Equip(workers.Env{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `worker "w"`) {
			t.Errorf("%q: got %v", want, err)
		}
	}
}

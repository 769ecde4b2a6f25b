package queue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

type Invoice struct {
	Number string
	Cents  int64
}

// openInvoices does what the registry and the runtime do.
func openInvoices(spec ...queue.Spec[Invoice]) (*queue.Queue[Invoice], func()) {
	ctx := context.Background()
	invoices, err := queue.For("invoices", spec...)
	if err != nil {
		panic(err)
	}
	engine, err := memory.Driver().Open(ctx, queue.Opening{Queue: "invoices", Settings: &memory.Settings{Common: queue.Common{Capacity: 2, DeadLetters: 10}}})
	if err != nil {
		panic(err)
	}
	invoices.Bind(engine, queue.Binding{})
	return invoices, func() { _ = invoices.Unbind().Close(ctx) }
}

func ExampleQueue_Publish() {
	invoices, stop := openInvoices()
	defer stop()

	// A domain asks for no more than this.
	var out interface {
		Publish(context.Context, Invoice) error
	} = invoices
	fmt.Println(out.Publish(context.Background(), Invoice{"2026-1", 1990}))

	stats, _ := invoices.Stats(context.Background())
	fmt.Println(stats.Ready, "of", stats.Capacity)
	// Output:
	// <nil>
	// 1 of 2
}

func ExampleQueue_Send() {
	invoices, stop := openInvoices(queue.Spec[Invoice]{Unique: func(i Invoice) string { return i.Number }})
	defer stop()
	ctx := context.Background()

	first, _ := invoices.Send(ctx, Invoice{"2026-1", 1990}, queue.After(time.Hour), queue.Metadata("tenant", "north"))
	again, _ := invoices.Send(ctx, Invoice{"2026-1", 1990})
	fmt.Println(first.Existing, again.Existing, first.ID == again.ID)
	// Output: false true true
}

func ExampleQueue_TrySend() {
	invoices, stop := openInvoices()
	defer stop()
	ctx := context.Background()

	n, _ := invoices.PublishAll(ctx, []Invoice{{Number: "2026-1"}, {Number: "2026-2"}})
	_, err := invoices.TrySend(ctx, Invoice{Number: "2026-3"})
	fmt.Println(n, errors.Is(err, queue.ErrFull))
	fmt.Println(err)
	// Output:
	// 2 true
	// queue invoices is full: it holds as many unfinished tasks as its capacity allows
}

// What a worker does: claim, handle, answer.
func ExampleQueue_Receive() {
	invoices, stop := openInvoices()
	defer stop()
	ctx := context.Background()
	_ = invoices.Publish(ctx, Invoice{"2026-1", 1990})

	for range 2 {
		deliveries, _ := invoices.Receive(ctx, 10, time.Minute)
		for _, d := range deliveries {
			fmt.Printf("attempt %d: %s\n", d.Info.Attempt, d.Value.Number)
			answer := queue.Completion{Token: d.Token, Outcome: task.Done}
			if d.Info.Attempt == 1 {
				answer = queue.Completion{Token: d.Token, Outcome: task.Retry, Counted: true, Cause: "printer is offline"}
			}
			lost, err := invoices.Complete(ctx, []queue.Completion{answer})
			fmt.Println(len(lost), err)
		}
	}
	// Output:
	// attempt 1: 2026-1
	// 0 <nil>
	// attempt 2: 2026-1
	// 0 <nil>
}

func ExampleFor_faults() {
	type Job struct {
		Name string
		Done chan bool
	}
	_, err := queue.For[Job]("jobs")
	fmt.Println(err)
	// Output: queue jobs: Job.Done: chan bool cannot be encoded as JSON
}

// audit notes what was published, by whom. It fits every queue.
func audit[T any](next queue.PublishFunc[T]) queue.PublishFunc[T] {
	return func(ctx context.Context, b *queue.Batch[T]) ([]queue.Receipt, error) {
		for i := range b.Items {
			b.Items[i].Options = append(b.Items[i].Options, queue.Metadata("clerk", "anna"))
		}
		receipts, err := next(ctx, b)
		fmt.Printf("anna: %d published, %v\n", len(receipts), err)
		return receipts, err
	}
}

// priced refuses invoices of nothing, and rounds the others.
func priced(next queue.PublishFunc[Invoice]) queue.PublishFunc[Invoice] {
	return func(ctx context.Context, b *queue.Batch[Invoice]) ([]queue.Receipt, error) {
		for i := range b.Items {
			v := &b.Items[i].Value
			if v.Cents == 0 {
				return nil, fmt.Errorf("invoice %s is about nothing", v.Number)
			}
			v.Cents = (v.Cents + 5) / 10 * 10
		}
		return next(ctx, b)
	}
}

func ExamplePublishMiddleware() {
	invoices, stop := openInvoices(queue.Spec[Invoice]{
		Publishing: []queue.PublishMiddleware[Invoice]{audit[Invoice], priced},
	})
	defer stop()
	ctx := context.Background()

	fmt.Println(invoices.Publish(ctx, Invoice{"2026-1", 1988}))
	fmt.Println(invoices.Publish(ctx, Invoice{"2026-2", 0}))
	deliveries, _ := invoices.Receive(ctx, 1, time.Minute)
	fmt.Println(deliveries[0].Value.Cents, deliveries[0].Info.Metadata["clerk"])
	// Output:
	// anna: 1 published, <nil>
	// <nil>
	// anna: 0 published, invoice 2026-2 is about nothing
	// queue invoices: invoice 2026-2 is about nothing
	// 1990 anna
}

// What operators do with a task that has failed for good.
func ExampleQueue_Requeue() {
	invoices, stop := openInvoices()
	defer stop()
	ctx := context.Background()
	receipt, _ := invoices.Send(ctx, Invoice{"2026-1", 1990})
	deliveries, _ := invoices.Receive(ctx, 1, time.Minute)
	_, _ = invoices.Complete(ctx, []queue.Completion{{Token: deliveries[0].Token, Outcome: task.Dead, Cause: "no printer"}})

	dead, _ := invoices.Task(ctx, receipt.ID)
	fmt.Printf("%s: %s %s\n", dead.State, dead.Failures[0].Error, invoices.Show(dead).JSON)
	for range 2 {
		fmt.Println(invoices.Requeue(ctx, queue.InState(queue.StateDead)))
	}
	again, _ := invoices.Task(ctx, receipt.ID)
	fmt.Println(again.State)
	// Output:
	// dead: no printer {"Number":"2026-1","Cents":1990}
	// 1 <nil>
	// 0 <nil>
	// ready
}

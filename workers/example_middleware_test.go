package workers_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

var errNoAccount = errors.New("account not found")

// announce tells of every task, of any kind of text.
func announce[T ~string](next workers.Handler[T]) workers.Handler[T] {
	return workers.Func(func(ctx context.Context, v T) error {
		fmt.Printf("begin %q\n", v)
		err := next.Handle(ctx, v)
		outcome, _ := task.Classify(err)
		fmt.Printf("end %q: %s\n", v, outcome)
		return err
	})
}

// final makes an error permanent: the task is not tried again.
func final[T any](err error) workers.Middleware[T] {
	return func(next workers.Handler[T]) workers.Handler[T] {
		return workers.Func(func(ctx context.Context, v T) error {
			got := next.Handle(ctx, v)
			if errors.Is(got, err) {
				return task.Permanent(got)
			}
			return got
		})
	}
}

func ExampleWrap() {
	transfer := workers.Func(func(_ context.Context, account string) error {
		fmt.Println("transfer")
		if account == "" {
			return errNoAccount
		}
		return nil
	})
	h := workers.Wrap(transfer, announce, final[string](errNoAccount))
	// workers.Consume("transfers", queue, h)

	_ = h.Handle(context.Background(), "DE02")
	_ = h.Handle(context.Background(), "")
	// Output:
	// begin "DE02"
	// transfer
	// end "DE02": done
	// begin ""
	// transfer
	// end "": dead
}

package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

type tagKey struct{}

// tag notes when it is passed, and hands its name on in the context.
func tag[T any](name string, log *[]string) workers.Middleware[T] {
	return func(next workers.Handler[T]) workers.Handler[T] {
		return workers.Func(func(ctx context.Context, v T) error {
			*log = append(*log, name+" in")
			outer, _ := ctx.Value(tagKey{}).(string)
			err := next.Handle(context.WithValue(ctx, tagKey{}, outer+name), v)
			*log = append(*log, fmt.Sprintf("%s out %v", name, err))
			return err
		})
	}
}

func TestMiddlewareOrder(t *testing.T) {
	var log []string
	h := workers.Func(func(ctx context.Context, v int) error {
		log = append(log, fmt.Sprintf("handle %d for %s", v, ctx.Value(tagKey{})))
		return errors.New("boom")
	})
	err := workers.Wrap(h, tag[int]("a", &log), tag[int]("b", &log)).Handle(t.Context(), 7)
	want := []string{"a in", "b in", "handle 7 for ab", "b out boom", "a out boom"}
	if !slices.Equal(log, want) || err == nil || err.Error() != "boom" {
		t.Errorf("%q, %v; want %q", log, err, want)
	}
}

// A middleware sees the task at hand, may answer in the handler's place, and its panic fails the attempt alone.
func TestMiddlewareInAConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		var handled []int
		var attempts []string
		guard := func(next workers.Handler[int]) workers.Handler[int] {
			return workers.Func(func(ctx context.Context, v int) error {
				info, ok := task.From(ctx)
				attempts = append(attempts, fmt.Sprintf("%d:%d:%t", v, info.Attempt, ok))
				switch {
				case v == 1:
					return task.Drop("refused")
				case v == 2 && info.Attempt == 1:
					panic("planted")
				}
				return next.Handle(ctx, v*10)
			})
		}
		h := workers.Wrap(workers.Func(func(_ context.Context, v int) error { handled = append(handled, v); return nil }), guard)
		w := workers.Consume("w", q, h)
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		publish(t, q, 1, 2, 3)
		pass(time.Minute)
		w.Stop(forever(), forever())
		if s := w.Status(); s.Done != 3 || s.Failed != 1 {
			t.Errorf("status %+v", s)
		}
		if want := []int{30, 20}; !slices.Equal(handled, want) {
			t.Errorf("handled %v, want %v", handled, want)
		}
		if want := []string{"1:1:true", "2:1:true", "3:1:true", "2:2:true"}; !slices.Equal(attempts, want) {
			t.Errorf("attempts %v, want %v", attempts, want)
		}
	})
}

func TestMiddlewareFaults(t *testing.T) {
	h := workers.Func(func(context.Context, int) error { return nil })
	same := func(next workers.Handler[int]) workers.Handler[int] { return next }
	none := func(workers.Handler[int]) workers.Handler[int] { return nil }
	for want, wrapped := range map[string]workers.Handler[int]{
		"the handler is nil":                    workers.Wrap(workers.Func[int](nil), same),
		"middleware 2 of 3 is nil":              workers.Wrap(h, same, nil, same),
		"middleware 1 of 2 returned no handler": workers.Wrap(h, none, same),
	} {
		err := workers.Consume("w", openQueue[int](t, "q", 1), wrapped).(workers.Equipped).Equip(workers.Env{})
		if err == nil || !strings.Contains(err.Error(), `worker "w": `+want) {
			t.Errorf("%q: got %v", want, err)
		}
		if wrapped != nil && wrapped.Handle(t.Context(), 1) == nil {
			t.Errorf("%q: a faulty handler takes tasks", want)
		}
	}
	if err := workers.Wrap(h).Handle(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

type price struct {
	item        string
	cents, left int
}

func lookUp(d time.Duration, v int, err error) func(context.Context, string) (int, error) {
	return func(ctx context.Context, _ string) (int, error) {
		select {
		case <-time.After(d):
			return v, err
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func TestBoth(t *testing.T) {
	merge := func(_ context.Context, item string, cents, left int) (price, error) {
		return price{item, cents, left}, nil
	}
	both := func(a, b *pipeline.Step[string, int]) *pipeline.Step[string, price] {
		return pipeline.Both("facts", a, b, merge)
	}
	quick := pipeline.Map("price", lookUp(time.Second, 250, nil))
	for name, c := range map[string]struct {
		stage   *pipeline.Step[string, price]
		want    price
		text    string
		outcome task.Outcome
		took    time.Duration
	}{
		"succeed":           {both(quick, pipeline.Map("stock", lookUp(3*time.Second, 7, nil))), price{"hat", 250, 7}, "", task.Done, 3 * time.Second},
		"the second fails":  {both(pipeline.Map("price", lookUp(time.Hour, 0, nil)), pipeline.Map("stock", lookUp(time.Second, 0, errAway))), price{}, "p/facts/stock: database away", task.Retry, time.Second},
		"the first fails":   {both(pipeline.Map("price", lookUp(time.Second, 0, errAway)), pipeline.Map("stock", lookUp(time.Hour, 0, nil))), price{}, "p/facts/price: database away", task.Retry, time.Second},
		"one drops":         {both(pipeline.Map("price", lookUp(time.Second, 0, task.Drop("gone"))), pipeline.Map("stock", lookUp(time.Hour, 0, nil))), price{}, "p/facts/price: dropped: gone", task.Dropped, time.Second},
		"fails for good":    {both(quick, pipeline.Map("stock", lookUp(2*time.Second, 0, task.Permanent(errAway)))), price{}, "p/facts/stock: database away", task.Dead, 2 * time.Second},
		"tried again":       {both(quick.Retry(2), pipeline.Map("stock", lookUp(0, 7, nil))).Retry(2), price{"hat", 250, 7}, "", task.Done, time.Second},
		"out of time":       {both(quick, pipeline.Map("stock", lookUp(time.Hour, 0, nil))).Timeout(2 * time.Second), price{}, "p/facts: timed out after 2s: stock: timed out after 2s", task.Retry, 2 * time.Second},
		"the first panics":  {both(pipeline.Map("price", func(context.Context, string) (int, error) { panic("out of paper") }), pipeline.Map("stock", lookUp(time.Hour, 0, nil))), price{}, "p/facts/price: panic: out of paper", task.Retry, 0},
		"the merge fails":   {pipeline.Both("facts", quick, pipeline.Map("stock", lookUp(0, 7, nil)), func(context.Context, string, int, int) (price, error) { return price{"x", 1, 1}, errAway }), price{}, "p/facts: database away", task.Retry, time.Second},
		"the merge panics":  {pipeline.Both("facts", quick, pipeline.Map("stock", lookUp(0, 7, nil)), func(context.Context, string, int, int) (price, error) { panic("out of paper") }), price{}, "p/facts: panic: out of paper", task.Retry, time.Second},
		"one within itself": {both(quick, pipeline.Both("stock", quick, pipeline.Map("other", lookUp(time.Second, 1, nil)), func(_ context.Context, _ string, a, b int) (int, error) { return a + b, nil })), price{"hat", 250, 251}, "", task.Done, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipeline.New[string, price]("p").Stage(c.stage).MustBuild()
				start := time.Now()
				got, err := p.Run(t.Context(), "hat")
				outcome, _ := task.Classify(err)
				if got != c.want || outcome != c.outcome || c.text != "" && err.Error() != c.text {
					t.Errorf("%v, %v (%v)", got, err, outcome)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
			})
		})
	}
}

// The other branches end with the first error as their cause, and are waited for.
func TestAllWaitForTheirBranches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan string, 3)
		waits := func(name string) *pipeline.Step[int, int] {
			return pipeline.Map(name, func(ctx context.Context, v int) (int, error) {
				<-ctx.Done()
				<-time.After(time.Minute)
				ended <- fmt.Sprint(name, ": ", context.Cause(ctx))
				return v, nil // late, and of no use
			})
		}
		fails := pipeline.Map("d", func(context.Context, int) (int, error) {
			<-time.After(time.Second)
			return 0, errAway
		})
		sum := func(_ context.Context, in, a, b, c, d int) (int, error) { return in + a + b + c + d, nil }
		start := time.Now()
		_, err := pipeline.All4("all", waits("a"), waits("b"), waits("c"), fails, sum).Run(t.Context(), 1)
		if err == nil || err.Error() != "all/d: database away" || time.Since(start) != 61*time.Second || len(ended) != 3 {
			t.Errorf("%v after %s, %d ended", err, time.Since(start), len(ended))
		}
		for range len(ended) {
			if text := <-ended; text[1:] != ": all/d: database away" {
				t.Errorf("branch %s", text)
			}
		}
	})
}

func TestAll(t *testing.T) {
	three := pipeline.All3("three", add("a", 1), add("b", 2), add("c", 3),
		func(_ context.Context, in, a, b, c int) ([]int, error) { return []int{in, a, b, c}, nil })
	four := pipeline.All4("four", add("a", 1), add("b", 2), add("c", 3), add("d", 4),
		func(_ context.Context, in, a, b, c, d int) ([]int, error) { return []int{in, a, b, c, d}, nil })
	for stage, want := range map[*pipeline.Step[int, []int]]string{three: "[10 11 12 13]", four: "[10 11 12 13 14]"} {
		p := pipeline.New[int, []int]("p").Stage(stage).MustBuild()
		for range 50 {
			if got, err := p.Run(t.Context(), 10); err != nil || fmt.Sprint(got) != want {
				t.Fatalf("%v, %v", got, err)
			}
		}
	}
	_, err := three.Run(cancelled(t), 10)
	if !errors.Is(err, task.ErrForced) {
		t.Errorf("cancelled before: %v", err)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(task.ErrForced)
	return ctx
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// slow makes a stage that takes v milliseconds and gives 10*v. It ends early with its context.
func slow(fails ...int) *pipeline.Step[int, int] {
	return pipeline.Map("slow", func(ctx context.Context, v int) (int, error) {
		select {
		case <-time.After(time.Duration(v) * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if slices.Contains(fails, v) {
			return 0, fmt.Errorf("%d: %w", v, errAway)
		}
		return 10 * v, nil
	})
}

func TestEach(t *testing.T) {
	odd := pipeline.Filter("odd", func(_ context.Context, v int) (bool, error) { return v%2 == 1, nil })
	inner := pipeline.New[int, int]("inner").Stage(odd).Stage(slow()).MustBuild()
	for name, c := range map[string]struct {
		stage *pipeline.EachStep[int, int]
		in    []int
		want  []int
		took  time.Duration
	}{
		"in the order of the input": {pipeline.Each("e", slow()), []int{3, 1, 2}, []int{30, 10, 20}, 3 * time.Millisecond},
		"one at a time":             {pipeline.Each("e", slow(), pipeline.AtOnce(1)), []int{3, 1, 2}, []int{30, 10, 20}, 6 * time.Millisecond},
		"two at a time":             {pipeline.Each("e", slow(), pipeline.AtOnce(2)), []int{4, 1, 2, 3}, []int{40, 10, 20, 30}, 6 * time.Millisecond},
		"eight by default":          {pipeline.Each("e", slow()), []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{10, 10, 10, 10, 10, 10, 10, 10, 10}, 2 * time.Millisecond},
		"dropped are left out":      {pipeline.Each("e", inner), []int{1, 2, 3, 4, 5}, []int{10, 30, 50}, 5 * time.Millisecond},
		"all dropped":               {pipeline.Each("e", odd), []int{2, 4}, []int{}, 0},
		"none":                      {pipeline.Each("e", slow()), nil, []int{}, 0},
		"with policies":             {pipeline.Each("e", slow()).Retry(2).Timeout(time.Second), []int{1}, []int{10}, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, in := time.Now(), slices.Clone(c.in)
				got, err := pipeline.New[[]int, []int]("p").Stage(c.stage).MustBuild().Run(t.Context(), in)
				if err != nil || got == nil || !slices.Equal(got, c.want) {
					t.Errorf("got %#v, %v; want %v", got, err, c.want)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if !slices.Equal(in, c.in) {
					t.Errorf("the input was changed to %v", in)
				}
			})
		})
	}
}

func TestEachFirstErrorCancelsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, cancelled atomic.Int32
		var cause error
		stage := pipeline.Map("s", func(ctx context.Context, v int) (int, error) {
			begun.Add(1)
			if v == 1 {
				<-time.After(time.Second)
				return 0, errAway
			}
			<-ctx.Done()
			cancelled.Add(1)
			if v == 0 {
				cause = context.Cause(ctx)
			}
			return 0, ctx.Err()
		})
		start := time.Now()
		got, err := pipeline.New[[]int, []int]("p").Stage(pipeline.Each("e", stage, pipeline.AtOnce(3))).MustBuild().
			Run(t.Context(), []int{0, 1, 2, 3, 4, 5})
		if got != nil || err.Error() != "p/e/1/s: database away" {
			t.Errorf("got %v, %v", got, err)
		}
		var at *pipeline.StageError
		if !errors.As(err, &at) || at.Path != "p/e/1/s" || at.Index != 1 {
			t.Errorf("error %#v", err)
		}
		if begun.Load() != 3 || cancelled.Load() != 2 || time.Since(start) != time.Second {
			t.Errorf("%d begun, %d cancelled, %s", begun.Load(), cancelled.Load(), time.Since(start))
		}
		if !errors.Is(cause, errAway) {
			t.Errorf("the others were cancelled because of %v", cause)
		}
	})
}

func TestEachCollectErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pipeline.Each("e", slow(4, 2), pipeline.AtOnce(2), pipeline.CollectErrors())
		_, err := pipeline.New[[]int, []int]("p").Stage(e).MustBuild().Run(t.Context(), []int{1, 4, 3, 2})
		want := "p/e: 2 errors in 4 elements: 1/slow: 4: database away; 3/slow: 2: database away"
		if err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
		var all *pipeline.ElementsError
		if !errors.As(err, &all) || all.Elements != 4 || len(all.Errs) != 2 || !errors.Is(err, errAway) {
			t.Errorf("error %#v", err)
		}
	})
}

// Joined errors count as one outcome only when they agree.
func TestEachCollectedOutcome(t *testing.T) {
	away, never := errAway, task.Permanent(errAway)
	for _, c := range []struct {
		errs map[int]error
		want task.Outcome
	}{
		{map[int]error{0: never, 2: never}, task.Dead},
		{map[int]error{0: never, 2: away}, task.Retry},
		{map[int]error{0: never, 2: task.Drop("no")}, task.Dead},
		{map[int]error{0: task.Drop("no")}, task.Done},
	} {
		stage := pipeline.Map("s", func(_ context.Context, v int) (int, error) { return v, c.errs[v] })
		_, err := pipeline.Each("e", stage, pipeline.CollectErrors()).Run(t.Context(), []int{0, 1, 2})
		if got, _ := task.Classify(err); got != c.want {
			t.Errorf("%v: %v is %v, want %v", c.errs, err, got, c.want)
		}
	}
}

func TestManyCollectedErrorsStayReadable(t *testing.T) {
	_, err := pipeline.Each("e", fails("s", errAway), pipeline.CollectErrors()).Run(t.Context(), make([]int, 20_000))
	var all *pipeline.ElementsError
	if !errors.As(err, &all) || len(all.Errs) != 20_000 {
		t.Fatalf("error %v", err)
	}
	want := "e: 20000 errors in 20000 elements: 0/s: database away; 1/s: database away; 2/s: database away; " +
		"3/s: database away; 4/s: database away; and 19995 more"
	if err.Error() != want {
		t.Errorf("text %s", err)
	}
}

func TestEachCancelledFromOutside(t *testing.T) {
	for name, options := range map[string][]pipeline.EachOption{
		"first error": {pipeline.AtOnce(2)},
		"collected":   {pipeline.AtOnce(2), pipeline.CollectErrors()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(task.ErrForced) })
				var begun atomic.Int32
				ignores := pipeline.Map("s", func(context.Context, int) (int, error) {
					begun.Add(1)
					<-time.After(2 * time.Second)
					return 0, nil
				})
				_, err := pipeline.Each("e", ignores, options...).Run(ctx, make([]int, 5))
				if begun.Load() != 2 || !errors.Is(err, task.ErrForced) || err.Error() != "e: stopped by force" {
					t.Errorf("%d begun, %v", begun.Load(), err)
				}
			})
		})
	}
}

// What was not begun counts as one more error: permanent errors of the others must not end the task.
func TestEachCollectedAndCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stage := pipeline.Map("s", func(_ context.Context, v int) (int, error) {
		cancel(task.ErrForced)
		return 0, task.Permanent(errAway)
	})
	_, err := pipeline.Each("e", stage, pipeline.AtOnce(1), pipeline.CollectErrors()).Run(ctx, make([]int, 3))
	if outcome, _ := task.Classify(err); outcome != task.Retry || !errors.Is(err, errAway) || !errors.Is(err, task.ErrForced) {
		t.Errorf("%v: %v", err, outcome)
	}
}

func TestEachPanic(t *testing.T) {
	stage := pipeline.Map("s", func(_ context.Context, v int) (int, error) {
		if v == 2 {
			panic("out of paper")
		}
		return v, nil
	})
	_, err := pipeline.Each("e", stage).Run(t.Context(), []int{0, 1, 2, 3})
	var p *pipeline.PanicError
	if !errors.As(err, &p) || err.Error() != "e/2/s: panic: out of paper" {
		t.Errorf("error %v", err)
	}
	_, err = pipeline.Each("e", stage).KeyedBy(func(int) string { panic("no key") }).Run(t.Context(), []int{1})
	if !errors.As(err, &p) || err.Error() != "e: panic: no key" {
		t.Errorf("error %v", err)
	}
}

func TestEachGoexit(t *testing.T) {
	leaves := pipeline.Map("s", func(_ context.Context, v int) (int, error) {
		if v%2 == 1 {
			runtime.Goexit()
		}
		return v, nil
	})
	for _, atOnce := range []int{1, 2, 8} {
		_, err := pipeline.Each("e", leaves, pipeline.AtOnce(atOnce)).Run(t.Context(), []int{0, 1, 2})
		if !errors.Is(err, pipeline.ErrGoexit) || err.Error() != "e/1/s: "+pipeline.ErrGoexit.Error() {
			t.Errorf("%d at once: %v", atOnce, err)
		}
		// When errors are collected, the elements behind it are worked on all the same.
		_, err = pipeline.Each("e", leaves, pipeline.AtOnce(atOnce), pipeline.CollectErrors()).Run(t.Context(), []int{0, 1, 2, 3, 4})
		var all *pipeline.ElementsError
		if !errors.As(err, &all) || len(all.Errs) != 2 {
			t.Errorf("%d at once, collected: %v", atOnce, err)
		}
	}
}

func TestEachNestedDoesNotDeadlock(t *testing.T) {
	leaf := pipeline.Map("leaf", func(_ context.Context, v int) (int, error) { return v + 1, nil })
	e1 := pipeline.Each("e1", leaf, pipeline.AtOnce(2))
	e2 := pipeline.Each("e2", e1, pipeline.AtOnce(2))
	e3 := pipeline.Each("e3", e2, pipeline.AtOnce(2))
	p := pipeline.New[[][][]int, [][][]int]("p").Stage(e3).MustBuild()
	in := make([][][]int, 6)
	for i := range in {
		in[i] = make([][]int, 6)
		for j := range in[i] {
			in[i][j] = []int{i, j, i + j}
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := p.Run(context.Background(), in)
			if err != nil || got[5][4][2] != 10 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wg.Wait()

	bad := [][][]int{{{1}, {2, 3}}, {{4}}}
	failing := pipeline.Each("e3", pipeline.Each("e2", pipeline.Each("e1", pipeline.Map("leaf", func(_ context.Context, v int) (int, error) {
		if v == 3 {
			return 0, errAway
		}
		return v, nil
	}))))
	_, err := failing.Run(t.Context(), bad)
	var at *pipeline.StageError
	if !errors.As(err, &at) || at.Path != "e3/0/e2/1/e1/1/leaf" || at.Index != 1 {
		t.Errorf("error %#v", err)
	}
}

// The methods of an EachStep may come in any order, and leave the step they are called on as it is.
func TestEachPoliciesInAnyOrder(t *testing.T) {
	none := func(int) time.Duration { return 0 }
	name := func(v int) string { return fmt.Sprintf("v%d", v) }
	base := pipeline.Each("e", fails("s", errAway))
	for order, e := range map[string]*pipeline.EachStep[int, int]{
		"keyed first": base.KeyedBy(name).Retry(2, none).Timeout(time.Minute),
		"keyed last":  base.Timeout(time.Minute).Retry(2, none).KeyedBy(name),
	} {
		_, err := e.Run(t.Context(), []int{5})
		if want := "e: after 2 attempts: v5/s: database away"; err.Error() != want {
			t.Errorf("%s: %q, want %q", order, err, want)
		}
	}
	if _, err := base.Run(t.Context(), []int{5}); err.Error() != "e/0/s: database away" {
		t.Errorf("the step itself changed: %v", err)
	}
}

// When the fan-out is over, nothing of it goes on: the contexts of its elements are done.
func TestEachEndsItsContexts(t *testing.T) {
	var kept context.Context
	_, err := pipeline.Each("e", pipeline.Tap("s", func(ctx context.Context, _ int) error {
		kept = ctx
		return nil
	})).Run(t.Context(), []int{1})
	if err != nil || kept.Err() == nil {
		t.Errorf("error %v, context %v", err, kept.Err())
	}
}

// Results do not keep the values of dropped elements alive behind their end.
func TestEachForgetsWhatWasDropped(t *testing.T) {
	stage := pipeline.Map("s", func(_ context.Context, v int) (*int, error) {
		if v == 0 {
			return nil, task.Drop("zero")
		}
		return &v, nil
	})
	got, err := pipeline.Each("e", stage).Run(t.Context(), []int{0, 1, 0, 2})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, p := range got[:cap(got)][2:] {
		if p != nil {
			t.Errorf("still there: %d", *p)
		}
	}
}

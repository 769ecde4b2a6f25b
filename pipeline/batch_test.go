package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// counter is a batch function that notes its batches and gives back what it gets, times ten.
type batches struct {
	mu   sync.Mutex
	seen [][]int
	at   []time.Time
	end  func(ctx context.Context, in []int) ([]int, error) // in place of the usual answer
}

func (b *batches) do(ctx context.Context, in []int) ([]int, error) {
	b.mu.Lock()
	b.seen, b.at = append(b.seen, slices.Clone(in)), append(b.at, time.Now())
	b.mu.Unlock()
	if b.end != nil {
		return b.end(ctx, in)
	}
	out := make([]int, len(in))
	for i, v := range in {
		out[i] = 10 * v
	}
	return out, nil
}

func (b *batches) want(t *testing.T, want ...[]int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if fmt.Sprint(b.seen) != fmt.Sprint(want) {
		t.Errorf("batches %v, want %v", b.seen, want)
	}
}

// stage is a pipeline of one batch stage.
func (b *batches) pipeline(size int, wait time.Duration) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int]("p").Stage(pipeline.Batch("b", size, wait, b.do)).MustBuild()
}

// answers are those of runs at once, by their inputs.
type answers struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	outs map[int]int
	errs map[int]error
}

func newAnswers() *answers { return &answers{outs: map[int]int{}, errs: map[int]error{}} }

// run runs the stage for v, on a goroutine of its own, and waits until that has settled down.
func (a *answers) run(ctx context.Context, s pipeline.Stage[int, int], v int) {
	a.wg.Go(func() {
		err := errors.New("the goroutine has ended")
		var out int
		defer func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.outs[v], a.errs[v] = out, err
		}()
		out, err = s.Run(ctx, v)
	})
	synctest.Wait()
}

func TestBatchRunsWhenItIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		p, a, began := b.pipeline(3, time.Hour), newAnswers(), time.Now()
		for v := range 7 {
			a.run(t.Context(), p, v)
		}
		b.want(t, []int{0, 1, 2}, []int{3, 4, 5})
		if !time.Now().Equal(began) {
			t.Error("a full batch waited")
		}
		a.wg.Wait()
		b.want(t, []int{0, 1, 2}, []int{3, 4, 5}, []int{6})
		if got := time.Since(began); got != time.Hour {
			t.Errorf("the last one waited for %s", got)
		}
		for v := range 7 {
			if a.outs[v] != 10*v || a.errs[v] != nil {
				t.Errorf("%d: %d, %v", v, a.outs[v], a.errs[v])
			}
		}
	})
}

func TestBatchWaitsFromItsFirstItemOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		p, a, began := b.pipeline(3, time.Minute), newAnswers(), time.Now()
		a.run(t.Context(), p, 1)
		time.Sleep(50 * time.Second)
		a.run(t.Context(), p, 2)
		a.wg.Wait()
		if got := time.Since(began); got != time.Minute {
			t.Errorf("it ran after %s", got)
		}
		a.run(t.Context(), p, 3)
		a.wg.Wait()
		if got := time.Since(began); got != 2*time.Minute {
			t.Errorf("the next one ran after %s", got)
		}
		b.want(t, []int{1, 2}, []int{3})
	})
}

func TestBatchAnswers(t *testing.T) {
	item := errors.New("no such customer")
	ok := []int{10, 20, 30}
	for name, c := range map[string]struct {
		outs []int
		err  error
		want []string // the error of each item, or its output
	}{
		"all well":               {ok, nil, []string{"10", "20", "30"}},
		"error":                  {nil, errAway, []string{"p/b: database away", "p/b: database away", "p/b: database away"}},
		"error with outputs":     {ok, errAway, []string{"p/b: database away", "p/b: database away", "p/b: database away"}},
		"one fails":              {ok, pipeline.ItemErrors{nil, item, nil}, []string{"10", "p/b: no such customer", "30"}},
		"one is dropped":         {ok, pipeline.ItemErrors{nil, nil, task.Drop("gone")}, []string{"10", "20", "p/b: dropped: gone"}},
		"none fails":             {ok, pipeline.ItemErrors{nil, nil, nil}, []string{"10", "20", "30"}},
		"wrapped":                {ok, fmt.Errorf("insert: %w", pipeline.ItemErrors{nil, item, nil}), []string{"10", "p/b: no such customer", "30"}},
		"all fail, no outputs":   {nil, pipeline.ItemErrors{item, item, item}, []string{"p/b: no such customer", "p/b: no such customer", "p/b: no such customer"}},
		"too few outputs":        {ok[:2], nil, slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, 2 outputs"}, 3)},
		"too many outputs":       {append(ok, 40), nil, slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, 4 outputs"}, 3)},
		"too few errors":         {ok, pipeline.ItemErrors{item}, slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, ItemErrors of 1 (return nil when none failed)"}, 3)},
		"errors that are nil":    {ok, pipeline.ItemErrors(nil), slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, ItemErrors of 0 (return nil when none failed)"}, 3)},
		"too many errors":        {ok, pipeline.ItemErrors{nil, nil, nil, item}, slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, ItemErrors of 4 (return nil when none failed)"}, 3)},
		"errors, too few others": {ok[:1], pipeline.ItemErrors{nil, item, nil}, slices.Repeat([]string{"p/b: the function of the batch did not answer for every item: 3 items, 1 outputs"}, 3)},
		"joined with another":    {ok, errors.Join(pipeline.ItemErrors{nil, item, nil}, errAway), slices.Repeat([]string{"p/b: 1 of 3 items failed, the first with: no such customer\ndatabase away"}, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := batches{end: func(context.Context, []int) ([]int, error) { return c.outs, c.err }}
				p, a := b.pipeline(3, time.Hour), newAnswers()
				for v := range 3 {
					a.run(t.Context(), p, v)
				}
				a.wg.Wait()
				for v, want := range c.want {
					got := fmt.Sprint(a.outs[v])
					if err := a.errs[v]; err != nil {
						if got = err.Error(); a.outs[v] != 0 {
							t.Errorf("%d: %d with an error", v, a.outs[v])
						}
					}
					if got != want {
						t.Errorf("%d: %s, want %s", v, got, want)
					}
				}
				if n := p.Counters()["p/b"]; n.InFlight != 0 || n.Done+n.Failed+n.Dropped != 3 {
					t.Errorf("counters %+v", n)
				}
			})
		})
	}
}

func TestItemErrorsAsAnError(t *testing.T) {
	e := pipeline.ItemErrors{nil, task.Permanent(errDeclined), task.Permanent(errAway)}
	if outcome, _ := task.Classify(e); outcome != task.Dead || !errors.Is(e, errAway) || !errors.Is(e, errDeclined) {
		t.Errorf("%v is %v", e, outcome)
	}
	if got := e.Error(); got != "2 of 3 items failed, the first with: card declined" {
		t.Error(got)
	}
	if got := (pipeline.ItemErrors{nil}).Error(); got != "none of 1 items failed" {
		t.Error(got)
	}
}

func TestBatchFunctionPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batches{end: func(context.Context, []int) ([]int, error) { panic("out of paper") }}
		p, a := b.pipeline(3, time.Hour), newAnswers()
		for v := range 3 {
			a.run(t.Context(), p, v)
		}
		a.wg.Wait()
		for v := range 3 {
			var panicked *pipeline.PanicError
			if !errors.As(a.errs[v], &panicked) || !strings.Contains(panicked.Stack(), "batch_test.go") {
				t.Errorf("%d: %v", v, a.errs[v])
			}
		}
	})
}

func TestBatchFunctionEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batches{end: func(context.Context, []int) ([]int, error) { runtime.Goexit(); return nil, nil }}
		p, a := b.pipeline(3, time.Hour), newAnswers()
		for v := range 3 {
			a.run(t.Context(), p, v)
		}
		a.wg.Wait()
		exits := 0
		for v := range 3 {
			if errors.Is(a.errs[v], pipeline.ErrGoexit) {
				exits++
			}
		}
		if exits != 2 { // the third worked for all, and its goroutine has ended
			t.Errorf("%v", a.errs)
		}
		if n := p.Counters()["p/b"]; n.InFlight != 0 || n.Failed != 3 {
			t.Errorf("counters %+v", n)
		}
	})
}

func TestMemberCancelledWhileItWaits(t *testing.T) {
	for _, who := range []int{0, 1} { // the one that watches the clock, and another one
		synctest.Test(t, func(t *testing.T) {
			var b batches
			p, a, began := b.pipeline(4, time.Hour), newAnswers(), time.Now()
			ctx, cancel := context.WithCancelCause(t.Context())
			for v := range 3 {
				if v == who {
					a.run(ctx, p, v)
				} else {
					a.run(t.Context(), p, v)
				}
			}
			time.Sleep(time.Minute)
			cancel(task.ErrLeaseLost)
			synctest.Wait()
			if err := a.errs[who]; !errors.Is(err, task.ErrLeaseLost) || !errors.Is(err, context.Canceled) {
				t.Errorf("the member that left: %v", err)
			}
			b.want(t)
			a.wg.Wait()
			if got := time.Since(began); got != time.Hour {
				t.Errorf("the others waited for %s", got)
			}
			want := slices.Delete([]int{0, 1, 2}, who, who+1)
			b.want(t, want)
			for _, v := range want {
				if a.outs[v] != 10*v || a.errs[v] != nil {
					t.Errorf("%d: %d, %v", v, a.outs[v], a.errs[v])
				}
			}
		})
	}
}

func TestAllMembersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		p, a, began := b.pipeline(2, time.Minute), newAnswers(), time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		a.run(ctx, p, 1)
		time.Sleep(30 * time.Second)
		cancel()
		a.wg.Wait()
		a.run(t.Context(), p, 2)
		a.wg.Wait()
		b.want(t, []int{2})
		if got := time.Since(began); got != 90*time.Second { // a new batch, with a time of its own
			t.Errorf("it ran after %s", got)
		}
	})
}

// A batch under way goes on for its members; its context ends with that of the last one.
func TestMembersCancelledWhileTheBatchRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended error
		b := batches{end: func(ctx context.Context, in []int) ([]int, error) {
			select {
			case <-ctx.Done():
				ended = context.Cause(ctx)
			case <-time.After(time.Hour):
			}
			return in, nil
		}}
		p, a := b.pipeline(2, time.Minute), newAnswers()
		first, cancelFirst := context.WithCancelCause(t.Context())
		second, cancelSecond := context.WithCancelCause(t.Context())
		a.run(first, p, 1)
		a.run(second, p, 2)
		for _, cancel := range []context.CancelCauseFunc{cancelFirst, cancelSecond} {
			if ended != nil || len(a.errs) > 0 {
				t.Errorf("ended early: %v, %v", ended, a.errs)
			}
			cancel(task.ErrForced)
			synctest.Wait()
		}
		a.wg.Wait()
		if !errors.Is(ended, task.ErrForced) {
			t.Errorf("the batch's context ended with %v", ended)
		}
		if a.errs[1] != nil || a.outs[2] != 2 { // it did its work: that is what counts
			t.Errorf("%v %v", a.outs, a.errs)
		}
	})
}

func TestTimeoutOfABatchStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batches{end: func(ctx context.Context, in []int) ([]int, error) { <-ctx.Done(); return in, nil }}
		stage := pipeline.Batch("b", 2, time.Hour, b.do).Timeout(time.Minute)
		p, a, began := pipeline.New[int, int]("p").Stage(stage).MustBuild(), newAnswers(), time.Now()
		var late *pipeline.TimeoutError
		a.run(t.Context(), p, 1) // alone: while it waits
		a.wg.Wait()
		if !errors.As(a.errs[1], &late) || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), a.errs[1])
		}
		b.want(t)
		a.run(t.Context(), p, 2) // while the batch runs
		a.run(t.Context(), p, 3)
		a.wg.Wait()
		if !errors.As(a.errs[2], &late) || !errors.As(a.errs[3], &late) || time.Since(began) != 2*time.Minute {
			t.Errorf("after %s: %v", time.Since(began), a.errs)
		}
	})
}

func TestRetryOfABatchStageIsThatOfEachTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		b.end = func(_ context.Context, in []int) ([]int, error) {
			items := make(pipeline.ItemErrors, len(in))
			if len(b.seen) == 1 {
				items[1] = errAway
			}
			return in, items
		}
		stage := pipeline.Batch("b", 2, time.Minute, b.do).Retry(2, noPause)
		p, a := pipeline.New[int, int]("p").Stage(stage).MustBuild(), newAnswers()
		a.run(t.Context(), p, 1)
		a.run(t.Context(), p, 2)
		a.wg.Wait()
		b.want(t, []int{1, 2}, []int{2})
		if a.errs[1] != nil || a.errs[2] != nil {
			t.Error(a.errs)
		}
	})
}

func TestBatchBelongsToItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		stage := pipeline.Batch("b", 2, time.Minute, b.do)
		inner := pipeline.New[int, int]("inner").Stage(stage).MustBuild()
		p1 := pipeline.New[int, int]("p1").Stage(stage).MustBuild()
		p2 := pipeline.New[int, int]("p2").Stage(inner).MustBuild()
		a := newAnswers()
		a.run(t.Context(), p1, 1)
		a.run(t.Context(), inner, 2)
		a.run(t.Context(), stage, 3)
		b.want(t)
		a.run(t.Context(), p2, 4) // where inner is nested it is the same pipeline
		b.want(t, []int{2, 4})
		a.wg.Wait()
	})
}

func TestBatchOfOne(t *testing.T) {
	var b batches
	if got, err := b.pipeline(1, time.Hour).Run(t.Context(), 4); got != 40 || err != nil {
		t.Error(got, err)
	}
}

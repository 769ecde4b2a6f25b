package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// together runs p n times at once and gives how long that took and the highest number of calls at once.
func together(p pipeline.Stage[int, int], now *atomic.Int32, n int) (took time.Duration) {
	start := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { _, _ = p.Run(context.Background(), 1) })
	}
	wg.Wait()
	now.Store(0)
	return time.Since(start)
}

// busy makes a stage that takes a second and notes how many calls of it run at once, at most.
func busy(name string, most *atomic.Int32) *pipeline.Step[int, int] {
	var now atomic.Int32
	return pipeline.Map(name, func(_ context.Context, v int) (int, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-time.After(time.Second)
		now.Add(-1)
		return v, nil
	})
}

func TestLimitIsSharedByAllRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var most atomic.Int32
		stage := busy("s", &most).Limit(2)
		p := pipeline.New[int, int]("p").Stage(add("a", 1)).Stage(stage).MustBuild()
		if took := together(p, &most, 6); took != 3*time.Second {
			t.Errorf("6 runs, 2 at once, took %s", took)
		}
		outer := pipeline.New[int, int]("outer").Stage(p).MustBuild()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 { // where a pipeline is nested its stages have the state of that pipeline
			wg.Go(func() { _, _ = p.Run(t.Context(), 1) })
			wg.Go(func() { _, _ = outer.Run(t.Context(), 1) })
		}
		wg.Wait()
		if took := time.Since(start); took != 3*time.Second || most.Load() != 2 {
			t.Errorf("3 runs here and 3 nested took %s, %d at once", took, most.Load())
		}
	})
}

// One stage in two pipelines has two limits, and one of its own when it runs alone.
func TestLimitBelongsToThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var most atomic.Int32
		stage := busy("s", &most).Limit(1)
		one := pipeline.New[int, int]("one").Stage(stage).MustBuild()
		two := pipeline.New[int, int]("two").Stage(stage).MustBuild()
		start := time.Now()
		var wg sync.WaitGroup
		for _, s := range []pipeline.Stage[int, int]{one, one, two, two, stage, stage} {
			wg.Go(func() { _, _ = s.Run(t.Context(), 1) })
		}
		wg.Wait()
		if took := time.Since(start); took != 2*time.Second || most.Load() != 3 {
			t.Errorf("took %s, %d at once", took, most.Load())
		}
	})
}

func TestLimitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := pipeline.Map("s", func(context.Context, int) (int, error) { <-release; return 1, nil }).Limit(1).Retry(5).Timeout(time.Minute)
		p := pipeline.New[int, int]("p").Stage(s).MustBuild()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.Run(t.Context(), 1) })
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(task.ErrForced) })
		start := time.Now()
		_, err := p.Run(ctx, 1)
		if !errors.Is(err, task.ErrForced) || !errors.Is(err, context.Canceled) || time.Since(start) != time.Hour {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		close(release)
		wg.Wait()
		if _, err := p.Run(t.Context(), 1); err != nil {
			t.Errorf("the place is lost: %v", err)
		}
	})
}

// Whatever way an attempt ends, its place is free again, and a pause of Retry holds none.
func TestLimitGivesPlacesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipeline.Map("s", func(_ context.Context, v int) (int, error) {
			switch v {
			case 1:
				return 0, errAway
			case 2:
				panic("out of paper")
			case 3:
				runtime.Goexit()
			}
			return v, nil
		}).Limit(1).Retry(2, func(int) time.Duration { return time.Hour })
		p := pipeline.New[int, int]("p").Stage(s).MustBuild()
		var wg sync.WaitGroup
		for v := range 4 {
			wg.Go(func() { _, _ = p.Run(t.Context(), v) })
		}
		synctest.Wait() // the first one waits for its second attempt
		start := time.Now()
		if _, err := p.Run(t.Context(), 9); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		wg.Wait()
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		s := pipeline.Map("s", func(context.Context, int) (int, error) {
			at = append(at, time.Since(start))
			return 1, nil
		}).Rate(4, 2)
		p := pipeline.New[int, int]("p").Stage(s).MustBuild()
		for range 5 {
			if _, err := p.Run(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		want := []time.Duration{0, 0, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}
		for i := range want {
			if d := at[i] - want[i]; d < 0 || d > time.Microsecond {
				t.Errorf("attempt %d at %s, want %s", i, at[i], want[i])
			}
		}
	})
}

// A run that is cancelled while it waits for its turn takes nobody's turn.
func TestRateEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := add("s", 1).Rate(1, 1).Timeout(time.Millisecond) // the wait is not the attempt's
		p := pipeline.New[int, int]("p").Stage(s).MustBuild()
		start := time.Now()
		_, _ = p.Run(t.Context(), 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second/2, func() { cancel(task.ErrLeaseLost) })
		if _, err := p.Run(ctx, 1); !errors.Is(err, task.ErrLeaseLost) || time.Since(start) != time.Second/2 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		_, err := p.Run(t.Context(), 1)
		if took := time.Since(start); err != nil || took < time.Second || took > time.Second+time.Microsecond {
			t.Errorf("the next one: %v after %s", err, took)
		}
	})
}

package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/pipeline"
)

// Every function that an author gives to a combinator or a policy may panic, which is an error at the stage, or end its goroutine; the pipeline
// is sound afterwards.
func TestPanicAndGoexitInEveryFunction(t *testing.T) {
	merge := func(end func()) func() (int, error) {
		return func() (int, error) { end(); return 1, nil }
	}
	id := add("a", 0)
	for name, make := range map[string]func(end func()) pipeline.AnyStage{
		"pure": func(end func()) pipeline.AnyStage { return pipeline.Pure("s", func(v int) int { end(); return v }) },
		"tap": func(end func()) pipeline.AnyStage {
			return pipeline.Tap("s", func(context.Context, int) error { end(); return nil })
		},
		"filter": func(end func()) pipeline.AnyStage {
			return pipeline.Filter("s", func(context.Context, int) (bool, error) { end(); return true, nil })
		},
		"check of validate": func(end func()) pipeline.AnyStage {
			return pipeline.Validate("s", func(context.Context, int) error { end(); return nil },
				pipeline.Sink("no", func(context.Context, pipeline.Rejected[int]) error { return nil }))
		},
		"key of switch": func(end func()) pipeline.AnyStage {
			return pipeline.Switch("s", func(v int) int { end(); return v }, pipeline.On(1, id))
		},
		"merge of both": func(end func()) pipeline.AnyStage {
			return pipeline.Both("s", id, add("b", 0), func(context.Context, int, int, int) (int, error) { return merge(end)() })
		},
		"merge of all3": func(end func()) pipeline.AnyStage {
			return pipeline.All3("s", id, add("b", 0), add("c", 0), func(context.Context, int, int, int, int) (int, error) { return merge(end)() })
		},
		"merge of all4": func(end func()) pipeline.AnyStage {
			return pipeline.All4("s", id, add("b", 0), add("c", 0), add("d", 0),
				func(context.Context, int, int, int, int, int) (int, error) { return merge(end)() })
		},
		"batch": func(end func()) pipeline.AnyStage {
			return pipeline.Batch("s", 1, time.Hour, func(_ context.Context, in []int) ([]int, error) { end(); return in, nil })
		},
		"fallback": func(end func()) pipeline.AnyStage {
			return fails("s", errAway).Fallback(func(context.Context, int, error) (int, error) { end(); return 1, nil })
		},
		"retry if": func(end func()) pipeline.AnyStage {
			return fails("s", errAway).Retry(2).RetryIf(func(error) bool { end(); return true })
		},
		"backoff": func(end func()) pipeline.AnyStage {
			return fails("s", errAway).Retry(2, func(int) time.Duration { end(); return 0 })
		},
		"permanent if": func(end func()) pipeline.AnyStage {
			return fails("s", errAway).PermanentIf(func(error) bool { end(); return true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var end func()
			p := pipeline.New[int, int]("p").Stage(make(func() { end() })).MustBuild()
			run := func() (err error, returned bool) {
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err = p.Run(context.Background(), 1)
					returned = true
				})
				wg.Wait()
				return err, returned
			}
			end = func() { panic("out of paper") }
			err, _ := run()
			var thrown *pipeline.PanicError
			var at *pipeline.StageError
			if !errors.As(err, &thrown) || thrown.Value != "out of paper" || !errors.As(err, &at) || at.Path != "p/s" {
				t.Errorf("a panic is %v", err)
			}
			end = runtime.Goexit
			if err, returned := run(); returned {
				t.Errorf("the goroutine should have ended: %v", err)
			}
			end = func() {}
			if err, _ := run(); errors.As(err, &thrown) || errors.Is(err, pipeline.ErrGoexit) {
				t.Errorf("afterwards: %v", err)
			}
			for id, c := range p.Counters() {
				if c.InFlight != 0 {
					t.Errorf("%s: %+v", id, c)
				}
			}
		})
	}
}

// The function that names the elements of a fan-out is asked before anything is begun.
func TestPanicAndGoexitInTheKeyOfAFanOut(t *testing.T) {
	end := func() { panic("out of paper") }
	p := pipeline.New[[]int, []int]("p").
		Stage(pipeline.Each("each", add("a", 1)).KeyedBy(func(int) string { end(); return "k" })).
		MustBuild()
	var thrown *pipeline.PanicError
	if _, err := p.Run(t.Context(), []int{1, 2}); !errors.As(err, &thrown) || err.Error() != "p/each: panic: out of paper" {
		t.Error(err)
	}
	end = runtime.Goexit
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := p.Run(context.Background(), []int{1, 2})
		t.Errorf("the goroutine should have ended: %v", err)
	})
	wg.Wait()
	end = func() {}
	if out, err := p.Run(t.Context(), []int{1, 2}); err != nil || len(out) != 2 {
		t.Error(out, err)
	}
	for id, c := range p.Counters() {
		if c.InFlight != 0 {
			t.Errorf("%s: %+v", id, c)
		}
	}
}

package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/plba/plba/pipeline"
)

// A panic is located at its stage in every combinator, and every run that began is counted out, also when the
// goroutine ends.
func TestPanicAndGoexitInEveryCombinator(t *testing.T) {
	merge := func(_ context.Context, v, _, _ int) (int, error) { return v, nil }
	merge3 := func(_ context.Context, v, _, _, _ int) (int, error) { return v, nil }
	merge4 := func(_ context.Context, v, _, _, _, _ int) (int, error) { return v, nil }
	list := pipeline.Pure("list", func(v int) []int { return []int{v} })
	each := func(s pipeline.Stage[int, int]) pipeline.AnyStage {
		return pipeline.New[int, []int]("fan").Stage(list).Stage(pipeline.Each("each", s)).MustBuild()
	}
	wrong := func(context.Context, int) error { return errOdd }
	for name, c := range map[string]struct {
		hold func(s *pipeline.Step[int, int]) pipeline.AnyStage
		path string // of the stage inside
		owns bool   // the combinator has goroutines of its own
	}{
		"alone": {func(s *pipeline.Step[int, int]) pipeline.AnyStage { return s }, "p/s", false},
		"sub": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.New[int, int]("in").Stage(s).MustBuild()
		}, "p/in/s", false},
		"switch": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.Switch("sw", sign, pipeline.On("plus", s))
		}, "p/sw/s", false},
		"otherwise": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.Switch("sw", sign, pipeline.On("zero", add("z", 1))).Otherwise(s)
		}, "p/sw/s", false},
		"rejected": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.Validate("check", wrong, pipeline.Sink("s", func(ctx context.Context, r pipeline.Rejected[int]) error {
				_, err := s.Run(ctx, r.Value) // it panics or exits all the same
				var thrown *pipeline.PanicError
				if errors.As(err, &thrown) {
					panic(thrown.Value)
				}
				return err
			}))
		}, "p/check/s", false},
		"each": {func(s *pipeline.Step[int, int]) pipeline.AnyStage { return each(s) }, "p/fan/each/0/s", true},
		"both": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.Both("all", add("a", 1), s, merge)
		}, "p/all/s", true},
		"all3": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.All3("all", s, add("a", 1), add("b", 1), merge3)
		}, "p/all/s", true},
		"all4": {func(s *pipeline.Step[int, int]) pipeline.AnyStage {
			return pipeline.All4("all", add("a", 1), add("b", 1), s, add("c", 1), merge4)
		}, "p/all/s", true},
	} {
		for _, end := range []string{"panic", "goexit"} {
			for _, policies := range []bool{false, true} {
				t.Run(name+" "+end, func(t *testing.T) {
					s := pipeline.Map("s", func(context.Context, int) (int, error) {
						if end == "goexit" {
							runtime.Goexit()
						}
						panic("out of paper")
					})
					if policies {
						s = s.Retry(3, noPause).Limit(1).Breaker(5, 1e9)
					}
					checkEnd(t, c.hold(s), end, c.path, c.owns)
				})
			}
		}
	}
}

func checkEnd(t *testing.T, held pipeline.AnyStage, end, path string, owns bool) {
	last := pipeline.Pure("last", func(v int) int { return v })
	b := pipeline.New[int, int]("p").Stage(held)
	if strings.Contains(path, "/fan/") {
		b = b.Stage(pipeline.Pure("first", func(v []int) int { return v[0] }))
	}
	p := b.Stage(last).MustBuild()
	var err error
	returned := false
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err = p.Run(context.Background(), 1)
		returned = true
	})
	wg.Wait()
	var at *pipeline.StageError
	var thrown *pipeline.PanicError
	switch {
	case returned != (owns || end == "panic"):
		t.Errorf("returned: %v", returned)
	case !returned:
	case !errors.As(err, &at) || at.Path != path:
		t.Errorf("%v, want it at %s", err, path)
	case end == "panic" && !errors.As(err, &thrown), end == "goexit" && !errors.Is(err, pipeline.ErrGoexit):
		t.Errorf("%v", err)
	}
	for id, c := range p.Counters() {
		if c.InFlight != 0 {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if c := p.Counters()["p"]; c.Failed != 1 {
		t.Errorf("the run: %+v", c)
	}
}

// Fan-outs inside of fan-outs, each one element at a time behind a shared limit, wait for nobody inside of themselves.
func TestNestedFanOutsDoNotDeadlock(t *testing.T) {
	leaf := add("leaf", 1).Limit(1)
	merge := func(_ context.Context, v [][]int, a, b [][]int) (int, error) { return len(a) + len(b) + len(v), nil }
	deep := pipeline.Each("outer", pipeline.Each("inner", leaf, pipeline.AtOnce(1)).Limit(1), pipeline.AtOnce(2)).Limit(1)
	other := pipeline.Each("other", pipeline.Each("inner", leaf)).Limit(1)
	p := pipeline.New[[][]int, int]("p").Stage(pipeline.Both("both", deep, other, merge).Limit(2)).MustBuild()
	in := [][]int{{1, 2, 3}, {4, 5}, {}, {6}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if got, err := p.Run(context.Background(), in); got != 12 || err != nil {
					t.Errorf("%d, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

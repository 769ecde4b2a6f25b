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
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

var errAway = errors.New("database away")

// add makes a stage that adds n.
func add(name string, n int) *pipeline.Step[int, int] {
	return pipeline.Map(name, func(_ context.Context, v int) (int, error) { return v + n, nil })
}

// fails makes a stage that fails with err.
func fails(name string, err error) *pipeline.Step[int, int] {
	return pipeline.Map(name, func(context.Context, int) (int, error) { return 99, err })
}

func TestRun(t *testing.T) {
	even := pipeline.Filter("even", func(_ context.Context, v int) (bool, error) { return v%2 == 0, nil })
	inner := pipeline.New[int, int]("inner").Stage(add("i1", 10)).Stage(even).MustBuild()
	for name, c := range map[string]struct {
		stage   pipeline.AnyStage
		in      int
		want    int
		outcome task.Outcome
		text    string
		is      error
	}{
		"map":                    {stage: add("s", 1), in: 1, want: 2},
		"pure":                   {stage: pipeline.Pure("s", func(v int) int { return v * 3 }), in: 2, want: 6},
		"tap hands on":           {stage: pipeline.Tap("s", func(context.Context, int) error { return nil }), in: 2, want: 2},
		"tap fails":              {stage: pipeline.Tap("s", func(context.Context, int) error { return errAway }), outcome: task.Retry, text: "p/s: database away", is: errAway},
		"filter keeps":           {stage: even, in: 4, want: 4},
		"filter drops":           {stage: even, in: 3, outcome: task.Dropped, text: "p/even: dropped: filtered by even"},
		"filter fails":           {stage: pipeline.Filter("s", func(context.Context, int) (bool, error) { return false, errAway }), outcome: task.Retry, text: "p/s: database away"},
		"error":                  {stage: fails("s", errAway), outcome: task.Retry, text: "p/s: database away", is: errAway},
		"drop":                   {stage: fails("s", task.Drop("not ours")), outcome: task.Dropped, text: "p/s: dropped: not ours"},
		"permanent":              {stage: fails("s", task.Permanent(errAway)), outcome: task.Dead, text: "p/s: database away", is: errAway},
		"snooze":                 {stage: fails("s", task.Snooze(time.Second, "later")), outcome: task.Snoozed, text: "p/s: snoozed: later"},
		"drop joined with error": {stage: fails("s", errors.Join(task.Drop("a"), errAway)), outcome: task.Retry, text: "p/s: dropped: a\ndatabase away"},
		"nested pipeline":        {stage: inner, in: 2, want: 12},
		"nested as sub":          {stage: pipeline.Sub(inner), in: 2, want: 12},
		"nested drops":           {stage: inner, in: 3, outcome: task.Dropped, text: "p/inner/even: dropped: filtered by even"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline.New[int, int]("p").Stage(c.stage).MustBuild()
			for range 2 { // the second run gets the first one's frame
				got, err := p.Run(t.Context(), c.in)
				if outcome, _ := task.Classify(err); outcome != c.outcome || got != c.want {
					t.Fatalf("Run = %d, %v (%v); want %d, %v", got, err, outcome, c.want, c.outcome)
				}
				if err != nil && err.Error() != c.text {
					t.Errorf("error %q, want %q", err, c.text)
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v does not unwrap to %v", err, c.is)
				}
				if p.Name() != "p" {
					t.Errorf("name %q", p.Name())
				}
				if herr := p.Handle(t.Context(), c.in); fmt.Sprint(herr) != fmt.Sprint(err) {
					t.Errorf("Handle: %v, Run: %v", herr, err)
				}
			}
		})
	}
}

func TestLaterStagesDoNotRunAfterAnError(t *testing.T) {
	var seen []string
	note := func(name string, err error) *pipeline.Step[int, int] {
		return pipeline.Tap(name, func(context.Context, int) error {
			seen = append(seen, name)
			return err
		})
	}
	p := pipeline.New[int, int]("p").Stage(note("a", nil)).Stage(note("b", errAway)).Stage(note("c", nil)).MustBuild()
	_, err := p.Run(t.Context(), 1)
	var at *pipeline.StageError
	if !errors.As(err, &at) || at.Path != "p/b" || at.Index != -1 || at.Attempts != 1 {
		t.Errorf("error %#v", err)
	}
	if !slices.Equal(seen, []string{"a", "b"}) {
		t.Errorf("ran %v", seen)
	}
}

func TestSink(t *testing.T) {
	var got string
	p := pipeline.New[int, pipeline.Done]("p").
		Stage(pipeline.Pure("text", func(v int) string { return strings.Repeat("x", v) })).
		Stage(pipeline.Sink("keep", func(_ context.Context, s string) error { got = s; return nil })).
		MustBuild()
	if err := p.Handle(t.Context(), 3); err != nil || got != "xxx" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCancelledBetweenStages(t *testing.T) {
	why := errors.New("operator went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	ran := false
	p := pipeline.New[int, int]("p").
		Stage(pipeline.Tap("a", func(context.Context, int) error { cancel(why); return nil })).
		Stage(pipeline.Tap("b", func(context.Context, int) error { ran = true; return nil })).
		MustBuild()
	_, err := p.Run(ctx, 1)
	if ran {
		t.Error("the stage after the cancellation ran")
	}
	for _, target := range []error{why, context.Canceled} {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	if err.Error() != "p/b: operator went home" {
		t.Errorf("text %q", err)
	}
	if _, err = p.Run(ctx, 1); err.Error() != "p/a: operator went home" {
		t.Errorf("begun cancelled: %v", err)
	}
	if _, err = add("alone", 1).Run(ctx, 1); err.Error() != "alone: operator went home" {
		t.Errorf("stage alone, begun cancelled: %v", err)
	}
}

func TestCancelledInsideAStage(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := pipeline.New[int, int]("p").Stage(pipeline.Tap("read", func(ctx context.Context, _ int) error {
		cancel(task.ErrLeaseLost)
		return fmt.Errorf("read: %w", ctx.Err())
	})).MustBuild()
	_, err := p.Run(ctx, 1)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, task.ErrLeaseLost) {
		t.Errorf("%v lost its cause", err)
	}
	if want := "p/read: read: context canceled: lease lost"; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
}

// A cause must not turn what a stage says into something else.
func TestCauseDoesNotDecide(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		cancel(errAway)
		return 0, task.Permanent(ctx.Err())
	}).Run(ctx, 1)
	if outcome, _ := task.Classify(err); outcome != task.Dead || !errors.Is(err, errAway) {
		t.Errorf("%v: %v", err, outcome)
	}
}

func TestPanic(t *testing.T) {
	boom := pipeline.Map("boom", func(context.Context, int) (int, error) { panic("out of paper") })
	inner := pipeline.New[int, int]("inner").Stage(boom).MustBuild()
	for name, c := range map[string]struct {
		stage pipeline.AnyStage
		path  string
	}{
		"plain":   {boom, "p/boom"},
		"retry":   {boom.Retry(3), "p/boom"},
		"timeout": {boom.Timeout(time.Minute), "p/boom"},
		"nested":  {inner, "p/inner/boom"},
		"backoff": {fails("s", errAway).Retry(2, func(int) time.Duration { panic("out of paper") }), "p/s"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pipeline.New[int, int]("p").Stage(c.stage).MustBuild().Run(t.Context(), 1)
			var p *pipeline.PanicError
			if !errors.As(err, &p) || p.Value != "out of paper" {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(p.Stack(), "run_test.go") {
				t.Errorf("the stack does not show the place:\n%s", p.Stack())
			}
			if want := c.path + ": panic: out of paper"; err.Error() != want {
				t.Errorf("text %q, want %q", err, want)
			}
			if outcome, _ := task.Classify(err); outcome != task.Retry {
				t.Errorf("outcome %v", outcome)
			}
		})
	}
}

// A thrown drop is a defect all the same: it must not acknowledge the task.
func TestPanicWithAnOutcome(t *testing.T) {
	_, err := pipeline.Map("s", func(context.Context, int) (int, error) { panic(task.Drop("no")) }).Run(t.Context(), 1)
	if outcome, _ := task.Classify(err); outcome != task.Retry {
		t.Errorf("%v: outcome %v", err, outcome)
	}
}

// brokenError panics when it is asked anything, as a nil pointer in an error does.
type brokenError struct{ text *string }

func (e *brokenError) Error() string             { return *e.text }
func (e *brokenError) RetryAfter() time.Duration { return time.Duration(len(*e.text)) }

func TestErrorThatPanicsWhenAsked(t *testing.T) {
	var broken *brokenError
	stage := fails("s", broken).Retry(2)
	each := pipeline.Each("each", stage)
	p := pipeline.New[int, int]("p").Stage(stage).MustBuild()
	for name, run := range map[string]func(context.Context) (int, error){
		"alone":         func(ctx context.Context) (int, error) { return stage.Run(ctx, 1) },
		"in a pipeline": func(ctx context.Context) (int, error) { return p.Run(ctx, 1) },
		"in a fan-out": func(ctx context.Context) (int, error) {
			got, err := each.Run(ctx, []int{1, 2})
			return len(got), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var thrown *pipeline.PanicError
			if got, err := run(t.Context()); !errors.As(err, &thrown) || got != 0 {
				t.Errorf("%d, %v", got, err)
			}
			spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) {
				if got, err := run(ctx); !errors.As(err, &thrown) || got != 0 {
					t.Errorf("recorded: %d, %v", got, err)
				}
			})
			for _, s := range spans {
				if text := s.Status().Description; !strings.Contains(text, "panic: ") {
					t.Errorf("span %s: %q", s.Name(), text)
				}
			}
			if len(spans) == 0 {
				t.Error("no spans")
			}
		})
	}
}

func TestGoexitLeavesThePipelineSound(t *testing.T) {
	p := pipeline.New[int, int]("p").
		Stage(add("a", 1)).
		Stage(pipeline.Tap("b", func(_ context.Context, v int) error {
			if v == 2 {
				runtime.Goexit()
			}
			return nil
		})).MustBuild()
	for range 100 {
		returned := false
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = p.Run(context.Background(), 1)
			returned = true
		})
		wg.Wait()
		if returned {
			t.Fatal("Run returned from a goroutine that ended")
		}
		if got, err := p.Run(t.Context(), 5); got != 6 || err != nil {
			t.Fatalf("the run after: %d, %v", got, err)
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	p := pipeline.New[int, []int]("p").
		Stage(add("a", 1)).
		Stage(pipeline.Pure("split", func(v int) []int { return []int{v, v + 1, v + 2} })).
		Stage(pipeline.Each("each", add("b", 10).Retry(2).Timeout(time.Minute), pipeline.AtOnce(2))).
		MustBuild()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				v := g*1000 + i
				got, err := p.Run(context.Background(), v)
				if want := []int{v + 11, v + 12, v + 13}; err != nil || !slices.Equal(got, want) {
					t.Errorf("%v, %v; want %v", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// One stage value stands in two pipelines, with different policies.
func TestStagesAreShared(t *testing.T) {
	calls := 0
	base := pipeline.Map("s", func(context.Context, int) (int, error) { calls++; return 0, errAway })
	none := func(int) time.Duration { return 0 }
	twice := pipeline.New[int, int]("twice").Stage(base.Retry(2, none)).MustBuild()
	thrice := pipeline.New[int, int]("thrice").Stage(base.Retry(2, none).Retry(3, none)).MustBuild()
	for _, c := range []struct {
		stage pipeline.Stage[int, int]
		want  int
		text  string
	}{
		{base, 1, "s: database away"},
		{twice, 2, "twice/s: after 2 attempts: database away"},
		{thrice, 3, "thrice/s: after 3 attempts: database away"},
		{base, 1, "s: database away"},
	} {
		calls = 0
		if _, err := c.stage.Run(t.Context(), 1); calls != c.want || err.Error() != c.text {
			t.Errorf("%d calls, error %q; want %d, %q", calls, err, c.want, c.text)
		}
	}
}

func TestUnbuiltStageWithFaults(t *testing.T) {
	_, err := pipeline.Map[int, int]("s", nil).Retry(0).Run(t.Context(), 1)
	want := `pipeline: this stage cannot run: "s": its function is nil; "s": Retry(0): there must be at least 1 attempt`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = pipeline.Sub[int, int](nil).Run(t.Context(), 1)
	if want := `pipeline: this stage cannot run: "sub": the pipeline given to Sub is nil`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

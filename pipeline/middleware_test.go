package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

type next = func(context.Context) error

// notes makes a middleware that notes who goes in and out.
func notes(mu *sync.Mutex, seen *[]string, name string) pipeline.Middleware {
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		*seen = append(*seen, text)
	}
	return func(ctx context.Context, stage pipeline.StageInfo, next next) error {
		note(fmt.Sprintf("%s>%s", name, stage.ID))
		err := next(ctx)
		note(fmt.Sprintf("%s<%s %v", name, stage.ID, err))
		return err
	}
}

func TestMiddleware(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	calls := 0
	inner := pipeline.New[int, int]("inner").Use(notes(&mu, &seen, "i")).Stage(add("deep", 1)).MustBuild()
	p := pipeline.New[int, []int]("p").Use(notes(&mu, &seen, "a"), notes(&mu, &seen, "b")).
		Stage(script(&calls, errAway).Retry(2, noPause)).
		Stage(inner).
		Use(notes(&mu, &seen, "c")).
		Stage(pipeline.Pure("list", func(v int) []int { return []int{v} })).
		Stage(pipeline.Each("each", pipeline.Switch("sw", sign, pipeline.On("plus", add("up", 1))))).
		MustBuild()
	got, err := p.Run(t.Context(), 1)
	if err != nil || !slices.Equal(got, []int{9}) {
		t.Errorf("%v, %v", got, err)
	}
	want := []string{
		"a>p/s", "b>p/s", "c>p/s", "c<p/s <nil>", "b<p/s <nil>", "a<p/s <nil>", // once, with both attempts
		"a>p/inner", "b>p/inner", "c>p/inner", "i>p/inner/deep", "i<p/inner/deep <nil>", "c<p/inner <nil>", "b<p/inner <nil>", "a<p/inner <nil>",
		"a>p/list", "b>p/list", "c>p/list", "c<p/list <nil>", "b<p/list <nil>", "a<p/list <nil>",
		"a>p/each", "b>p/each", "c>p/each",
		"a>p/each/sw", "b>p/each/sw", "c>p/each/sw", "a>p/each/sw/up", "b>p/each/sw/up", "c>p/each/sw/up",
		"c<p/each/sw/up <nil>", "b<p/each/sw/up <nil>", "a<p/each/sw/up <nil>", "c<p/each/sw <nil>", "b<p/each/sw <nil>", "a<p/each/sw <nil>",
		"c<p/each <nil>", "b<p/each <nil>", "a<p/each <nil>",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q", seen)
	}
}

func TestStageInfo(t *testing.T) {
	var got pipeline.StageInfo
	var key string
	look := func(ctx context.Context, stage pipeline.StageInfo, next next) error {
		got, key = stage, task.Key(ctx)
		return next(ctx)
	}
	inner := pipeline.New[int, int]("inner").Use(look).Stage(add("a", 1).Describe("adds one")).MustBuild()
	outer := pipeline.New[int, int]("outer").Stage(inner).MustBuild()
	want := pipeline.StageInfo{Pipeline: "inner", ID: "inner/a", Name: "a", Kind: "map", Description: "adds one"}
	if _, _ = inner.Run(t.Context(), 1); got != want || key != "inner/a" {
		t.Errorf("%+v at %s", got, key)
	}
	want.ID = "outer/inner/a"
	if _, _ = outer.Run(t.Context(), 1); got != want || key != "outer/inner/a" {
		t.Errorf("nested: %+v at %s", got, key)
	}
}

func TestWhatMiddlewareMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		use   pipeline.Middleware
		calls int
		want  int
		text  string
	}{
		"nothing":        {func(ctx context.Context, _ pipeline.StageInfo, next next) error { return next(ctx) }, 1, 7, ""},
		"refuse":         {func(context.Context, pipeline.StageInfo, next) error { return task.Drop("paused") }, 0, 0, "p/s: dropped: paused"},
		"again":          {func(ctx context.Context, _ pipeline.StageInfo, next next) error { _ = next(ctx); return next(ctx) }, 2, 7, ""},
		"fail after":     {func(ctx context.Context, _ pipeline.StageInfo, next next) error { _ = next(ctx); return errAway }, 1, 0, "p/s: database away"},
		"forget next":    {func(context.Context, pipeline.StageInfo, next) error { return nil }, 0, 0, "p/s: a middleware succeeded without its stage"},
		"panic before":   {func(context.Context, pipeline.StageInfo, next) error { panic("out of paper") }, 0, 0, "p/s: panic: out of paper"},
		"panic after":    {func(ctx context.Context, _ pipeline.StageInfo, next next) error { _ = next(ctx); panic("out of paper") }, 1, 0, "p/s: panic: out of paper"},
		"wrap the error": {func(context.Context, pipeline.StageInfo, next) error { return fmt.Errorf("audit: %w", errAway) }, 0, 0, "p/s: audit: database away"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			p := pipeline.New[int, int]("p").Use(c.use).Stage(script(&calls)).MustBuild()
			got, err := p.Run(t.Context(), 1)
			if got != c.want || calls != c.calls || c.text == "" && err != nil || c.text != "" && (err == nil || err.Error() != c.text) {
				t.Errorf("%d, %v after %d calls", got, err, calls)
			}
		})
	}
}

// An error that a middleware swallows has no output to go on with.
func TestMiddlewareThatSwallowsAnError(t *testing.T) {
	p := pipeline.New[int, int]("p").Use(func(ctx context.Context, _ pipeline.StageInfo, next next) error {
		_ = next(ctx)
		return nil
	}).Stage(fails("s", errAway)).MustBuild()
	if got, err := p.Run(t.Context(), 1); got != 0 || !errors.Is(err, pipeline.ErrNoOutput) {
		t.Errorf("%d, %v", got, err)
	}
}

// A middleware that calls next elsewhere is waited for, and cannot touch the run once it is over.
func TestMiddlewareOnOtherGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan next, 1)
		p := pipeline.New[int, int]("p").Use(func(ctx context.Context, _ pipeline.StageInfo, next next) error {
			go func() { _ = next(ctx) }()
			synctest.Wait() // the stage has begun
			late <- next
			return errAway
		}).Stage(until(time.Minute, nil)).MustBuild()
		start := time.Now()
		got, err := p.Run(t.Context(), 1)
		if got != 0 || !errors.Is(err, errAway) || time.Since(start) != time.Minute {
			t.Errorf("%d, %v after %s", got, err, time.Since(start))
		}
		if err := (<-late)(t.Context()); !errors.Is(err, pipeline.ErrStageOver) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestMiddlewareEndsItsGoroutine(t *testing.T) {
	p := pipeline.New[[]int, []int]("p").Use(func(ctx context.Context, stage pipeline.StageInfo, next next) error {
		if stage.Name == "s" {
			runtime.Goexit()
		}
		return next(ctx)
	}).Stage(pipeline.Each("e", add("s", 1))).MustBuild()
	if _, err := p.Run(t.Context(), []int{1, 2}); !errors.Is(err, pipeline.ErrGoexit) {
		t.Error(err)
	}
}

// Middleware works inside of the stage's span, and its context reaches the stage.
func TestMiddlewareIsInsideOfTheSpan(t *testing.T) {
	var span trace.SpanContext
	p := pipeline.New[int, int]("p").Use(func(ctx context.Context, _ pipeline.StageInfo, next next) error {
		span = trace.SpanContextFromContext(ctx)
		return next(context.WithValue(ctx, otherKey{}, "v"))
	}).Stage(pipeline.Tap("s", func(ctx context.Context, _ int) error {
		if ctx.Value(otherKey{}) != "v" || task.Key(ctx) != "p/s" {
			t.Errorf("value %v, key %s", ctx.Value(otherKey{}), task.Key(ctx))
		}
		return nil
	})).MustBuild()
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = p.Run(ctx, 1) })
	if len(spans) != 1 || spans[0].SpanContext().SpanID() != span.SpanID() {
		t.Errorf("span %v, spans %v", span.SpanID(), tree(spans))
	}
}

package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// keys collects the idempotency keys that its stages see.
type keys struct {
	mu   sync.Mutex
	seen []string
}

func (k *keys) see(ctx context.Context, _ string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, task.Key(ctx))
	return nil
}

func (k *keys) stage(name string) *pipeline.Step[string, string] { return pipeline.Tap(name, k.see) }

func (k *keys) want(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(k.seen)
	slices.Sort(want)
	if !slices.Equal(k.seen, want) {
		t.Errorf("keys %q\nwant %q", k.seen, want)
	}
	k.seen = nil
}

func TestKey(t *testing.T) {
	var k keys
	ctx := task.With(t.Context(), task.Info{ID: "t1"}, nil, nil)
	itself := func(s string) string { return s }
	run := func(ctx context.Context, stage pipeline.AnyStage) {
		t.Helper()
		split := pipeline.Pure("split", func(s []string) []string { return s })
		if _, err := pipeline.New[[]string, []string]("p").Stage(split).Stage(stage).MustBuild().Run(ctx, []string{"a/b", "x", "x", "", "50%", "x#2"}); err != nil {
			t.Fatal(err)
		}
	}

	run(ctx, pipeline.Each("e", k.stage("s")))
	k.want(t, "t1/p/e/0/s", "t1/p/e/1/s", "t1/p/e/2/s", "t1/p/e/3/s", "t1/p/e/4/s", "t1/p/e/5/s")

	run(ctx, pipeline.Each("e", k.stage("s")).KeyedBy(itself))
	k.want(t, "t1/p/e/a%2Fb/s", "t1/p/e/x/s", "t1/p/e/x#2/s", "t1/p/e/#1/s", "t1/p/e/50%25/s", "t1/p/e/x%232/s")

	inner := pipeline.New[string, string]("inner").Stage(k.stage("s1")).Stage(k.stage("s2").Retry(2).Timeout(time.Minute)).MustBuild()
	first := pipeline.Each("e", inner).KeyedBy(func(s string) string { return fmt.Sprint(len(s)) })
	if _, err := first.Run(ctx, []string{"abc"}); err != nil {
		t.Fatal(err)
	}
	k.want(t, "t1/e/3/inner/s1", "t1/e/3/inner/s2")

	// A stage and a pipeline of their own, without a task and with one.
	_, _ = k.stage("s").Run(t.Context(), "")
	_, _ = inner.Run(t.Context(), "")
	_, _ = inner.Run(ctx, "")
	k.want(t, "s", "inner/s1", "inner/s2", "t1/inner/s1", "t1/inner/s2")

	// A run that a stage's function begins with its own context is inside of that stage.
	outer := pipeline.New[string, string]("outer").Stage(pipeline.Map("call", inner.Run)).MustBuild()
	_, _ = outer.Run(ctx, "")
	k.want(t, "t1/outer/call/inner/s1", "t1/outer/call/inner/s2")
}

func TestKeyIsTheSameOnEveryAttempt(t *testing.T) {
	var seen []string
	p := pipeline.New[int, int]("p").Stage(pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		seen = append(seen, task.Key(ctx))
		return 0, errAway
	}).Retry(2, func(int) time.Duration { return 0 })).MustBuild()
	for attempt := 1; attempt <= 2; attempt++ {
		_ = p.Handle(task.With(t.Context(), task.Info{ID: "t1", Attempt: attempt}, nil, nil), 1)
	}
	if want := []string{"t1/p/s", "t1/p/s", "t1/p/s", "t1/p/s"}; !slices.Equal(seen, want) {
		t.Errorf("keys %q", seen)
	}
}

// A context that outlives its stage and its run keeps its key, also while the pipeline runs other tasks.
func TestKeyOfAKeptContext(t *testing.T) {
	var kept context.Context
	p := pipeline.New[int, int]("p").
		Stage(pipeline.Tap("a", func(ctx context.Context, v int) error {
			if v == 1 {
				kept = ctx
			}
			return nil
		})).
		Stage(add("b", 1)).MustBuild()
	_ = p.Handle(task.With(t.Context(), task.Info{ID: "t1"}, nil, nil), 1)
	_ = p.Handle(task.With(t.Context(), task.Info{ID: "t2"}, nil, nil), 2)
	if got := task.Key(kept); got != "t1/p/a" {
		t.Errorf("key %q", got)
	}
}

// However many stages there are, each has a context of its own.
func TestKeysOfManyKeptContexts(t *testing.T) {
	const stages = 20
	var kept []context.Context
	b := pipeline.New[int, int]("p")
	for i := range stages {
		b.Stage(pipeline.Tap(fmt.Sprint("s", i), func(ctx context.Context, _ int) error {
			kept = append(kept, ctx)
			return nil
		}))
	}
	p := b.MustBuild()
	for _, id := range []string{"t1", "t2"} {
		ctx := task.With(context.WithValue(t.Context(), otherKey{}, id), task.Info{ID: id}, nil, nil)
		if err := p.Handle(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != 2*stages {
		t.Fatalf("%d contexts", len(kept))
	}
	for i, ctx := range kept {
		id := fmt.Sprint("t", 1+i/stages)
		want := fmt.Sprintf("%s/p/s%d", id, i%stages)
		if got := task.Key(ctx); got != want || ctx.Value(otherKey{}) != id {
			t.Errorf("key %q, value %v, want %q", got, ctx.Value(otherKey{}), want)
		}
	}
}

type otherKey struct{}

// A stage's context is the caller's in every other respect.
func TestContextOfAStage(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), otherKey{}, "v"), time.Hour)
	defer cancel()
	want, _ := ctx.Deadline()
	check := pipeline.Tap("s", func(ctx context.Context, _ int) error {
		if got, ok := ctx.Deadline(); !ok || got != want || ctx.Value(otherKey{}) != "v" || ctx.Err() != nil {
			t.Errorf("deadline %v, value %v", got, ctx.Value(otherKey{}))
		}
		return nil
	})
	if _, err := pipeline.Each("e", check).Run(ctx, []int{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.New[int, int]("p").Stage(check).MustBuild().Run(ctx, 1); err != nil {
		t.Fatal(err)
	}
}

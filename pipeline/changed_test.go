package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

func TestChangedPipeline(t *testing.T) {
	type text string
	asText := pipeline.Pure("text", func(v int) text { return text(fmt.Sprint(v)) })
	back := pipeline.Pure("back", func(v text) int { return len(v) })
	for name, c := range map[string]struct {
		next     func(d *diary) *pipeline.Builder[int, int]
		restarts bool
		done     []string
	}{
		"the same": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint())
		}, false, nil},
		"more behind": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint()).Stage(d.noted("c", nil).Checkpoint())
		}, false, []string{"c(3)"}},
		"another stage without one": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("z", nil)).Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint())
		}, false, nil},
		"the last one gone": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil))
		}, true, []string{"a(1)", "b(2)"}},
		"renamed": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a2", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint())
		}, true, []string{"a2(1)", "b(2)"}},
		"pipeline renamed": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("q").Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint())
		}, true, []string{"a(1)", "b(2)"}},
		"the other way round": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("b", nil).Checkpoint()).Stage(d.noted("a", nil).Checkpoint())
		}, true, []string{"b(1)", "a(2)"}},
		"another type": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(pipeline.New[int, int]("b").Stage(asText).Stage(back).MustBuild()).
				Stage(asText.Checkpoint()).Stage(back)
		}, true, []string{"a(1)"}},
		"it can be undone now": {func(d *diary) *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(d.noted("a", nil).Compensate(d.undo("a"))).Stage(d.noted("b", nil).Checkpoint())
		}, true, []string{"a(1)", "b(2)"}},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			s := newShelf()
			first := pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(d.noted("b", nil).Checkpoint()).MustBuild()
			if _, err := first.Run(s.lease(t.Context()), 1); err != nil {
				t.Fatal(err)
			}
			if err := s.Save(t.Context(), "mine/own", "a handler's own"); err != nil {
				t.Fatal(err)
			}
			d.want(t, "a(1)", "b(2)")
			restarted := spanEvents(t, "restarted", func(ctx context.Context) {
				if _, err := c.next(&d).MustBuild().Run(s.lease(ctx), 1); err != nil {
					t.Error(err)
				}
			})
			d.want(t, c.done...)
			if restarted != c.restarts {
				t.Errorf("restarted: %t", restarted)
			}
			if len(s.kept("mine/")) != 1 {
				t.Error("what others keep is gone")
			}
		})
	}
}

// spanEvents runs f under a span and says whether that got an event of the name.
func spanEvents(t *testing.T, name string, f func(ctx context.Context)) (found bool) {
	t.Helper()
	provider := sdktrace.NewTracerProvider()
	defer provider.Shutdown(context.Background())
	ctx, span := provider.Tracer("worker").Start(t.Context(), "process")
	f(ctx)
	for _, e := range span.(sdktrace.ReadOnlySpan).Events() {
		found = found || e.Name == name
	}
	span.End()
	return found
}

func TestChangedPipelineWithEffects(t *testing.T) {
	changed := func(d *diary) *pipeline.Pipeline[int, int] {
		return pipeline.New[int, int]("settle").Stage(d.doing("reserve")).Stage(d.noted("look", nil)).Stage(d.doing("bill")).MustBuild()
	}
	var d diary
	s, failing := newShelf(), errAway
	_, _ = d.settle(&failing).Run(s.lease(t.Context()), 1)
	d.lines = nil
	before := s.places()
	for what, ctx := range map[string]context.Context{"run": s.lease(t.Context()), "undo": s.undoing(t.Context(), "over")} {
		err := changed(&d).Handle(ctx, 1)
		var c *pipeline.ChangedError
		if outcome, _ := task.Classify(err); !errors.As(err, &c) || outcome != task.Dead || c.Pipeline != "settle" || !strings.Contains(err.Error(), "/settle/charge@") {
			t.Errorf("%s: %v (%v)", what, err, outcome)
		}
		d.want(t)
		if got := s.places(); !slices.Equal(got, before) {
			t.Errorf("%s: kept %v", what, got)
		}
	}

	// A checkpoint alone has changed: nothing can go on, but everything can be undone.
	s = newShelf()
	_, _ = d.settle(&failing).Run(s.lease(t.Context()), 1)
	d.lines = nil
	only := pipeline.New[int, int]("settle").Stage(d.doing("reserve")).Stage(d.doing("charge")).Stage(d.noted("ledger", nil).Checkpoint()).MustBuild()
	var c *pipeline.ChangedError
	if err := only.Handle(s.lease(t.Context()), 1); !errors.As(err, &c) {
		t.Error(err)
	}
	if err := only.Handle(s.undoing(t.Context(), "over"), 1); err != nil {
		t.Error(err)
	}
	d.want(t, "undo charge(3)=4: over", "undo reserve(1)=2: over")
}

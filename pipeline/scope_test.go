package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// A nested pipeline that has a compensation of its own is undone as a whole once it has succeeded, and by its stages
// before that.
func TestNestedPipelineWithACompensationOfItsOwn(t *testing.T) {
	build := func(d *diary, inside, behind error) *pipeline.Pipeline[int, int] {
		inner := pipeline.New[int, int]("inner").Stage(d.doing("i")).Stage(d.noted("j", &inside)).MustBuild()
		return pipeline.New[int, int]("p").
			Stage(d.doing("a")).
			Stage(pipeline.Sub(inner).Compensate(d.undo("inner"))).
			Stage(d.noted("b", &behind)).
			MustBuild()
	}
	for _, queued := range []bool{false, true} {
		for name, c := range map[string]struct {
			inside, behind error
			want           []string
		}{
			"inside": {errDeclined, nil, []string{"undo i(2)=3", "undo a(1)=2"}},
			"behind": {nil, errDeclined, []string{"undo inner(2)=4", "undo a(1)=2"}},
		} {
			t.Run(fmt.Sprint(name, queued), func(t *testing.T) {
				var d diary
				ctx, s := t.Context(), newShelf()
				if queued {
					ctx = s.lease(ctx)
				}
				_, err := build(&d, c.inside, c.behind).Run(ctx, 1)
				if !errors.Is(err, errDeclined) {
					t.Fatal(err)
				}
				if queued {
					if err := build(&d, nil, nil).Handle(s.undoing(t.Context(), "over"), 1); err != nil {
						t.Fatal(err)
					}
				}
				var undone []string
				for _, line := range d.lines {
					if text, _, ok := strings.Cut(line, ": "); ok {
						undone = append(undone, text)
					}
				}
				if !slices.Equal(undone, c.want) {
					t.Errorf("undone %v, want %v", undone, c.want)
				}
			})
		}
	}
}

// The process ends between the record of the whole and the end of those inside of it.
func TestRecordsInsideOfACoveredPipelineAreNotUndone(t *testing.T) {
	var d diary
	s := newShelf()
	inner := pipeline.New[int, int]("inner").Stage(d.doing("i")).MustBuild()
	p := pipeline.New[int, int]("p").Stage(pipeline.Sub(inner).Compensate(d.undo("inner"))).MustBuild()
	s.broken["forget"] = errAway
	if _, err := p.Run(s.lease(t.Context()), 1); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	if got := s.places(); !slices.Equal(got, []string{"undo/00000001/p/inner/i", "undo/00000002/p/inner"}) {
		t.Fatalf("kept %v", got)
	}
	d.lines = nil
	delete(s.broken, "forget")
	if err := p.Handle(s.undoing(t.Context(), "over"), 1); err != nil {
		t.Fatal(err)
	}
	d.want(t, "undo inner(1)=2: over")
}

// What a Fallback stands in for is undone before it is asked.
func TestFallbackEndsTheScopeInsideOfIt(t *testing.T) {
	for _, queued := range []bool{false, true} {
		var d diary
		inside := task.Permanent(errDeclined)
		inner := pipeline.New[int, int]("inner").Stage(d.doing("i")).Stage(d.noted("j", nil).Checkpoint()).Stage(d.noted("k", &inside)).MustBuild()
		p := pipeline.New[int, int]("p").
			Stage(d.doing("a")).
			Stage(pipeline.Sub(inner).Fallback(func(_ context.Context, v int, _ error) (int, error) {
				d.note("instead(%d)", v)
				return 50, nil
			})).
			Stage(fails("end", errAway)).
			MustBuild()
		ctx, s := t.Context(), newShelf()
		if queued {
			ctx = s.lease(ctx)
		}
		if _, err := p.Run(ctx, 1); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		want := []string{"a(1)", "i(2)", "j(3)", "k(4)", "undo i(2)=3: p/inner/k: card declined", "instead(2)"}
		if !queued {
			want = append(want, "undo a(1)=2: p/end: database away")
		} else if got := s.places(); !slices.Equal(got, []string{"undo/00000001/p/a"}) {
			t.Errorf("kept %v", got)
		}
		d.want(t, want...)
	}
}

func TestFallbackIsNotAskedWhenItsScopeCannotBeUndone(t *testing.T) {
	var d diary
	inner := pipeline.New[int, int]("inner").
		Stage(d.noted("i", nil).Compensate(func(context.Context, int, int, error) error { return errAway })).
		Stage(fails("k", errDeclined)).MustBuild()
	p := pipeline.New[int, int]("p").Stage(pipeline.Sub(inner).Fallback(func(context.Context, int, error) (int, error) {
		t.Error("the fallback was asked")
		return 0, nil
	})).MustBuild()
	s := newShelf()
	_, err := p.Run(s.lease(t.Context()), 1)
	var failed *pipeline.CompensationError
	if outcome, _ := task.Classify(err); !errors.As(err, &failed) || outcome != task.Dead || len(s.places()) != 2 {
		t.Errorf("%v (%v), kept %v", err, outcome, s.places())
	}
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// noted makes a stage that notes its call, adds 1, and fails with err as long as there is one.
func (d *diary) noted(name string, err *error) *pipeline.Step[int, int] {
	return pipeline.Map(name, func(_ context.Context, v int) (int, error) {
		d.note("%s(%d)", name, v)
		if err != nil && *err != nil {
			return 0, *err
		}
		return v + 1, nil
	})
}

// line makes a pipeline of notes: a, b (checkpoint), c, d (checkpoint), e.
func (d *diary) line(err *error) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int]("p").
		Stage(d.noted("a", nil)).
		Stage(d.noted("b", nil).Checkpoint()).
		Stage(d.noted("c", nil)).
		Stage(d.noted("d", nil).Checkpoint()).
		Stage(d.noted("e", err)).
		MustBuild()
}

func TestRetryGoesOnBehindTheLastCheckpoint(t *testing.T) {
	var d diary
	s, failing := newShelf(), errAway
	p := d.line(&failing)
	if _, err := p.Run(s.lease(t.Context()), 1); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	d.want(t, "a(1)", "b(2)", "c(3)", "d(4)", "e(5)")
	if got := s.places(); !slices.Equal(got, []string{"checkpoint/p/b", "checkpoint/p/d"}) {
		t.Errorf("kept %v", got)
	}

	failing = nil
	var out int
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) {
		var err error
		if out, err = d.line(&failing).Run(s.lease(ctx), 99); err != nil { // a process of its own, and the input is not looked at
			t.Error(err)
		}
	})
	d.want(t, "e(5)")
	if out != 6 {
		t.Errorf("Run = %d", out)
	}
	if names := tree(spans); !slices.Equal(names, []string{">e name=p stage=e stage.kind=map"}) {
		t.Errorf("spans %v", names)
	}
}

func TestResumingShowsInTheTrace(t *testing.T) {
	var d diary
	s := newShelf()
	failing := errAway
	inner := pipeline.New[int, int]("inner").Stage(d.noted("i", nil).Checkpoint()).Stage(d.noted("j", &failing)).MustBuild()
	p := pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).Stage(inner).MustBuild()
	_, _ = p.Run(s.lease(t.Context()), 1)
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = p.Run(s.lease(ctx), 1) })
	var events []string
	for _, s := range spans {
		for _, e := range s.Events() {
			if e.Name == "resumed" {
				events = append(events, s.Name()+": "+e.Attributes[0].Value.AsString())
			}
		}
	}
	if !slices.Equal(events, []string{"inner: p/inner/i"}) { // the one behind p/a is on the span of the worker
		t.Errorf("events %v", events)
	}
}

func TestLastStageWithACheckpointIsNotDoneTwice(t *testing.T) {
	var d diary
	s := newShelf()
	p := pipeline.New[int, int]("p").Stage(d.noted("a", nil)).Stage(d.noted("b", nil).Checkpoint()).MustBuild()
	for range 2 {
		if got, err := p.Run(s.lease(t.Context()), 1); got != 3 || err != nil {
			t.Errorf("Run = %d, %v", got, err)
		}
	}
	d.want(t, "a(1)", "b(2)")
}

func TestEachElementGoesOnBehindItsOwnCheckpoint(t *testing.T) {
	var d diary
	s, failing := newShelf(), errAway
	element := pipeline.New[int, int]("line").Stage(d.noted("book", nil).Checkpoint()).Stage(pipeline.Map("ship", func(_ context.Context, v int) (int, error) {
		if v == 22 && failing != nil {
			return 0, failing
		}
		return v, nil
	})).MustBuild()
	p := pipeline.New[[]int, []int]("p").
		Stage(pipeline.Each("lines", element, pipeline.AtOnce(1), pipeline.CollectErrors()).KeyedBy(func(v int) string { return fmt.Sprintf("no/%d", v) })).
		MustBuild()
	if _, err := p.Run(s.lease(t.Context()), []int{11, 21, 31}); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	d.want(t, "book(11)", "book(21)", "book(31)")
	failing = nil
	got, err := p.Run(s.lease(t.Context()), []int{41, 31, 21, 11}) // keys, not places, say which element it is
	if err != nil || !slices.Equal(got, []int{42, 32, 22, 12}) {
		t.Errorf("Run = %v, %v", got, err)
	}
	d.want(t, "book(41)")
	want := []string{"checkpoint/p/lines/no%2F11/line/book", "checkpoint/p/lines/no%2F21/line/book", "checkpoint/p/lines/no%2F31/line/book", "checkpoint/p/lines/no%2F41/line/book"}
	if got := s.places(); !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
}

func TestKeysUnderWhichSomethingIsKeptMustNotRepeat(t *testing.T) {
	ran := false
	stage := pipeline.Map("s", func(_ context.Context, v int) (int, error) { ran = true; return v, nil })
	for name, in := range map[string][]int{"repeated": {1, 2, 1}, "empty": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			key := func(v int) string { return strings.Repeat("x", v) }
			p := pipeline.New[[]int, []int]("p").Stage(pipeline.Each("e", stage.Checkpoint()).KeyedBy(key)).MustBuild()
			_, err := p.Run(t.Context(), in)
			if outcome, _ := task.Classify(err); !errors.Is(err, pipeline.ErrRepeatedKey) || outcome != task.Dead || ran {
				t.Errorf("Run: %v (%v), ran %t", err, outcome, ran)
			}
			if name == "repeated" && !strings.Contains(err.Error(), `element 2 has the key "x"`) {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestSavingFails(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		outcome task.Outcome
		text    string
	}{
		"away":       {errAway, task.Retry, "p/b: cannot keep the output: database away"},
		"lease lost": {fmt.Errorf("task t1: %w", task.ErrLeaseLost), task.Retry, "p/b: cannot keep the output: task t1: lease lost"},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			s := newShelf()
			s.broken["save"] = c.err
			got, err := d.line(nil).Run(s.lease(t.Context()), 1)
			if outcome, _ := task.Classify(err); got != 0 || outcome != c.outcome || err.Error() != c.text || !errors.Is(err, c.err) {
				t.Errorf("Run = %d, %v (%v)", got, err, outcome)
			}
			d.want(t, "a(1)", "b(2)")
		})
	}
}

func TestReadingFails(t *testing.T) {
	for _, call := range []string{"list", "load"} {
		t.Run(call, func(t *testing.T) {
			var d diary
			s, failing := newShelf(), errAway
			_, _ = d.line(&failing).Run(s.lease(t.Context()), 1)
			d.lines = nil
			s.broken[call] = errAway
			_, err := d.line(nil).Run(s.lease(t.Context()), 1)
			var at *pipeline.StageError
			if outcome, _ := task.Classify(err); outcome != task.Retry || !errors.Is(err, errAway) || !errors.As(err, &at) {
				t.Errorf("Run: %v (%v)", err, outcome)
			}
			d.want(t) // nothing: it must not begin at the front
		})
	}
	t.Run("forget", func(t *testing.T) {
		var d diary
		s := newShelf()
		old := pipeline.New[int, int]("p").Stage(d.noted("old", nil).Checkpoint()).MustBuild()
		_, _ = old.Run(s.lease(t.Context()), 1)
		d.lines = nil
		s.broken["forget"] = errAway
		if _, err := d.line(nil).Run(s.lease(t.Context()), 1); !errors.Is(err, errAway) {
			t.Error(err)
		}
		d.want(t)
	})
}

// What a stage has done is written down also when the run was cancelled meanwhile.
func TestCancelledAfterTheEffect(t *testing.T) {
	for _, cause := range []error{task.ErrForced, task.ErrCancelled, errAway} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := newShelf()
		p := pipeline.New[int, int]("p").
			Stage(pipeline.Map("a", func(_ context.Context, v int) (int, error) { cancel(cause); return v, nil }).Checkpoint()).
			Stage(add("b", 1)).
			MustBuild()
		if _, err := p.Run(s.lease(ctx), 1); !errors.Is(err, cause) {
			t.Error(err)
		}
		if got := s.places(); !slices.Equal(got, []string{"checkpoint/p/a"}) {
			t.Errorf("%v: kept %v", cause, got)
		}
	}
}

// Outside of a queue outputs are kept for the run: a retry around several stages goes on from them.
func TestCheckpointInAPlainRun(t *testing.T) {
	var d diary
	calls := 0
	flaky := pipeline.Map("flaky", func(_ context.Context, v int) (int, error) {
		if calls++; calls < 3 {
			return 0, errAway
		}
		return v, nil
	})
	inner := pipeline.New[int, int]("inner").Stage(d.noted("a", nil).Checkpoint()).Stage(flaky).MustBuild()
	p := pipeline.New[int, int]("p").Stage(pipeline.Sub(inner).Retry(3, noPause)).MustBuild()
	for range 2 {
		calls = 0
		if got, err := p.Run(t.Context(), 1); got != 2 || err != nil {
			t.Fatal(got, err)
		}
		d.want(t, "a(1)")
	}
}

func TestStageAloneKeepsForItsRun(t *testing.T) {
	var d diary
	calls := 0
	flaky := pipeline.Map("flaky", func(_ context.Context, v int) (int, error) {
		if calls++; calls == 1 {
			return 0, errAway
		}
		return v, nil
	})
	inner := pipeline.New[int, int]("inner").Stage(d.noted("a", nil).Checkpoint()).Stage(flaky).MustBuild()
	if got, err := pipeline.Sub(inner).Retry(2, noPause).Run(t.Context(), 1); got != 2 || err != nil {
		t.Fatal(got, err)
	}
	d.want(t, "a(1)")
}

func TestKeepingPipelineRefusesToRunInsideOfAStage(t *testing.T) {
	var d diary
	inner := d.line(nil)
	p := pipeline.New[int, int]("outer").Stage(pipeline.Map("s", inner.Run)).MustBuild()
	_, err := p.Run(t.Context(), 1)
	if outcome, _ := task.Classify(err); outcome != task.Dead || !strings.Contains(err.Error(), "outer/s") || !strings.Contains(err.Error(), "pipeline.Sub") {
		t.Errorf("%v (%v)", err, outcome)
	}
	d.want(t)
}

// picky is a value whose own encoding panics.
type picky struct{ N int }

func (p picky) MarshalJSON() ([]byte, error) {
	if p.N < 0 {
		panic("no negatives")
	}
	return []byte(fmt.Sprint(p.N)), nil
}

func (p *picky) UnmarshalJSON(b []byte) error {
	if string(b) == "13" {
		panic("bad luck")
	}
	_, err := fmt.Sscan(string(b), &p.N)
	return err
}

func TestEncodingPanics(t *testing.T) {
	p := pipeline.New[int, picky]("p").Stage(pipeline.Pure("a", func(v int) picky { return picky{v} }).Checkpoint()).
		Stage(pipeline.Tap("b", func(context.Context, picky) error { return errAway })).MustBuild()
	for _, c := range []struct {
		in   int
		text string
	}{{-1, "p/a: cannot keep the output: panic: no negatives"}, {1, "p/b: database away"}, {13, "p/a: panic: bad luck"}} {
		s := newShelf()
		var err error
		for range 2 {
			_, err = p.Run(s.lease(t.Context()), c.in)
		}
		if err == nil || err.Error() != c.text {
			t.Errorf("%d: %v, want %s", c.in, err, c.text)
		}
		if n := p.Counters()["p/a"]; n.InFlight != 0 {
			t.Errorf("counters %+v", n)
		}
	}
}

func TestWhatTheWorkerAsks(t *testing.T) {
	var d diary
	plain := pipeline.New[int, int]("p").Stage(add("a", 1)).MustBuild()
	inner := pipeline.New[int, int]("inner").Stage(d.noted("i", nil).Compensate(d.undo("i"))).MustBuild()
	for _, c := range []struct {
		p                 *pipeline.Pipeline[int, int]
		needs, compensate bool
	}{
		{plain, false, false},
		{d.line(nil), true, false},
		{pipeline.New[int, int]("q").Stage(inner).MustBuild(), true, true},
	} {
		var a task.Attacher = c.p
		if a.NeedsCheckpoints() != c.needs || a.Compensates() != c.compensate {
			t.Errorf("%s: needs %t, compensates %t", c.p.Name(), a.NeedsCheckpoints(), a.Compensates())
		}
	}
}

// A stage's Timeout does not bound keeping its output, and its Retry does not run it again because of that.
func TestKeepingIsOutsideOfThePolicies(t *testing.T) {
	var d diary
	s := newShelf()
	s.broken["save"] = errAway
	p := pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint().Retry(3, noPause).Timeout(time.Hour)).MustBuild()
	if _, err := p.Run(s.lease(t.Context()), 1); !errors.Is(err, errAway) {
		t.Error(err)
	}
	d.want(t, "a(1)")
}

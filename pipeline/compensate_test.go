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

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// doing makes a stage that notes its call, adds 1, and can be undone.
func (d *diary) doing(name string) *pipeline.Step[int, int] {
	return d.noted(name, nil).Compensate(d.undo(name))
}

// settle makes a pipeline that reserves, charges, and then ends with err.
func (d *diary) settle(err *error) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int]("settle").
		Stage(d.doing("reserve")).
		Stage(d.noted("look", nil)).
		Stage(d.doing("charge")).
		Stage(d.noted("book", nil).Checkpoint()).
		Stage(d.noted("notify", err)).
		MustBuild()
}

func TestPlainRunUndoesWhatItDid(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		undone  bool
		outcome task.Outcome
	}{
		"error":       {errDeclined, true, task.Retry},
		"permanent":   {task.Permanent(errDeclined), true, task.Dead},
		"retry after": {task.RetryAfter(time.Minute, errDeclined), true, task.Retry},
		"snooze":      {task.Snooze(time.Minute, "closed"), false, task.Snoozed},
		"drop":        {task.Drop("not ours"), false, task.Dropped},
		"success":     {nil, false, task.Done},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			got, err := d.settle(&c.err).Run(t.Context(), 1)
			if outcome, _ := task.Classify(err); outcome != c.outcome || err != nil && got != 0 || !errors.Is(err, c.err) {
				t.Errorf("Run = %d, %v (%v)", got, err, outcome)
			}
			want := []string{"reserve(1)", "look(2)", "charge(3)", "book(4)", "notify(5)"}
			if c.undone {
				cause := "settle/notify: card declined"
				want = append(want, "undo charge(3)=4: "+cause, "undo reserve(1)=2: "+cause)
			}
			d.want(t, want...)
		})
	}
}

func TestPlainRunThatIsCancelled(t *testing.T) {
	for _, c := range []struct {
		cause  error
		undone bool
	}{{errAway, true}, {task.ErrCancelled, true}, {task.ErrForced, false}, {task.ErrLeaseLost, false}} {
		var d diary
		ctx, cancel := context.WithCancelCause(t.Context())
		p := pipeline.New[int, int]("p").
			Stage(d.noted("a", nil).Compensate(func(ctx context.Context, _, _ int, cause error) error {
				d.note("undo: %v, %v", cause, ctx.Err())
				return nil
			})).
			Stage(pipeline.Tap("b", func(context.Context, int) error { cancel(c.cause); return nil })).
			Stage(d.noted("c", nil)).
			MustBuild()
		if _, err := p.Run(ctx, 1); !errors.Is(err, c.cause) {
			t.Error(err)
		}
		want := []string{"a(1)"}
		if c.undone {
			want = append(want, fmt.Sprintf("undo: p/c: %v, <nil>", c.cause))
		}
		d.want(t, want...)
	}
}

// A task whose queue keeps nothing is undone by its last attempt, not by one that is followed by another.
func TestTaskWithoutCheckpoints(t *testing.T) {
	for attempt, undone := range map[int]bool{1: false, 3: true} {
		var d diary
		failing := errAway
		ctx := task.With(t.Context(), task.Info{ID: "t1", Attempt: attempt, MaxAttempts: 3}, nil, nil)
		_, _ = d.settle(&failing).Run(ctx, 1)
		if got := len(d.lines) > 5; got != undone {
			t.Errorf("attempt %d of 3: %v", attempt, d.lines)
		}
	}
}

// On a queue the attempt leaves the records, however it ended, and the lease that follows undoes from them.
func TestTaskOnAQueueIsUndoneByALeaseOfItsOwn(t *testing.T) {
	for name, failing := range map[string]error{"error": errAway, "permanent": task.Permanent(errDeclined), "snooze": task.Snooze(1, "x"), "drop": task.Drop("x")} {
		t.Run(name, func(t *testing.T) {
			var d diary
			s := newShelf()
			_, err := d.settle(&failing).Run(s.lease(t.Context()), 1)
			if !errors.Is(err, failing) {
				t.Fatal(err)
			}
			d.want(t, "reserve(1)", "look(2)", "charge(3)", "book(4)", "notify(5)")
			want := []string{"checkpoint/settle/book", "undo/00000001/settle/reserve", "undo/00000002/settle/charge"}
			if got := s.places(); !slices.Equal(got, want) {
				t.Errorf("kept %v", got)
			}

			// Another process, built anew: all it has is what was kept.
			if err := d.settle(nil).Handle(s.undoing(t.Context(), "gave up"), 77); err != nil {
				t.Fatal(err)
			}
			d.want(t, "undo charge(3)=4: gave up", "undo reserve(1)=2: gave up")
			if got := s.places(); len(got) != 0 {
				t.Errorf("kept %v", got)
			}
		})
	}
}

func TestCauseOfACompensation(t *testing.T) {
	for text, want := range map[string]error{"": nil, task.ErrCancelled.Error(): task.ErrCancelled, "card declined": nil} {
		var cause error
		p := pipeline.New[int, int]("p").Stage(add("a", 1).Compensate(func(_ context.Context, _, _ int, c error) error { cause = c; return nil })).MustBuild()
		s := newShelf()
		_, _ = p.Run(s.lease(t.Context()), 1)
		if err := p.Handle(s.undoing(t.Context(), text), 1); err != nil || cause == nil || want != nil && !errors.Is(cause, want) || text != "" && cause.Error() != text {
			t.Errorf("%q: cause %v, %v", text, cause, err)
		}
	}
}

func TestNothingToUndo(t *testing.T) {
	var d diary
	if err := d.settle(nil).Handle(newShelf().undoing(t.Context(), "x"), 1); err != nil {
		t.Error(err)
	}
	d.want(t)
}

// The order is that of completion, whatever stood where.
func TestUndoingElementsInTheOrderOfCompletion(t *testing.T) {
	for _, queued := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var d diary
			book := pipeline.Map("book", func(ctx context.Context, v int) (string, error) {
				time.Sleep(time.Duration(v) * time.Second)
				return fmt.Sprint(v), nil
			}).Compensate(func(ctx context.Context, in int, out string, _ error) error {
				d.note("%s %d %s", task.Key(ctx), in, out)
				return nil
			})
			p := pipeline.New[[]int, []string]("p").
				Stage(pipeline.Each("each", pipeline.New[int, string]("line").Stage(book).MustBuild()).KeyedBy(func(v int) string { return fmt.Sprintf("no%d", v) })).
				Stage(pipeline.Tap("fail", func(context.Context, []string) error { return errDeclined })).
				MustBuild()
			ctx, id := t.Context(), ""
			s := newShelf()
			if queued {
				ctx, id = s.lease(ctx), "t1/"
			}
			_, err := p.Run(ctx, []int{2, 3, 1})
			if !errors.Is(err, errDeclined) {
				t.Fatal(err)
			}
			if queued {
				if err := p.Handle(s.undoing(t.Context(), "x"), nil); err != nil {
					t.Fatal(err)
				}
			}
			d.want(t, id+"p/each/no3/line/book#undo 3 3", id+"p/each/no2/line/book#undo 2 2", id+"p/each/no1/line/book#undo 1 1")
		})
	}
}

// refusing makes a pipeline of three effects of which the middle one is undone as undo says.
func (d *diary) refusing(undo func() error) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int]("p").
		Stage(d.doing("a")).
		Stage(d.noted("b", nil).Compensate(func(context.Context, int, int, error) error {
			d.note("undo b")
			return undo()
		})).
		Stage(d.doing("c")).
		Stage(fails("end", task.Permanent(errDeclined))).
		MustBuild()
}

func TestFailedCompensation(t *testing.T) {
	for name, c := range map[string]struct {
		undo    func() error
		text    string
		outcome task.Outcome // on a queue
	}{
		"error":     {func() error { return errAway }, "database away", task.Retry},
		"permanent": {func() error { return task.Permanent(errAway) }, "database away", task.Dead},
		"snooze":    {func() error { return task.Snooze(time.Hour, "closed") }, "snoozed: closed", task.Snoozed},
		"panic":     {func() error { panic("out of paper") }, "panic: out of paper", task.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(err error, cause, outcome any) {
				t.Helper()
				var failed *pipeline.CompensationError
				var at *pipeline.StageError
				if !errors.As(err, &failed) || !errors.As(failed.Err, &at) || at.Path != "p/b#undo" {
					t.Fatalf("error %v", err)
				}
				if !slices.Equal(failed.Undone, []string{"p/c"}) || !slices.Equal(failed.Left, []string{"p/b", "p/a"}) {
					t.Errorf("undone %v, left %v", failed.Undone, failed.Left)
				}
				if want := fmt.Sprintf("%v; undoing it failed: p/b#undo: %s (not undone: p/b, p/a)", cause, c.text); err.Error() != want {
					t.Errorf("error %q, want %q", err, want)
				}
				if got, _ := task.Classify(err); got != outcome {
					t.Errorf("outcome %v, want %v", got, outcome)
				}
			}

			var d diary
			_, err := d.refusing(c.undo).Run(t.Context(), 1)
			check(err, "p/end: card declined", task.Dead)
			if !errors.Is(err, errDeclined) {
				t.Error("the cause is not found in it")
			}
			d.want(t, "a(1)", "b(2)", "c(3)", "undo c(3)=4: p/end: card declined", "undo b")

			s := newShelf()
			_, _ = d.refusing(c.undo).Run(s.lease(t.Context()), 1)
			d.lines = nil
			check(d.refusing(c.undo).Handle(s.undoing(t.Context(), "over"), 1), "over", c.outcome)
			d.want(t, "undo c(3)=4: over", "undo b")
			if got := s.places(); !slices.Equal(got, []string{"undo/00000001/p/a", "undo/00000002/p/b", "undo/00000002/p/b!"}) {
				t.Errorf("kept %v", got)
			}
			// The lease after that does what is left.
			if err := d.refusing(func() error { return nil }).Handle(s.undoing(t.Context(), "over"), 1); err != nil {
				t.Error(err)
			}
			d.want(t, "undo b", "undo a(1)=2: over")
		})
	}
}

func TestDropOfACompensationIsSuccess(t *testing.T) {
	var d diary
	_, err := d.refusing(func() error { return task.Drop("was never there") }).Run(t.Context(), 1)
	if outcome, _ := task.Classify(err); outcome != task.Dead || err.Error() != "p/end: card declined" {
		t.Error(err)
	}
	d.want(t, "a(1)", "b(2)", "c(3)", "undo c(3)=4: p/end: card declined", "undo b", "undo a(1)=2: p/end: card declined")
}

func TestCompensationHasTheStagesRetryAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Second: 30 * time.Second, time.Hour: time.Hour} {
			calls := 0
			a := add("a", 1).Compensate(func(ctx context.Context, _, _ int, _ error) error {
				if calls++; calls == 1 {
					return errAway
				}
				began := time.Now()
				<-ctx.Done()
				if got := time.Since(began); got != want {
					t.Errorf("timeout %s: the compensation had %s", timeout, got)
				}
				return nil // and comes late
			}).Retry(2, noPause)
			if timeout > 0 {
				a = a.Timeout(timeout)
			}
			_, err := pipeline.New[int, int]("p").Stage(a).Stage(fails("b", errDeclined)).MustBuild().Run(t.Context(), 1)
			var late *pipeline.TimeoutError
			if !errors.As(err, &late) || calls != 2 {
				t.Errorf("%v after %d calls", err, calls)
			}
		}
	})
}

// A forced stop ends the lease between two compensations; what is left is for the next.
func TestForcedStopOfAnUndoLease(t *testing.T) {
	var d diary
	s := newShelf()
	ctx, cancel := context.WithCancelCause(s.undoing(t.Context(), "over"))
	stop := func() error { cancel(task.ErrForced); return nil }
	_, _ = d.refusing(stop).Run(s.lease(t.Context()), 1)
	d.lines = nil
	err := d.refusing(stop).Handle(ctx, 1)
	if !errors.Is(err, task.ErrForced) {
		t.Error(err)
	}
	d.want(t, "undo c(3)=4: over", "undo b")
	if got := s.places(); !slices.Equal(got, []string{"undo/00000001/p/a"}) {
		t.Errorf("kept %v: what was undone must be forgotten, also when the lease ends there", got)
	}
}

func TestRecordsThatCannotBeForgotten(t *testing.T) {
	var d diary
	s, failing := newShelf(), task.Permanent(errDeclined)
	_, _ = d.settle(&failing).Run(s.lease(t.Context()), 1)
	d.lines = nil
	s.broken["forget"] = errAway
	err := d.settle(nil).Handle(s.undoing(t.Context(), "over"), 1)
	if outcome, _ := task.Classify(err); !errors.Is(err, errAway) || outcome != task.Retry {
		t.Error(err)
	}
	d.want(t) // the checkpoint behind them is still there: nothing may be undone in front of it
}

func TestGoexitOfAPlainRunUndoes(t *testing.T) {
	var d diary
	p := pipeline.New[int, int]("p").Stage(d.doing("a")).
		Stage(pipeline.Tap("exit", func(context.Context, int) error { runtime.Goexit(); return nil })).MustBuild()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = p.Run(context.Background(), 1) })
	wg.Wait()
	d.want(t, "a(1)", "undo a(1)=2: "+pipeline.ErrGoexit.Error())
}

func TestGoexitOfACompensationKeepsItsRecord(t *testing.T) {
	var d diary
	s := newShelf()
	p := d.refusing(func() error { runtime.Goexit(); return nil })
	_, _ = p.Run(s.lease(t.Context()), 1)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Handle(s.undoing(context.Background(), "over"), 1) })
	wg.Wait()
	if got := s.places(); !slices.Equal(got, []string{"undo/00000001/p/a", "undo/00000002/p/b", "undo/00000002/p/b!"}) {
		t.Errorf("kept %v", got)
	}
}

func TestCompensationHasASpan(t *testing.T) {
	var d diary
	failing := errDeclined
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = d.settle(&failing).Run(ctx, 1) })
	var names []string
	for _, s := range spans[len(spans)-2:] {
		names = append(names, s.Name())
	}
	if !slices.Equal(names, []string{"charge#undo", "reserve#undo"}) {
		t.Errorf("spans %v", names)
	}
}

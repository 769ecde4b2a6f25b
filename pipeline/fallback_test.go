package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

func TestFallback(t *testing.T) {
	type stage = *pipeline.Step[int, int]
	slow := until(time.Minute, nil).Timeout(time.Second)
	panics := pipeline.Map("s", func(context.Context, int) (int, error) { panic("out of paper") })
	for name, c := range map[string]struct {
		stage stage
		asked string // the error that the fallback gets; "": it is not asked
		want  int
		text  string
	}{
		"succeeds":        {add("s", 1), "", 4, ""},
		"fails":           {fails("s", errAway), "database away", 30, ""},
		"fails often":     {fails("s", errAway).Retry(3, noPause), "database away", 30, ""},
		"fails for good":  {fails("s", task.Permanent(errAway)), "database away", 30, ""},
		"retry after":     {fails("s", task.RetryAfter(time.Second, errAway)), "database away", 30, ""},
		"times out":       {slow, "timed out after 1s", 30, ""},
		"panics":          {panics, "panic: out of paper", 30, ""},
		"drops":           {fails("s", task.Drop("not ours")), "", 0, "s: dropped: not ours"},
		"snoozes":         {fails("s", task.Snooze(time.Second, "later")), "", 0, "s: snoozed: later"},
		"nested pipeline": {pipeline.Sub(pipeline.New[int, int]("s").Stage(fails("a", errAway)).MustBuild()), "s/a: database away", 30, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := ""
				got, err := c.stage.Fallback(func(_ context.Context, in int, err error) (int, error) {
					asked += err.Error()
					return 10 * in, nil
				}).Run(t.Context(), 3)
				if got != c.want || asked != c.asked || c.text == "" && err != nil || c.text != "" && (err == nil || err.Error() != c.text) {
					t.Errorf("%d, %v; asked about %q", got, err, asked)
				}
			})
		})
	}
}

// What the fallback returns is the stage's error; the one before can still be found.
func TestFallbackThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		give    func() error
		outcome task.Outcome
		text    string
	}{
		"error":     {func() error { return errStale }, task.Retry, "p/s: after 2 attempts: fallback: cache stale; after: database away"},
		"permanent": {func() error { return task.Permanent(errStale) }, task.Dead, "p/s: after 2 attempts: fallback: cache stale; after: database away"},
		"drop":      {func() error { return task.Drop("nothing to do") }, task.Dropped, "p/s: after 2 attempts: fallback: dropped: nothing to do; after: database away"},
		"panic":     {func() error { panic("out of paper") }, task.Retry, "p/s: after 2 attempts: fallback: panic: out of paper; after: database away"},
	} {
		s := fails("s", errAway).Retry(2, noPause).Fallback(func(context.Context, int, error) (int, error) { return 9, c.give() })
		got, err := pipeline.New[int, int]("p").Stage(s).MustBuild().Run(t.Context(), 1)
		if outcome, _ := task.Classify(err); got != 0 || err.Error() != c.text || outcome != c.outcome || !errors.Is(err, errAway) {
			t.Errorf("%s: %d, %v (%v)", name, got, err, outcome)
		}
	}
}

// A cancelled run gets no stand-in: another run will do the work.
func TestNoFallbackOnceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := pipeline.Map("s", func(context.Context, int) (int, error) {
		cancel(task.ErrLeaseLost)
		return 0, errAway
	}).Fallback(func(context.Context, int, error) (int, error) { t.Error("asked"); return 1, nil }).Run(ctx, 1)
	if !errors.Is(err, errAway) {
		t.Error(err)
	}
}

func TestRetryIf(t *testing.T) {
	busy := func(err error) bool { return strings.Contains(err.Error(), "busy") }
	for name, c := range map[string]struct {
		errs  []error
		calls int
	}{
		"the right error":        {[]error{errors.New("busy"), errors.New("busy")}, 3},
		"another error":          {[]error{errAway}, 1},
		"another error later":    {[]error{errors.New("busy"), errAway}, 2},
		"it cannot widen: final": {[]error{task.Permanent(errors.New("busy"))}, 1},
		"it cannot widen: wait":  {[]error{task.RetryAfter(time.Second, errors.New("busy"))}, 1},
	} {
		calls := 0
		_, err := script(&calls, c.errs...).RetryIf(busy).Retry(5, noPause).Run(t.Context(), 1)
		if calls != c.calls || (err == nil) != (c.calls == 3) {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

func TestPermanentIf(t *testing.T) {
	unknown := errors.New("unknown article")
	is := func(err error) bool { return errors.Is(err, unknown) }
	for name, c := range map[string]struct {
		err     error
		calls   int
		outcome task.Outcome
	}{
		"it is":               {unknown, 1, task.Dead},
		"it is not":           {errAway, 3, task.Retry},
		"it wants to wait":    {task.RetryAfter(time.Second, unknown), 1, task.Dead},
		"it says drop":        {task.Drop("x"), 1, task.Dropped},
		"it is joined with":   {errors.Join(unknown, errAway), 1, task.Dead},
		"it says permanently": {task.Permanent(errAway), 1, task.Dead},
	} {
		calls := 0
		_, err := script(&calls, c.err, c.err, c.err).Retry(3, noPause).PermanentIf(is).Run(t.Context(), 1)
		if outcome, _ := task.Classify(err); calls != c.calls || outcome != c.outcome {
			t.Errorf("%s: %d calls, %v: %v", name, calls, err, outcome)
		}
	}
}

// "Everything else is permanent" must not kill a task because its run was stopped or its breaker is open.
func TestPermanentIfIsNotAskedAboutTheRun(t *testing.T) {
	all := func(error) bool { return true }
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		cancel(task.ErrForced)
		return 0, ctx.Err()
	}).PermanentIf(all).Run(ctx, 1)
	if outcome, _ := task.Classify(err); outcome != task.Retry {
		t.Errorf("cancelled: %v", outcome)
	}
	s := fails("s", task.RetryAfter(1, errAway)).Breaker(1, time.Minute).PermanentIf(func(err error) bool { return isOpen(err) })
	_, _ = s.Run(t.Context(), 1)
	_, err = s.Run(t.Context(), 1)
	if outcome, _ := task.Classify(err); !isOpen(err) || outcome != task.Retry {
		t.Errorf("open: %v, %v", outcome, err)
	}
}

func TestConditionsThatPanic(t *testing.T) {
	thrown := func(error) bool { panic("out of paper") }
	for name, s := range map[string]*pipeline.Step[int, int]{
		"retry if":     fails("s", errAway).Retry(3).RetryIf(thrown),
		"permanent if": fails("s", errAway).Retry(3).PermanentIf(thrown),
	} {
		_, err := s.Run(t.Context(), 1)
		var p *pipeline.PanicError
		if !errors.As(err, &p) || err.Error() != "s: panic: out of paper" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However the policies are called, they nest alike.
func TestOrderOfAllPolicies(t *testing.T) {
	type stage = *pipeline.Step[int, int]
	var seen []string
	policies := []func(stage) stage{
		func(s stage) stage { return s.Timeout(time.Second) },
		func(s stage) stage { return s.Limit(1) },
		func(s stage) stage { return s.Rate(1, 1) },
		func(s stage) stage { return s.Breaker(3, time.Hour) },
		func(s stage) stage { return s.Retry(5, noPause) },
		func(s stage) stage {
			return s.Fallback(func(_ context.Context, _ int, err error) (int, error) {
				seen = append(seen, "fallback")
				if !isOpen(err) {
					t.Errorf("stands in for %v", err)
				}
				return 1, nil
			})
		},
	}
	for turn := range policies {
		synctest.Test(t, func(t *testing.T) {
			seen = nil
			start := time.Now()
			s := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
				seen = append(seen, time.Since(start).Round(time.Second).String())
				<-ctx.Done()
				return 0, ctx.Err()
			})
			for i := range policies {
				s = policies[(i+turn)%len(policies)](s)
			}
			_, err := s.Run(t.Context(), 1)
			// Each attempt has the whole timeout, the third opens the breaker, and the fallback covers what that says.
			if want := []string{"0s", "1s", "2s", "fallback"}; err != nil || !slices.Equal(seen, want) {
				t.Errorf("turn %d: %v, %v", turn, seen, err)
			}
		})
	}
}

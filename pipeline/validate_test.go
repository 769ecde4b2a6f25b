package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

var errOdd = errors.New("odd")

// evenOr makes a Validate that refuses odd numbers with errOdd wrapped by refuse, and notes the refused ones.
func evenOr(refuse func(error) error, noted *[]pipeline.Rejected[int]) *pipeline.Step[int, int] {
	note := pipeline.Sink("note", func(_ context.Context, r pipeline.Rejected[int]) error {
		*noted = append(*noted, r)
		return nil
	})
	return pipeline.Validate("check", func(_ context.Context, v int) error {
		if v%2 == 1 {
			return refuse(errOdd)
		}
		return nil
	}, note)
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		refuse  func(error) error
		noted   int
		outcome task.Outcome
		text    string
	}{
		"a plain error":        {func(err error) error { return err }, 1, task.Dropped, "p/check: dropped: rejected: odd"},
		"a permanent error":    {task.Permanent, 1, task.Dropped, "p/check: dropped: rejected: odd"},
		"could not be checked": {func(err error) error { return task.RetryAfter(time.Second, err) }, 0, task.Retry, "p/check: odd"},
		"not yet":              {func(error) error { return task.Snooze(time.Second, "later") }, 0, task.Snoozed, "p/check: snoozed: later"},
		"to be dropped":        {func(error) error { return task.Drop("ours") }, 0, task.Dropped, "p/check: dropped: ours"},
	} {
		t.Run(name, func(t *testing.T) {
			var noted []pipeline.Rejected[int]
			p := pipeline.New[int, int]("p").Stage(evenOr(c.refuse, &noted)).MustBuild()
			if got, err := p.Run(t.Context(), 2); got != 2 || err != nil || len(noted) > 0 {
				t.Errorf("a good value: %d, %v, noted %v", got, err, noted)
			}
			got, err := p.Run(t.Context(), 3)
			if outcome, _ := task.Classify(err); got != 0 || outcome != c.outcome || err.Error() != c.text {
				t.Errorf("a bad value: %d, %v: %v", got, err, outcome)
			}
			if len(noted) != c.noted || c.noted > 0 && (noted[0].Value != 3 || !errors.Is(noted[0].Reason, errOdd)) {
				t.Errorf("noted %v", noted)
			}
			var rejected *pipeline.RejectedError
			if errors.As(err, &rejected) != (c.noted > 0) || c.noted > 0 && !errors.Is(err, errOdd) {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestRejectedPathThatFails(t *testing.T) {
	calls := 0
	path := func(err error) *pipeline.Step[pipeline.Rejected[int], pipeline.Done] {
		return pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error {
			calls++
			return err
		})
	}
	for name, c := range map[string]struct {
		rejected *pipeline.Step[pipeline.Rejected[int], pipeline.Done]
		outcome  task.Outcome
		text     string
		calls    int
	}{
		"fails":           {path(errAway), task.Retry, "p/check/answer: database away", 1},
		"fails for good":  {path(task.Permanent(errAway)), task.Dead, "p/check/answer: database away", 1},
		"drops":           {path(task.Drop("known")), task.Dropped, "p/check: dropped: rejected: odd", 1},
		"has its own try": {path(errAway).Retry(2, noPause), task.Retry, "p/check/answer: after 2 attempts: database away", 2},
		"panics": {pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error {
			calls++
			panic("out of paper")
		}), task.Retry, "p/check/answer: panic: out of paper", 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls = 0
			refuse := func(context.Context, int) error { return errOdd }
			p := pipeline.New[int, int]("p").Stage(pipeline.Validate("check", refuse, c.rejected)).MustBuild()
			_, err := p.Run(t.Context(), 1)
			if outcome, _ := task.Classify(err); outcome != c.outcome || err.Error() != c.text || calls != c.calls {
				t.Errorf("%v: %v after %d calls", err, outcome, calls)
			}
		})
	}
}

// A check that is cut short says nothing about the value.
func TestValidateCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error {
			t.Error("the value was refused")
			return nil
		})
		slow := pipeline.Validate("check", func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return fmt.Errorf("look up: %w", ctx.Err())
		}, never)
		_, err := slow.Timeout(time.Second).Run(t.Context(), 1)
		var timeout *pipeline.TimeoutError
		if !errors.As(err, &timeout) {
			t.Errorf("out of time: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(task.ErrForced) })
		if _, err := slow.Run(ctx, 1); !errors.Is(err, task.ErrForced) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// Of a fan-out's elements the refused ones are left out, and answered each at its own place.
func TestValidateInAFanOut(t *testing.T) {
	var places []string
	answer := pipeline.Sink("answer", func(ctx context.Context, r pipeline.Rejected[int]) error {
		places = append(places, fmt.Sprintf("%s=%d", task.Key(ctx), r.Value))
		return nil
	})
	check := pipeline.Validate("check", func(_ context.Context, v int) error {
		if v > 10 {
			return errors.New("too much")
		}
		return nil
	}, answer)
	got, err := pipeline.Each("each", check, pipeline.AtOnce(1)).Run(t.Context(), []int{1, 11, 2, 12})
	if err != nil || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if want := []string{"each/1/check/answer=11", "each/3/check/answer=12"}; !slices.Equal(places, want) {
		t.Errorf("answered at %v", places)
	}
}

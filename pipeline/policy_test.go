package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

func noPause(int) time.Duration { return 0 }

// script makes a stage whose attempts give the errors one after the other, then succeed; calls counts the attempts.
func script(calls *int, errs ...error) *pipeline.Step[int, int] {
	return pipeline.Map("s", func(context.Context, int) (int, error) {
		*calls++
		if *calls <= len(errs) {
			return 99, errs[*calls-1]
		}
		return 7, nil
	})
}

type permanentError struct{}

func (permanentError) Error() string   { return "unknown article" }
func (permanentError) Permanent() bool { return true }

type busyError struct{}

func (busyError) Error() string             { return "busy" }
func (busyError) RetryAfter() time.Duration { return time.Minute }

func TestRetry(t *testing.T) {
	second := func(int) time.Duration { return time.Second }
	for name, c := range map[string]struct {
		errs     []error
		calls    int
		took     time.Duration
		attempts int // of the error; 0: success
		outcome  task.Outcome
	}{
		"succeeds at once":      {nil, 1, 0, 0, task.Done},
		"succeeds at last":      {[]error{errAway, errAway}, 3, 2 * time.Second, 0, task.Done},
		"fails at last":         {[]error{errAway, errAway, errAway}, 3, 2 * time.Second, 3, task.Retry},
		"permanent":             {[]error{task.Permanent(errAway)}, 1, 0, 1, task.Dead},
		"permanent of domain":   {[]error{permanentError{}}, 1, 0, 1, task.Dead},
		"permanent, later":      {[]error{errAway, task.Permanent(errAway)}, 2, time.Second, 2, task.Dead},
		"snooze":                {[]error{task.Snooze(0, "later")}, 1, 0, 1, task.Snoozed},
		"retry after":           {[]error{task.RetryAfter(0, errAway)}, 1, 0, 1, task.Retry},
		"retry after of domain": {[]error{busyError{}}, 1, 0, 1, task.Retry},
		"drop":                  {[]error{task.Drop("not ours")}, 1, 0, 1, task.Dropped},
		"drop joined":           {[]error{errors.Join(task.Drop("not ours"), errAway)}, 2, time.Second, 0, task.Done},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, start := 0, time.Now()
				got, err := script(&calls, c.errs...).Retry(3, second).Run(t.Context(), 1)
				if calls != c.calls || time.Since(start) != c.took {
					t.Errorf("%d calls in %s, want %d in %s", calls, time.Since(start), c.calls, c.took)
				}
				outcome, _ := task.Classify(err)
				if outcome != c.outcome {
					t.Errorf("%v: outcome %v, want %v", err, outcome, c.outcome)
				}
				var at *pipeline.StageError
				switch {
				case c.attempts == 0:
					if err != nil || got != 7 {
						t.Errorf("got %d, %v", got, err)
					}
				case !errors.As(err, &at) || at.Attempts != c.attempts || got != 0:
					t.Errorf("got %d, %#v; want %d attempts", got, err, c.attempts)
				}
			})
		})
	}
}

func TestBackoffIsAskedForEachFailedAttempt(t *testing.T) {
	var asked []int
	calls := 0
	_, err := script(&calls, errAway, errAway, errAway, errAway).Retry(4, func(n int) time.Duration {
		asked = append(asked, n)
		return -1
	}).Run(t.Context(), 1)
	if err == nil || len(asked) != 3 || asked[0] != 1 || asked[2] != 3 {
		t.Errorf("asked %v, error %v", asked, err)
	}
}

func TestDefaultBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		_, err := pipeline.Map("s", func(context.Context, int) (int, error) {
			at = append(at, time.Now())
			return 0, errAway
		}).Retry(14).Run(t.Context(), 1)
		if err == nil || len(at) != 14 {
			t.Fatalf("%d attempts, %v", len(at), err)
		}
		full := 100 * time.Millisecond
		for i := 1; i < len(at); i++ {
			pause := at[i].Sub(at[i-1])
			if pause < full/2 || pause >= full {
				t.Errorf("pause %d is %s, want %s to %s", i, pause, full/2, full)
			}
			full = min(2*full, 5*time.Second)
		}
	})
}

func TestRetryEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(task.ErrForced) })
		calls, start := 0, time.Now()
		p := pipeline.New[int, int]("p").
			Stage(script(&calls, errAway, errAway).Retry(3, func(int) time.Duration { return time.Hour })).MustBuild()
		_, err := p.Run(ctx, 1)
		if calls != 1 || time.Since(start) != time.Second {
			t.Errorf("%d calls, %s", calls, time.Since(start))
		}
		for _, target := range []error{errAway, task.ErrForced, context.Canceled} {
			if !errors.Is(err, target) {
				t.Errorf("%v is not %v", err, target)
			}
		}
		if want := "p/s: database away; not tried again: stopped by force"; err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
	})
}

func TestNoRetryOnceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := pipeline.Map("s", func(context.Context, int) (int, error) {
		calls++
		cancel()
		return 0, errAway
	}).Retry(3, func(int) time.Duration { return 0 }).Run(ctx, 1)
	if calls != 1 || !errors.Is(err, errAway) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestRetryOfAWholeSub(t *testing.T) {
	calls := 0
	inner := pipeline.New[int, int]("inner").Stage(add("a", 1)).Stage(script(&calls, errAway, errAway, errAway)).MustBuild()
	none := func(int) time.Duration { return 0 }
	p := pipeline.New[int, int]("p").Stage(pipeline.Sub(inner).Retry(2, none)).MustBuild()
	_, err := p.Run(t.Context(), 1)
	if want := "p/inner: after 2 attempts: s: database away"; calls != 2 || err.Error() != want {
		t.Errorf("%d calls, error %q, want %q", calls, err, want)
	}
	calls = 2
	if got, err := p.Run(t.Context(), 1); got != 7 || err != nil {
		t.Errorf("the second attempt succeeds, but Run = %d, %v", got, err)
	}
}

// until makes a stage that ends after d, whatever its context says, with err.
func until(d time.Duration, err error) *pipeline.Step[int, int] {
	return pipeline.Map("s", func(context.Context, int) (int, error) {
		<-time.After(d)
		return 7, err
	})
}

func TestTimeout(t *testing.T) {
	heeds := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 7, ctx.Err()
	})
	says := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 7, context.Cause(ctx)
	})
	wraps := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 7, task.Permanent(errAway)
	})
	late := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		panic("late")
	})
	for name, c := range map[string]struct {
		stage   *pipeline.Step[int, int]
		took    time.Duration
		text    string // "": success
		outcome task.Outcome
	}{
		"in time":                   {until(999*time.Millisecond, nil), 999 * time.Millisecond, "", task.Done},
		"fails in time":             {until(time.Millisecond, errAway), time.Millisecond, "s: database away", task.Retry},
		"heeds its context":         {heeds, time.Second, "s: timed out after 1s", task.Retry},
		"returns the cause":         {says, time.Second, "s: timed out after 1s", task.Retry},
		"ignores its context":       {until(time.Minute, nil), time.Minute, "s: timed out after 1s", task.Retry},
		"ignores it and fails":      {until(time.Minute, errAway), time.Minute, "s: timed out after 1s: database away", task.Retry},
		"ignores it and drops":      {until(time.Minute, task.Drop("no")), time.Minute, "s: timed out after 1s", task.Retry},
		"gives up for good":         {wraps, time.Second, "s: timed out after 1s: database away", task.Dead},
		"panics late":               {late, time.Second, "s: timed out after 1s: panic: late", task.Retry},
		"late panic is not retried": {late.Retry(3), time.Second, "s: timed out after 1s: panic: late", task.Retry},
		"each attempt has its own":  {heeds.Retry(3, func(int) time.Duration { return time.Second }), 5 * time.Second, "s: after 3 attempts: timed out after 1s", task.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			for order, stage := range map[string]*pipeline.Step[int, int]{"last": c.stage.Timeout(time.Second), "set twice": c.stage.Timeout(time.Hour).Timeout(time.Second)} {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					got, err := stage.Run(t.Context(), 1)
					if took := time.Since(start); took != c.took {
						t.Errorf("%s: took %s, want %s", order, took, c.took)
					}
					if c.text == "" {
						if got != 7 || err != nil {
							t.Errorf("%s: %d, %v", order, got, err)
						}
						return
					}
					if got != 0 || err == nil || err.Error() != c.text {
						t.Errorf("%s: %d, %q; want %q", order, got, err, c.text)
					}
					if outcome, _ := task.Classify(err); outcome != c.outcome {
						t.Errorf("%s: outcome %v, want %v", order, outcome, c.outcome)
					}
					var timeout *pipeline.TimeoutError
					if c.took >= time.Second && (!errors.As(err, &timeout) || !timeout.Timeout() || timeout.After != time.Second || !errors.Is(err, context.DeadlineExceeded)) {
						t.Errorf("%s: %#v is not a timeout", order, err)
					}
				})
			}
		})
	}
}

// Policies nest alike whatever order they were called in: retry around timeout.
func TestOrderOfPolicies(t *testing.T) {
	second := func(int) time.Duration { return time.Second }
	calls := 0
	stage := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
		calls++
		<-ctx.Done()
		return 0, ctx.Err()
	})
	for name, s := range map[string]*pipeline.Step[int, int]{
		"timeout, retry": stage.Timeout(time.Second).Retry(3, second),
		"retry, timeout": stage.Retry(3, second).Timeout(time.Second),
	} {
		synctest.Test(t, func(t *testing.T) {
			calls = 0
			start := time.Now()
			_, _ = s.Run(t.Context(), 1)
			if calls != 3 || time.Since(start) != 5*time.Second {
				t.Errorf("%s: %d attempts in %s", name, calls, time.Since(start))
			}
		})
	}
}

// The deadline of a context around the stage is not the stage's timeout.
func TestTimeoutOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, task.ErrLeaseLost)
		defer cancel()
		_, err := pipeline.Map("s", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}).Timeout(time.Minute).Retry(3).Run(ctx, 1)
		var timeout *pipeline.TimeoutError
		if errors.As(err, &timeout) || !errors.Is(err, task.ErrLeaseLost) {
			t.Errorf("error %v", err)
		}
	})
}

// A nested pipeline that runs out of time says how far it came.
func TestTimeoutOfAWholeSub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := false
		inner := pipeline.New[int, int]("inner").
			Stage(until(2*time.Second, nil)).
			Stage(pipeline.Tap("after", func(context.Context, int) error { ran = true; return nil })).
			MustBuild()
		p := pipeline.New[int, int]("p").Stage(pipeline.Sub(inner).Timeout(time.Second)).MustBuild()
		_, err := p.Run(t.Context(), 1)
		want := "p/inner: timed out after 1s: after: timed out after 1s"
		if ran || err == nil || err.Error() != want {
			t.Errorf("error %q, want %q; ran on: %v", err, want, ran)
		}
	})
}

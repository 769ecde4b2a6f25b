package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// given makes a stage that returns the error it is given; calls counts those that reached it.
func given(calls *int) *pipeline.Step[error, int] {
	return pipeline.Map("s", func(_ context.Context, err error) (int, error) {
		*calls++
		return 1, err
	})
}

func isOpen(err error) bool {
	var open *pipeline.BreakerOpenError
	return errors.As(err, &open)
}

func TestBreakerOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := pipeline.New[error, int]("p").Stage(given(&calls).Breaker(3, 30*time.Second)).MustBuild()
		run := func(err error) error { _, got := p.Run(t.Context(), err); return got }
		for i, err := range []error{errAway, errAway, nil, errAway, errAway, errAway} {
			if got := run(err); isOpen(got) {
				t.Fatalf("open at attempt %d", i)
			}
		}
		err := run(nil)
		var open *pipeline.BreakerOpenError
		if !errors.As(err, &open) || calls != 6 || !open.Until.Equal(time.Now().Add(30*time.Second)) {
			t.Fatalf("%v after %d calls", err, calls)
		}
		if outcome, wait := task.Classify(err); outcome != task.Retry || wait < 30*time.Second || wait > 33*time.Second {
			t.Errorf("for the queue: %v after %s", outcome, wait)
		}
		<-time.After(30 * time.Second)
		if got := run(errAway); isOpen(got) || calls != 7 {
			t.Errorf("the first trial was not made: %v", got)
		}
		if got := run(nil); !isOpen(got) {
			t.Errorf("after a trial that failed: %v", got)
		}
		<-time.After(30 * time.Second)
		for range 5 {
			if got := run(nil); got != nil {
				t.Errorf("the service is back: %v", got)
			}
		}
		if calls != 12 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestBreakerCountsFailuresOnly(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		opens bool
	}{
		"error":       {errAway, true},
		"retry after": {task.RetryAfter(time.Second, errAway), true},
		"permanent":   {task.Permanent(errAway), false},
		"drop":        {task.Drop("not ours"), false},
		"snooze":      {task.Snooze(time.Second, "later"), false},
	} {
		calls := 0
		s := given(&calls).Breaker(2, time.Minute)
		for range 2 {
			_, _ = s.Run(t.Context(), c.err)
		}
		if _, err := s.Run(t.Context(), nil); isOpen(err) != c.opens {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBreakerOutOf(t *testing.T) {
	calls := 0
	s := given(&calls).Breaker(3, time.Minute, pipeline.OutOf(5))
	for i, err := range []error{errAway, nil, nil, errAway, nil, nil, errAway, errAway, nil} {
		if _, got := s.Run(t.Context(), err); isOpen(got) != (i > 7) {
			t.Errorf("attempt %d: %v", i, got)
		}
	}
}

// An open breaker is an answer at once: no attempt inside of the stage waits for it, and Fallback stands in.
func TestBreakerWithOtherPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		stand := func(_ context.Context, _ error, err error) (int, error) {
			if !isOpen(err) {
				t.Errorf("stands in for %v", err)
			}
			return 7, nil
		}
		s := given(&calls).Breaker(3, time.Minute).Retry(10, noPause).Fallback(stand).Rate(100, 3).Limit(1)
		got, err := s.Run(t.Context(), errAway)
		if got != 7 || err != nil || calls != 3 || time.Since(start) != 0 {
			t.Errorf("%d, %v after %d calls and %s", got, err, calls, time.Since(start))
		}
	})
}

// While a trial is on its way the others are refused, and told to come back soon.
func TestBreakerMakesOneTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		s := pipeline.Map("s", func(context.Context, int) (int, error) { return 1, <-release }).Breaker(1, time.Minute)
		p := pipeline.New[int, int]("p").Stage(s).MustBuild()
		run := func() chan error {
			done := make(chan error, 1)
			go func() { _, err := p.Run(context.Background(), 1); done <- err }()
			synctest.Wait()
			return done
		}
		first := run()
		release <- errAway
		<-first
		<-time.After(time.Minute)
		trial := run()
		err := <-run()
		var open *pipeline.BreakerOpenError
		if !errors.As(err, &open) || open.RetryAfter() < 6*time.Second || open.RetryAfter() > 12*time.Second {
			t.Errorf("beside a trial: %v", err)
		}
		release <- nil
		if err := <-trial; err != nil {
			t.Errorf("trial: %v", err)
		}
		last := run()
		release <- nil
		if err := <-last; err != nil {
			t.Errorf("after the trial: %v", err)
		}
	})
}

// Whatever way a trial ends, the breaker goes on: nothing keeps it between open and closed.
func TestBreakerTrialsEnd(t *testing.T) {
	var broken *brokenError
	ctx, cancel := context.WithCancelCause(t.Context())
	for name, trial := range map[string]func(p *pipeline.Pipeline[func() error, int]){
		"panics": func(p *pipeline.Pipeline[func() error, int]) {
			_, _ = p.Run(ctx, func() error { panic("out of paper") })
		},
		"broken error": func(p *pipeline.Pipeline[func() error, int]) { _, _ = p.Run(ctx, func() error { return broken }) },
		"ends its goroutine": func(p *pipeline.Pipeline[func() error, int]) {
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = p.Run(ctx, func() error { runtime.Goexit(); return nil }) })
			wg.Wait()
		},
		"is cancelled": func(p *pipeline.Pipeline[func() error, int]) {
			_, _ = p.Run(ctx, func() error { cancel(task.ErrForced); return context.Cause(ctx) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel = context.WithCancelCause(context.Background())
				s := pipeline.Map("s", func(_ context.Context, f func() error) (int, error) { return 1, f() }).Breaker(1, time.Minute)
				p := pipeline.New[func() error, int]("p").Stage(s).MustBuild()
				_, _ = p.Run(t.Context(), func() error { return errAway })
				<-time.After(time.Minute)
				trial(p)
				if _, err := p.Run(t.Context(), func() error { return nil }); !isOpen(err) {
					t.Errorf("after the trial: %v", err)
				}
				<-time.After(time.Minute)
				if _, err := p.Run(t.Context(), func() error { return nil }); err != nil {
					t.Errorf("after another pause: %v", err)
				}
			})
		})
	}
}

// A cancelled run says nothing about the service.
func TestBreakerIgnoresCancelledRuns(t *testing.T) {
	calls := 0
	s := pipeline.Map("s", func(ctx context.Context, cancel context.CancelFunc) (int, error) {
		calls++
		cancel()
		return 1, ctx.Err()
	}).Breaker(1, time.Minute)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := s.Run(ctx, cancel); isOpen(err) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestBreakerErrorText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := given(&calls).Breaker(1, 10*time.Nanosecond)
		_, _ = s.Run(t.Context(), errAway)
		_, err := s.Run(t.Context(), nil)
		if want := "s: circuit breaker open, try again in 0s"; fmt.Sprint(err) != want {
			t.Errorf("text %q, want %q", err, want)
		}
	})
}

package runtime_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// The budget is ctx's deadline, else what is configured; a fifth of it, at most 5 s, is left for what is forced.
func TestBudget(t *testing.T) {
	for name, c := range map[string]struct {
		config           string
		deadline         time.Duration
		forced, abandons time.Duration // after which time
	}{
		"default":                    {"", 0, 25 * time.Second, 30 * time.Second},
		"configured":                 {"10s", 0, 8 * time.Second, 10 * time.Second},
		"deadline":                   {"", 5 * time.Second, 4 * time.Second, 5 * time.Second},
		"deadline before no limit":   {"0s", 5 * time.Second, 4 * time.Second, 5 * time.Second},
		"deadline after the default": {"1s", 100 * time.Second, 95 * time.Second, 100 * time.Second},
		"deadline that has passed":   {"", -time.Second, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				var forcedAfter time.Duration
				var began time.Time
				var opts []runtime.Option
				if c.config != "" {
					opts = append(opts, yaml("platform: {shutdown: {timeout: "+c.config+"}}"))
				}
				a := run(t, func(r *runtime.Registry) {
					r.Worker(busy("w", func(ctx context.Context) {
						<-ctx.Done()
						forcedAfter = time.Since(began)
						if !errors.Is(context.Cause(ctx), task.ErrForced) {
							t.Errorf("cause %v", context.Cause(ctx))
						}
						<-release
					}))
				}, opts...)
				ctx := t.Context()
				if c.deadline != 0 {
					ctx = within(t, c.deadline)
				}
				began = time.Now()
				rec, _ := a.Stop(ctx)
				if took := time.Since(began); forcedAfter != c.forced || took != c.abandons {
					t.Errorf("forced after %s, abandoned after %s; want %s and %s", forcedAfter, took, c.forced, c.abandons)
				}
				if w := rec.Workers[0]; w.Outcome != runtime.Abandoned || w.Receipt.Abandoned != 1 || w.TookSeconds != c.abandons.Seconds() {
					t.Errorf("receipt %+v", w)
				}
				if w, _ := a.Worker("w"); w.Abandoned != 1 || w.State != workers.Stopped {
					t.Errorf("worker %+v", w)
				}
			})
		})
	}
}

// A timeout of 0 waits for ever.
func TestNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker(busy("w", takes(24*time.Hour)))
			r.Resource("r", nil, func(ctx context.Context) error {
				if _, limited := ctx.Deadline(); limited || ctx.Err() != nil {
					t.Error("the resource has a limit")
				}
				time.Sleep(time.Hour)
				return nil
			})
		}, yaml("platform: {shutdown: {timeout: 0s}}"))
		if rec := stop(t, a); rec.TookSeconds != 25*3600 || rec.Workers[0].Finished != 1 {
			t.Errorf("receipt %+v", rec)
		}
	})
}

// Whatever forces a stop, handlers have a grace from then on.
func TestForce(t *testing.T) {
	second := 10 * time.Second // when the force comes
	for name, force := range map[string]func(a *runtime.App) (runtime.Receipt, error){
		"at once": func(a *runtime.App) (runtime.Receipt, error) {
			second = 0
			return a.Stop(context.Background(), runtime.Force())
		},
		"by a second stop": func(a *runtime.App) (runtime.Receipt, error) {
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(second)
				_, _ = a.Stop(context.Background(), runtime.Force())
			})
			defer wg.Wait()
			return a.Stop(context.Background())
		},
		"by cancelling the context": func(a *runtime.App) (runtime.Receipt, error) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(second, cancel)
			return a.Stop(ctx)
		},
		"by a context that is cancelled": func(a *runtime.App) (runtime.Receipt, error) {
			second = 0
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return a.Stop(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second = 10 * time.Second
				closed := false
				a := run(t, func(r *runtime.Registry) {
					r.Resource("r", nil, func(ctx context.Context) error { closed = ctx.Err() == nil; return nil })
					r.Worker(busy("heeds", func(ctx context.Context) { <-ctx.Done(); time.Sleep(2 * time.Second) }))
					r.Worker(busy("ignores", takes(13*time.Second)))
				})
				rec, err := force(a)
				if !errors.Is(err, runtime.ErrNotClean) {
					t.Errorf("Stop: %v", err)
				}
				heeds, ignores := rec.Workers[0], rec.Workers[1]
				if heeds.Outcome != runtime.Forced || heeds.TookSeconds != (second+2*time.Second).Seconds() {
					t.Errorf("the one that heeds: %+v", heeds)
				}
				want := runtime.Forced // it ends 13 s after the start, within the grace of a force after 10 s
				if second == 0 {
					want = runtime.Abandoned
				}
				if ignores.Outcome != want {
					t.Errorf("the one that ignores it: %+v, want %s", ignores, want)
				}
				if !closed {
					t.Error("the resource was not closed, or without time to do it")
				}
				pass(time.Minute)
			})
		})
	}
}

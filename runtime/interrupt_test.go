package runtime_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// Stop during Start converges to stopped: the start ends, what it had begun is undone, and the stop's receipt tells how.
func TestStopDuringStart(t *testing.T) {
	slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, at := range map[string]func(r *runtime.Registry){
		"in a resource": func(r *runtime.Registry) { r.Resource("slow", slow, nil) },
		"in a worker": func(r *runtime.Registry) {
			r.Worker(workers.Loop("slow", func(ctx context.Context, s *workers.Session) error { <-s.Stopping(); return nil }))
		},
		"in a critical worker": func(r *runtime.Registry) { r.Worker(&custom{name: "slow", start: slow}, runtime.Critical()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				a := assemble(t, func(r *runtime.Registry) {
					j.resource(r, "store")
					r.Worker(j.loop("w"))
					at(r)
					r.Worker(j.loop("never"))
				}, (&channel{journal: j, name: "http"}).option())
				started := make(chan error)
				go func() { started <- a.Start(context.Background()) }()
				pass(time.Second)
				j.take()
				began := time.Now()
				rec := stop(t, a, runtime.Reason("changed my mind"))
				if took := time.Since(began); took != 0 {
					t.Errorf("the stop took %s", took)
				}
				if err := <-started; err == nil || !strings.Contains(err.Error(), "stop was asked for during the start") {
					t.Errorf("Start: %v", err)
				}
				if rec.Reason != "changed my mind" {
					t.Errorf("receipt %+v", rec)
				}
				if s := a.Status(); s.State != workers.Stopped || s.LastStop == nil || s.LastStop.Reason != rec.Reason {
					t.Errorf("status %+v", s)
				}
				got := strings.Join(j.take(), ", ")
				if strings.Contains(got, "never") || !strings.HasSuffix(got, "stop store") || strings.Contains(got, "start") {
					t.Errorf("happened: %s", got)
				}
			})
		})
	}
}

// The budget is that of the Stop that interrupts.
func TestStopDuringStartHasItsOwnBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(busy("stubborn", func(context.Context) { <-release }))
			r.Resource("r", nil, func(context.Context) error { return errBoom })
			r.Worker(&custom{name: "slow", start: hang(release)})
		})
		var wg sync.WaitGroup
		wg.Go(func() { _ = a.Start(context.Background()) })
		pass(time.Second)
		began := time.Now()
		rec, err := a.Stop(within(t, 5*time.Second))
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if !errors.Is(err, runtime.ErrNotClean) || len(rec.Workers) != 1 || rec.Workers[0].Outcome != runtime.Abandoned || len(rec.Faults) != 1 {
			t.Errorf("receipt %+v, %v", rec, err)
		}
		wg.Wait()
	})
}

// A roll-back has the configured budget, and can be forced like any stop.
func TestRollBackCanBeForced(t *testing.T) {
	for _, force := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := assemble(t, func(r *runtime.Registry) {
				r.Worker(busy("w", heeds))
				r.Worker(broken("broken"), runtime.Critical())
			})
			began := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() { _ = a.Start(context.Background()) })
			pass(time.Second)
			if s := a.Status(); s.State != workers.Stopping {
				t.Errorf("status %+v", s)
			}
			want, opts := 25*time.Second, []runtime.StopOption{}
			if force {
				want, opts = time.Second, append(opts, runtime.Force())
			}
			rec, err := a.Stop(t.Context(), opts...)
			if took := time.Since(began); took != want || !errors.Is(err, runtime.ErrNotClean) || rec.Workers[0].Outcome != runtime.Forced {
				t.Errorf("after %s: %+v, %v", took, rec, err)
			}
			wg.Wait()
		})
	}
}

// An operator's stop during a start keeps the channel through which it came.
func TestStopDuringStartKeepsChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(&custom{name: "slow", start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		}, (&channel{journal: j, name: "http"}).option())
		for range 2 {
			var wg sync.WaitGroup
			wg.Go(func() { _ = a.Start(context.Background()) })
			pass(time.Second)
			stop(t, a, runtime.KeepChannels())
			wg.Wait()
		}
		j.expect(t, "start http")
		stop(t, a)
		j.expect(t, "stop http")
	})
}

// The last part comes up although the stop has come: it is stopped like all others, and the start has failed.
func TestStopDuringTheLastStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &custom{name: "late", start: func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil }}
		a := assemble(t, func(r *runtime.Registry) { r.Worker(w) })
		started := make(chan error)
		go func() { started <- a.Start(context.Background()) }()
		pass(time.Second)
		rec := stop(t, a)
		if err := <-started; err == nil || !errorText(err, "stop was asked for during the start") {
			t.Errorf("Start: %v", err)
		}
		if len(rec.Workers) != 1 || rec.Workers[0].Name != "late" || !isOver(w) {
			t.Errorf("receipt %+v", rec)
		}
	})
}

func isOver(w workers.Worker) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// Many stops during one start share it.
func TestManyStopsDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := assemble(t, func(r *runtime.Registry) {
			j.resource(r, "store")
			r.Resource("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil)
		})
		var wg sync.WaitGroup
		wg.Go(func() { _ = a.Start(context.Background()) })
		synctest.Wait()
		for range 10 {
			wg.Go(func() { stop(t, a) })
		}
		wg.Wait()
		j.expect(t, "start store", "stop store")
	})
}

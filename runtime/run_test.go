package runtime_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// outcome of a Run in the background.
type outcome struct {
	done    chan struct{}
	err     error
	receipt *runtime.Receipt
}

func runInBackground(ctx context.Context, a *runtime.App) *outcome {
	o := &outcome{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.err = a.Run(ctx, func(rec runtime.Receipt) { o.receipt = &rec })
	}()
	return o
}

func TestRunUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) { r.Worker(busy("w", takes(3*time.Second))) })
		ctx, cancel := context.WithCancelCause(t.Context())
		o := runInBackground(ctx, a)
		pass(time.Second)
		if s := a.Status(); s.State != workers.Busy {
			t.Errorf("status %+v", s)
		}
		cancel(errors.New("signal terminated"))
		<-o.done
		if o.err != nil || o.receipt == nil || o.receipt.Reason != "signal terminated" || o.receipt.Workers[0].Finished != 1 {
			t.Errorf("Run: %v, %+v", o.err, o.receipt)
		}
	})
}

func TestRequestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var registry *runtime.Registry
		a := assemble(t, func(r *runtime.Registry) { registry = r; r.Worker(idle("w")) })
		o := runInBackground(t.Context(), a)
		pass(time.Second)
		for _, reason := range []string{"all is done", "really", "really"} { // never blocks; the first counts
			registry.RequestStop(reason)
		}
		<-o.done
		if o.err != nil || o.receipt == nil || o.receipt.Reason != "all is done" {
			t.Errorf("Run: %v, %+v", o.err, o.receipt)
		}
	})
}

// A request that comes before Run, or during its start, is not forgotten.
func TestEarlyRequestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *runtime.App
		a = assemble(t, func(r *runtime.Registry) {
			r.Resource("licence", func(context.Context) error { a.RequestStop("no licence"); return nil }, nil)
		})
		o := runInBackground(t.Context(), a)
		<-o.done
		if o.err != nil || o.receipt == nil || o.receipt.Reason != "no licence" {
			t.Errorf("Run: %v, %+v", o.err, o.receipt)
		}
	})
}

func TestRunReportsWhatIsNotClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) {
			r.Resource("r", nil, func(context.Context) error { return errBoom })
		})
		a.RequestStop("x")
		if err := a.Run(t.Context(), nil); !errors.Is(err, runtime.ErrNotClean) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) { r.Worker(broken("w"), runtime.Critical()) })
		o := runInBackground(t.Context(), a)
		<-o.done
		var se *runtime.StartError
		if !errors.As(o.err, &se) || o.receipt != nil {
			t.Errorf("Run: %v, %+v", o.err, o.receipt)
		}
	})
}

// A signal during the start ends it; what could not be taken down well is told like in any stop.
func TestRunIsToldToStopDuringItsStart(t *testing.T) {
	for _, closes := range []error{nil, errBoom} {
		synctest.Test(t, func(t *testing.T) {
			a := assemble(t, func(r *runtime.Registry) {
				r.Resource("store", nil, func(context.Context) error { return closes })
				r.Resource("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil)
			})
			ctx, cancel := context.WithCancel(t.Context())
			o := runInBackground(ctx, a)
			synctest.Wait()
			cancel()
			<-o.done
			if (o.err == nil) != (closes == nil) || o.receipt == nil || o.receipt.Clean != (closes == nil) {
				t.Errorf("Run: %v, %+v", o.err, o.receipt)
			}
		})
	}
}

// Stop and start through a channel do not end Run; and what was lost on the way shows at its end.
func TestRunOutlivesAnOperatorsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) {
			r.Resource("slow", func(ctx context.Context) error {
				select {
				case <-time.After(time.Minute):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}, func(context.Context) error { return errBoom })
		}, yaml("platform: {start: {timeout: 2m}}"))
		ctx, cancel := context.WithCancel(t.Context())
		o := runInBackground(ctx, a)
		pass(time.Second)
		stop(t, a, runtime.KeepChannels()) // during the start of Run
		pass(time.Hour)
		select {
		case <-o.done:
			t.Fatalf("Run has ended: %v", o.err)
		default:
		}
		start(t, a)
		if _, err := a.Stop(t.Context(), runtime.KeepChannels(), runtime.Reason("operator")); !errors.Is(err, runtime.ErrNotClean) {
			t.Error(err)
		}
		cancel()
		<-o.done
		if !errors.Is(o.err, runtime.ErrNotClean) || o.receipt == nil || o.receipt.Reason != "operator" {
			t.Errorf("Run: %v, %+v", o.err, o.receipt)
		}
	})
}

// The second signal joins the stop under way and forces it.
func TestSecondSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) { r.Worker(busy("w", heeds)) })
		ctx, cancel := context.WithCancel(t.Context())
		o := runInBackground(ctx, a)
		pass(time.Second)
		began := time.Now()
		cancel()
		pass(3 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = a.Stop(context.Background(), runtime.Force()) })
		wg.Wait()
		<-o.done
		if took := time.Since(began); took != 3*time.Second || !errors.Is(o.err, runtime.ErrNotClean) || o.receipt.Workers[0].Outcome != runtime.Forced {
			t.Errorf("after %s: %v, %+v", took, o.err, o.receipt)
		}
	})
}

func TestCloseOnce(t *testing.T) {
	a := assemble(t, func(*runtime.Registry) {})
	for range 2 {
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Wait lasts until the application is stopped, whoever does it, and says how that went; it goes for each life anew.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hurry := atomic.Bool{}
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(busy("w", func(ctx context.Context) {
				if hurry.Load() {
					<-ctx.Done()
				}
			}))
		})
		if err := a.Wait(); err != nil {
			t.Errorf("before the first start: %v", err)
		}
		for _, want := range []error{nil, runtime.ErrNotClean, nil} {
			hurry.Store(want != nil)
			start(t, a)
			done := make(chan error, 1)
			go func() { done <- a.Wait() }()
			pass(time.Hour)
			select {
			case err := <-done:
				t.Fatalf("it runs, and Wait returned %v", err)
			default:
			}
			_, _ = a.Stop(t.Context(), runtime.KeepChannels())
			if err := <-done; !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if err := a.Wait(); !errors.Is(err, want) {
				t.Errorf("again: %v, want %v", err, want)
			}
		}
	})
}

func TestWaitTellsOfACriticalFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker((&crasher{life: func(int) time.Duration { return second }}).worker("w"), runtime.Critical(), runtime.Restart(runtime.Never))
		}, exitOnFailure)
		<-a.StopRequested()
		stop(t, a)
		var ce *runtime.CriticalError
		if err := a.Wait(); !errors.As(err, &ce) || errors.Is(err, runtime.ErrNotClean) {
			t.Error(err)
		}
	})
}

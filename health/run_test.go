package health_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
)

func TestStopBeforeStart(t *testing.T) {
	stop(t, health.NewRegistry(nil, nil))
}

func TestStartNeedsALivingContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := health.NewRegistry(nil, nil)
	if err := r.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want context.Canceled", err)
	}
}

func TestStartStopStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "bank", Func: func(context.Context) error {
			return fmt.Errorf("round %d", runs.Add(1))
		}})

		// The end of Start's context does not end the checks, and Start twice
		// does not run them twice.
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			if err := r.Start(ctx); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		time.Sleep(15 * time.Second)
		if runs.Load() != 2 {
			t.Errorf("%d rounds, want 2", runs.Load())
		}

		stop(t, r)
		stop(t, r)
		time.Sleep(time.Minute)
		expect(t, component(t, r, "bank").Report, health.StateUnhealthy, "round 2") // it stands
		if runs.Load() != 2 {
			t.Errorf("%d rounds after Stop, want 2", runs.Load())
		}

		start(t, r)
		synctest.Wait()
		expect(t, component(t, r, "bank").Report, health.StateUnhealthy, "round 3")
		stop(t, r)
	})
}

// A check that obeys its context is waited for, and being cancelled by Stop is
// no result.
func TestStopCancelsRunningChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int64
		r := health.NewRegistry(nil, func(health.Change) { changes.Add(1) })
		returned := false
		add(t, r, health.Check{Name: "bank", Func: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second) // tidies up
			returned = true
			return ctx.Err()
		}})
		start(t, r)
		time.Sleep(time.Second)
		began := time.Now()
		stop(t, r)
		if !returned || time.Since(began) != 2*time.Second {
			t.Errorf("returned: %v, after %v; want Stop to wait the 2 s that it takes", returned, time.Since(began))
		}
		expect(t, component(t, r, "bank").Report, health.StateOK, "not checked yet")
		if changes.Load() != 0 {
			t.Errorf("%d changes, want none", changes.Load())
		}
	})
}

func TestStopNamesHungChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var started atomic.Int64
		hang := func(context.Context) error {
			started.Add(1)
			<-release
			return nil
		}
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "bank", Func: hang})
		add(t, r, health.Check{Name: "fine", Func: works})
		add(t, r, health.Check{Name: "post", Func: hang})
		start(t, r)
		time.Sleep(time.Second)

		for range 2 {
			began := time.Now()
			err := stopWithin(r, 3*time.Second)
			abandoned, ok := errors.AsType[*health.AbandonedError](err)
			if !ok || !slices.Equal(abandoned.Checks, []string{"bank", "post"}) || abandoned.Callback || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Stop = %v, want it to name bank and post", err)
			}
			if want := "health: stopped without waiting any longer: these checks have not returned: bank, post: context deadline exceeded"; err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			if took := time.Since(began); took != 3*time.Second {
				t.Errorf("Stop took %v, want the 3 s it was given", took)
			}
		}

		// Another Start does not start them a second time, and finds that they
		// do not answer.
		start(t, r)
		time.Sleep(4 * time.Second)
		expect(t, component(t, r, "bank").Report, health.StateOK, "not checked yet")
		time.Sleep(2 * time.Second)
		expect(t, component(t, r, "bank").Report, health.StateUnhealthy, "no answer in 5s")
		if started.Load() != 2 {
			t.Errorf("%d calls, want the first two", started.Load())
		}

		// Once they have returned, the next round begins at once.
		close(release)
		synctest.Wait()
		expect(t, r.Report(), health.StateOK, "")
		if started.Load() != 4 {
			t.Errorf("%d calls, want 4", started.Load())
		}
		stop(t, r)
	})
}

// What an abandoned check says after Stop cancelled it is no result, not even
// when the registry runs again by then.
func TestResultOfACancelledCheckIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int64
		r := health.NewRegistry(nil, nil)
		add(t, r, health.Check{Name: "bank", Func: func(ctx context.Context) error {
			if calls.Add(1) == 1 {
				<-release
			} else {
				<-ctx.Done()
			}
			return errors.New("cancelled")
		}})
		start(t, r)
		synctest.Wait()
		if stopWithin(r, time.Second) == nil {
			t.Error("Stop does not tell of the hung check")
		}
		start(t, r)
		time.Sleep(time.Second)
		close(release)
		synctest.Wait()
		expect(t, component(t, r, "bank").Report, health.StateOK, "not checked yet")
		if calls.Load() != 2 {
			t.Errorf("%d calls, want a second one as soon as the first had returned", calls.Load())
		}
		stop(t, r)
	})
}

// Everything at once, for the race detector. It proves that nothing blocks and
// that no check overlaps itself.
func TestStress(t *testing.T) {
	var inside [4]atomic.Int32
	var rounds, changes atomic.Int64
	r := health.NewRegistry(nil, func(health.Change) { changes.Add(1) })
	for i := range inside {
		add(t, r, health.Check{Name: fmt.Sprint("check ", i), Every: time.Microsecond, Func: func(context.Context) error {
			if inside[i].Add(1) != 1 {
				t.Error("a check overlaps itself")
			}
			defer inside[i].Add(-1)
			if rounds.Add(1)%2 == 0 {
				return errors.New("bad")
			}
			return nil
		}})
	}
	source(t, r, "source", true, func() health.Report { return health.Report{State: health.StateOK} })

	var wg sync.WaitGroup
	for g := range 10 {
		wg.Go(func() {
			for i := range 50 {
				start(t, r)
				for before := rounds.Load(); g%2 == 0 && rounds.Load() == before; {
					start(t, r) // the others stop it all the time
					runtime.Gosched()
				}
				if n := len(r.Report().Components); n < 5 {
					t.Errorf("%d components", n)
				}
				if i%10 == 0 {
					add(t, r, health.Check{Name: fmt.Sprint("late ", g, i), Func: works})
				}
				stop(t, r)
			}
		})
	}
	wg.Wait()
	stop(t, r)
	if rounds.Load() < 100 {
		t.Errorf("%d rounds are too few to prove anything", rounds.Load())
	}
	after := rounds.Load() + changes.Load()
	if err := r.Stop(t.Context()); err != nil || rounds.Load()+changes.Load() != after {
		t.Errorf("something ran after Stop: %v", err)
	}
}

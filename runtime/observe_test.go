package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// An observer hears of moves, changes of health and failed attempts until it is taken away; one that panics harms nobody.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := assemble(t, func(r *runtime.Registry) {
			q := runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("eater", q, workers.Func(func(context.Context, int) error { return errors.New("too hot") })), runtime.After("baker", "kitchen"),
				runtime.Restart(runtime.Always), runtime.RestartLimit(7, time.Hour))
			r.Worker(idle("baker"))
			r.Resource("kitchen", func(ctx context.Context) error { return q.Publish(ctx, 1) }, nil)
		})
		var mu sync.Mutex
		told := map[string][]string{}
		note := func(kind, format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			told[kind] = append(told[kind], fmt.Sprintf(format, args...))
		}
		a.Observe(runtime.Observer{Runtime: func(runtime.Transition) { panic("seen enough") }})
		stop := a.Observe(runtime.Observer{
			Worker:  func(w string, tr workers.Transition) { note(w, "%s", tr.Event) },
			Runtime: func(tr runtime.Transition) { note("runtime", "%s %s %s %q", tr.From, tr.Event, tr.To, tr.Reason) },
			Health:  func(c health.Change) { note("health", "%s", c.Name) },
			Failed:  func(w string, f workers.Failure) { note("failed", "%s %s %d", w, f.Error, f.Attempt) },
		})
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := a.Stop(t.Context(), runtime.Reason("lunch is over")); err != nil && !errors.Is(err, runtime.ErrNotClean) {
			t.Fatal(err)
		}
		stop()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Stop(t.Context()); err != nil && !errors.Is(err, runtime.ErrNotClean) {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		want := []string{`stopped start starting ""`, `starting started running ""`, `running stop stopping "lunch is over"`, `stopping halt stopped ""`}
		if !slices.Equal(told["runtime"], want) {
			t.Errorf("runtime: %q, want %q", told["runtime"], want)
		}
		if got := told["failed"]; !slices.Equal(got, []string{"eater too hot 1"}) {
			t.Errorf("failed: %q", got)
		}
		if got := told["eater"]; len(got) < 5 || got[0] != "start" || got[len(got)-1] != "halt" {
			t.Errorf("worker: %q", got)
		}
		if h := a.History(); len(h) != 8 || h[2].Reason != "lunch is over" || h[3].To != runtime.Stopped || h[0].At.IsZero() {
			t.Errorf("history: %+v", h)
		}
		info, _ := a.Worker("eater")
		if !slices.Equal(info.After, []string{"baker"}) || info.Restart != (runtime.RestartInfo{Policy: "always", MaxRestarts: 7, WindowSeconds: 3600}) {
			t.Errorf("%v %+v", info.After, info.Restart)
		}
	})
}

func TestHistoryOfTheRuntimeIsBounded(t *testing.T) {
	a := assemble(t, func(*runtime.Registry) {})
	for range 30 {
		start(t, a)
		stop(t, a)
	}
	if h := a.History(); len(h) != 100 || h[99].Event != runtime.EventHalt {
		t.Errorf("%d moves are kept", len(h))
	}
}

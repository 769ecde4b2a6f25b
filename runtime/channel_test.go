package runtime_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// Stop through a channel ends the workers and leaves the channel up, so that a start can follow through it.
func TestKeepChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := run(t, func(r *runtime.Registry) { r.Worker(j.loop("w")) }, (&channel{journal: j, name: "http"}).option())
		j.expect(t, "start http", "start w")
		stop(t, a, runtime.KeepChannels())
		j.expect(t, "stop w")
		stop(t, a, runtime.KeepChannels()) // again: it stays
		j.expect(t)
		start(t, a)
		j.expect(t, "start w")
		stop(t, a, runtime.KeepChannels())
		j.expect(t, "stop w")
		stop(t, a)
		j.expect(t, "stop http")
		stop(t, a)
		j.expect(t)
		start(t, a)
		j.expect(t, "start http", "start w")
		stop(t, a)
	})
}

// A channel that was up before a start that fails is what the operator asks for the next start through: it stays.
func TestFailedStartKeepsTheChannelsThatWereUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		fail := false
		a := run(t, func(r *runtime.Registry) {
			r.Resource("store", func(context.Context) error {
				if fail {
					return errBoom
				}
				return nil
			}, nil)
		}, (&channel{journal: j, name: "http"}).option())
		j.expect(t, "start http")
		stop(t, a, runtime.KeepChannels())
		fail = true
		if err := a.Start(t.Context()); !errors.Is(err, errBoom) {
			t.Errorf("Start: %v", err)
		}
		j.expect(t)
		fail = false
		start(t, a)
		stop(t, a)
		j.expect(t, "stop http")
	})
}

// The stop of the process takes the channels down although an operator's stop that keeps them is under way.
func TestStopJoinsOneThatKeepsChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := run(t, func(r *runtime.Registry) {
			r.Resource("slow", nil, func(context.Context) error { time.Sleep(5 * time.Second); return nil })
		}, (&channel{journal: j, name: "http"}).option())
		kept := make(chan runtime.Receipt)
		go func() { kept <- stop(t, a, runtime.KeepChannels(), runtime.Reason("operator")) }()
		synctest.Wait()
		rec := stop(t, a, runtime.Reason("signal"))
		if first := <-kept; rec.Reason != "operator" || first.Reason != rec.Reason {
			t.Errorf("two stops at once gave two receipts: %+v and %+v", first, rec)
		}
		j.expect(t, "start http", "stop http")
	})
}

// A start waits for channels that still stop, and can be interrupted while it does.
func TestStartWaitsForChannelsThatStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := run(t, func(*runtime.Registry) {}, (&channel{journal: j, name: "http", stop: func(context.Context) error { time.Sleep(3 * time.Second); return nil }}).option())
		for _, patience := range []time.Duration{time.Second, time.Minute} {
			stop(t, a, runtime.KeepChannels())
			var wg sync.WaitGroup
			wg.Go(func() { stop(t, a) })
			synctest.Wait()
			began := time.Now()
			err := a.Start(within(t, patience))
			if took := time.Since(began); took != min(patience, 3*time.Second) || (err == nil) != (patience == time.Minute) {
				t.Errorf("after %s: %v", took, err)
			}
			if se := (*runtime.StartError)(nil); err != nil && (!errors.As(err, &se) || se.Name != "http") {
				t.Errorf("Start: %v", err)
			}
			wg.Wait()
			start(t, a)
		}
		stop(t, a)
		j.expect(t, "start http", "stop http", "start http", "stop http", "start http", "stop http")
	})
}

func TestChannelThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		j := &journal{}
		a := run(t, func(*runtime.Registry) {}, (&channel{journal: j, name: "http", stop: hang(release)}).option(),
			(&channel{journal: j, name: "socket", stop: func(context.Context) error { return errBoom }}).option())
		began := time.Now()
		stop(t, a, runtime.KeepChannels())
		rec, err := a.Stop(within(t, 10*time.Second))
		if !errors.Is(err, runtime.ErrNotClean) || len(rec.Faults) != 2 || rec.Faults[0] != `control channel "socket": boom` ||
			!strings.Contains(rec.Faults[1], `control channel "http": no answer, it is left behind`) {
			t.Errorf("receipt %+v, %v", rec, err)
		}
		if took := time.Since(began); took > 14*time.Second {
			t.Errorf("it took %s", took)
		}
		if last := a.Status().LastStop; last == nil || last.Clean {
			t.Errorf("the status says %+v", last)
		}
	})
}

// A port that is taken: nothing is left up, no worker has started.
func TestSecondChannelFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := assemble(t, func(r *runtime.Registry) { r.Worker(j.loop("w")) }, (&channel{journal: j, name: "http"}).option(),
			(&channel{journal: j, name: "taken", start: func(context.Context) error { return errBoom }}).option())
		var se *runtime.StartError
		if err := a.Start(t.Context()); !errors.As(err, &se) || se.Kind != "control channel" || se.Name != "taken" {
			t.Errorf("Start: %v", err)
		}
		j.expect(t, "start http", "start taken", "stop http")
	})
}

// A channel shows a start in progress and answers until the workers have stopped.
func TestChannelSeesStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var a *runtime.App
		c := &channel{journal: j, name: "http"}
		c.start = func(context.Context) error { j.note("at start: " + string(a.Status().State)); return nil }
		c.stop = func(context.Context) error {
			s := a.Status()
			j.note("at stop: " + string(s.State) + ", worker " + string(s.Workers[0].State))
			return nil
		}
		a = assemble(t, func(r *runtime.Registry) { r.Worker(idle("w")) }, c.option())
		start(t, a)
		stop(t, a)
		j.expect(t, "start http", "at start: starting", "stop http", "at stop: stopping, worker stopped")
	})
}

// A factory that gives nothing has switched its channel off; its faults come with all others.
func TestChannelFactories(t *testing.T) {
	off := runtime.WithChannel(func(*config.Config) (runtime.Channel, error) { return nil, nil })
	a := run(t, func(*runtime.Registry) {}, off)
	stop(t, a)
	bad := runtime.WithChannel(func(*config.Config) (runtime.Channel, error) { return nil, errBoom })
	if text := newFaults(t, module{"m", func(r *runtime.Registry) error { r.Worker(nil); return nil }}, bad); !strings.Contains(text, "boom") || !strings.Contains(text, "worker is nil") {
		t.Error(text)
	}
	if s := a.Status(); s.State != workers.Stopped {
		t.Errorf("status %+v", s)
	}
}

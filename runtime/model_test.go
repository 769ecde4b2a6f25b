package runtime_test

import (
	"context"
	"errors"
	"flag"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
	"pgregory.net/rapid"
)

// The model of an application is what an operator has in mind: it is up or not, its channel is up or not, and parts fail when they are told to.
type model struct {
	up, channel bool
	lives       int64 // of the steady worker
	opens       int64 // of the resource
}

// world is the application under test and the switches of its parts.
type world struct {
	app                    *runtime.App
	failOpen, failClose    atomic.Bool
	failWorker, hangWorker atomic.Bool
	crash                  chan struct{}
	lives, opens, closes   atomic.Int64
	channelUp              atomic.Bool
}

func newWorld(t testing.TB) *world {
	w := &world{crash: make(chan struct{})}
	w.app = assemble(t, func(r *runtime.Registry) {
		r.Resource("store", func(context.Context) error {
			if w.failOpen.Load() {
				return errBoom
			}
			w.opens.Add(1)
			return nil
		}, func(context.Context) error {
			w.closes.Add(1)
			if w.failClose.Load() {
				return errBoom
			}
			return nil
		})
		r.Worker(workers.Loop("steady", func(_ context.Context, s *workers.Session) error {
			w.lives.Add(1)
			s.Ready()
			select {
			case <-s.Stopping():
				return nil
			case <-w.crash:
				return errBoom
			}
		}))
		r.Worker(workers.Loop("critical", func(ctx context.Context, s *workers.Session) error {
			switch {
			case w.failWorker.Load():
				return errBoom
			case w.hangWorker.Load():
				<-ctx.Done()
				return ctx.Err()
			}
			s.Ready()
			<-s.Stopping()
			return nil
		}), runtime.Critical())
	}, (&switched{w}).option())
	return w
}

// switched is a control channel that remembers whether it is up.
type switched struct{ w *world }

func (c *switched) Name() string { return "channel" }

func (c *switched) Start(context.Context, *runtime.App) error {
	if c.w.channelUp.Load() {
		return errors.New("started twice")
	}
	c.w.channelUp.Store(true)
	return nil
}

func (c *switched) Stop(context.Context) error {
	if !c.w.channelUp.Load() {
		return errors.New("stopped twice")
	}
	c.w.channelUp.Store(false)
	return nil
}

func (c *switched) option() runtime.Option {
	return runtime.WithChannel(func(*config.Config) (runtime.Channel, error) { return c, nil })
}

// Any sequence of starts, stops and failures leaves the application as the model says.
func TestApplicationFollowsItsModel(t *testing.T) {
	const batch = 50 // rapid allows itself a day for its checks, and here the days pass quickly
	set(t, "rapid.checks", strconv.Itoa(batch))
	want := volume(batch, 10_000)
	checks, steps := 0, 0
	for checks < want && !t.Failed() {
		before := checks
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // without T.Deadline, which a bubble does not have
				checks++
				w, m := newWorld(t), &model{}
				defer func() { _, _ = w.app.Stop(context.Background()) }() // also on a failure, or the bubble could not end
				rt.Repeat(actions(w, m, &steps))
			})
		})
		if checks-before < batch {
			t.Fatalf("%d checks in a batch of %d", checks-before, batch)
		}
	}
	if steps < 10*checks {
		t.Errorf("only %d steps in %d checks", steps, checks)
	}
}

// set changes a flag of a library for the test.
func set(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

func actions(w *world, m *model, steps *int) map[string]func(*rapid.T) {
	step := func(f func(rt *rapid.T)) func(*rapid.T) {
		return func(rt *rapid.T) {
			*steps++
			f(rt)
			synctest.Wait()
		}
	}
	started := func(rt *rapid.T, err error) {
		if err != nil {
			rt.Fatalf("Start: %v", err)
		}
		if !m.up {
			m.up, m.channel = true, true
			m.opens++
			m.lives++
		}
	}
	failed := func(rt *rapid.T, err error, opened, lived bool) {
		if m.up {
			started(rt, err)
			return
		}
		var se *runtime.StartError
		if !errors.As(err, &se) {
			rt.Fatalf("Start: %v, want a *StartError", err)
		}
		if opened {
			m.opens++
		}
		if lived {
			m.lives++
		}
	}
	return map[string]func(*rapid.T){
		"start": step(func(rt *rapid.T) { started(rt, w.app.Start(context.Background())) }),
		"start, resource fails": step(func(rt *rapid.T) {
			w.failOpen.Store(true)
			failed(rt, w.app.Start(context.Background()), false, false)
			w.failOpen.Store(false)
		}),
		"start, critical worker fails": step(func(rt *rapid.T) {
			w.failWorker.Store(true)
			failed(rt, w.app.Start(context.Background()), true, true)
			w.failWorker.Store(false)
		}),
		"start, critical worker hangs": step(func(rt *rapid.T) {
			w.hangWorker.Store(true)
			failed(rt, w.app.Start(context.Background()), true, true)
			w.hangWorker.Store(false)
		}),
		"start, interrupted by stop": step(func(rt *rapid.T) {
			w.hangWorker.Store(true)
			before := *m
			result := make(chan error)
			go func() { result <- w.app.Start(context.Background()) }()
			synctest.Wait()
			rec, err := w.app.Stop(context.Background())
			if err != nil {
				rt.Fatalf("Stop: %v\n%s", err, rec)
			}
			failedOrNot := <-result
			w.hangWorker.Store(false)
			if before.up { // the start had nothing to do, the stop was a plain one
				if failedOrNot != nil {
					rt.Fatalf("Start: %v", failedOrNot)
				}
			} else {
				failed(rt, failedOrNot, true, true)
			}
			m.up, m.channel = false, false
		}),
		"stop": step(func(rt *rapid.T) {
			_, _ = w.app.Stop(context.Background())
			m.up, m.channel = false, false
		}),
		"stop, keeping the channel": step(func(*rapid.T) {
			_, _ = w.app.Stop(context.Background(), runtime.KeepChannels())
			m.up = false
		}),
		"stop, forced": step(func(*rapid.T) {
			_, _ = w.app.Stop(context.Background(), runtime.Force())
			m.up, m.channel = false, false
		}),
		"stop, resource fails": step(func(rt *rapid.T) {
			w.failClose.Store(true)
			rec, err := w.app.Stop(context.Background())
			w.failClose.Store(false)
			if m.up && (!errors.Is(err, runtime.ErrNotClean) || len(rec.Faults) != 1) {
				rt.Fatalf("Stop: %+v, %v", rec, err)
			}
			m.up, m.channel = false, false
		}),
		"crash": step(func(rt *rapid.T) {
			if !m.up {
				rt.Skip("nothing runs")
			}
			if s, _ := w.app.Worker("steady"); s.State == workers.Stopped {
				rt.Skip("it has crashed too often or waits")
			}
			w.crash <- struct{}{}
			synctest.Wait()
			if h := w.app.Health(); h.State != health.StateDegraded {
				rt.Fatalf("after a crash: %+v", h)
			}
			time.Sleep(2 * time.Minute) // the longest wait is a minute and a fifth
			m.lives++
		}),
		"time": step(func(*rapid.T) { time.Sleep(time.Minute) }),
		"": func(rt *rapid.T) {
			s := w.app.Status()
			if (s.State == workers.Idle) != m.up || (s.State == workers.Stopped) == m.up || s.Ready != m.up {
				rt.Fatalf("status %+v, up: %t", s, m.up)
			}
			if w.channelUp.Load() != m.channel || w.opens.Load() != m.opens || w.lives.Load() != m.lives {
				rt.Fatalf("channel %t, opens %d, lives %d; want %+v", w.channelUp.Load(), w.opens.Load(), w.lives.Load(), *m)
			}
			if open := w.opens.Load() - w.closes.Load(); (open == 1) != m.up || open < 0 {
				rt.Fatalf("%d opens, %d closes, up: %t", w.opens.Load(), w.closes.Load(), m.up)
			}
			if h := w.app.Health(); m.up && h.State != health.StateOK {
				rt.Fatalf("health %+v", h)
			}
		},
	}
}

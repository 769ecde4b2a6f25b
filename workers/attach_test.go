package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// attachee is a handler that wants to know of its worker's life.
type attachee struct {
	name      string
	log       *notes
	attach    func() error
	detach    func(context.Context) error
	undoes    bool
	keeps     bool
	leastSize int
}

type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notes) want(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.lines, want) {
		t.Errorf("got %q, want %q", n.lines, want)
	}
	n.lines = nil
}

func (a *attachee) Handle(_ context.Context, v int) error {
	time.Sleep(time.Duration(v) * time.Second)
	a.log.add("%s handled %d", a.name, v)
	return nil
}

func (a *attachee) Attach(slots task.Slots) (func(context.Context) error, error) {
	a.log.add("%s attached to %d", a.name, slots.Size())
	if a.attach != nil {
		if err := a.attach(); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		a.log.add("%s detached", a.name)
		if a.detach != nil {
			return a.detach(ctx)
		}
		return nil
	}, nil
}

func (a *attachee) Compensates() bool      { return a.undoes }
func (a *attachee) NeedsCheckpoints() bool { return a.keeps }
func (a *attachee) CheckSlots(size int) error {
	if size < a.leastSize {
		return fmt.Errorf("%s needs %d slots", a.name, a.leastSize)
	}
	return nil
}

var _ task.SlotsChecker = (*attachee)(nil)

func TestAttachedForALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := openQueue[int](t, "q", 10), &notes{}
		w := workers.Consume("w", q, workers.Handler[int](&attachee{name: "a", log: log}), workers.Concurrency(3))
		equip(t, w)
		for range 2 {
			log.want(t)
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			log.want(t, "a attached to 3")
			publish(t, q, 1, 2)
			synctest.Wait()
			w.Stop(forever(), forever())
			log.want(t, "a handled 1", "a handled 2", "a detached")
		}
	})
}

func TestAttachFails(t *testing.T) {
	for name, c := range map[string]struct {
		attach func() error
		want   string
	}{
		"error": {func() error { return errors.New("no room") }, `worker "w" did not start: the handler cannot be attached: no room`},
		"panic": {func() error { panic("no room") }, `worker "w" did not start: panic: no room`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, log := openQueue[int](t, "q", 10), &notes{}
				a, b := &attachee{name: "a", log: log}, &attachee{name: "b", log: log, attach: c.attach}
				layer := func(next workers.Handler[int]) workers.Handler[int] { return b }
				w := workers.Consume("w", q, workers.Wrap(workers.Handler[int](a), layer))
				equip(t, w)
				if err := w.Start(t.Context()); err == nil || err.Error() != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
				log.want(t, "a attached to 1", "b attached to 1", "a detached")
				if s := w.Status(); s.State != workers.Stopped {
					t.Errorf("status %+v", s)
				}
				b.attach = nil
				start(t, w)
				log.want(t, "a attached to 1", "b attached to 1")
				w.Stop(forever(), forever())
				log.want(t, "b detached", "a detached")
			})
		})
	}
}

// An Attach that takes too long fails the start. When it succeeds after all, it is undone at once; until then the worker cannot be started.
func TestAttachComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := openQueue[int](t, "q", 10), &notes{}
		a := &attachee{name: "a", log: log, attach: func() error { time.Sleep(time.Minute); return nil }}
		w := workers.Consume("w", q, workers.Handler[int](a))
		equip(t, w)
		if err := w.Start(after(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start: %v", err)
		}
		var busy *workers.StateError
		if err := w.Start(t.Context()); !errors.As(err, &busy) || w.Status().Abandoned != 1 {
			t.Errorf("start: %v; %+v", err, w.Status())
		}
		publish(t, q, 1)
		pass(time.Minute)
		log.want(t, "a attached to 1", "a detached")
		if s := w.Status(); s.Abandoned != 0 || stats(t, q).Ready != 1 {
			t.Errorf("%+v, %+v", s, stats(t, q))
		}
	})
}

func TestStopWhileAttaching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := openQueue[int](t, "q", 10), &notes{}
		a := &attachee{name: "a", log: log, attach: func() error { time.Sleep(time.Minute); return nil }}
		w := workers.Consume("w", q, workers.Handler[int](a))
		equip(t, w)
		failed := make(chan error)
		go func() { failed <- w.Start(t.Context()) }()
		synctest.Wait()
		go func() { w.Stop(forever(), forever()) }()
		if err := <-failed; err == nil {
			t.Error("started")
		}
		<-w.Done()
		log.want(t, "a attached to 1", "a detached")
	})
}

func TestDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := openQueue[int](t, "q", 10), &notes{}
		a := &attachee{name: "a", log: log}
		w := workers.Consume("w", q, workers.Handler[int](a))
		equip(t, w)
		stop := func(soft, hard context.Context, detach func(context.Context) error) (workers.Receipt, time.Duration) {
			t.Helper()
			a.detach = detach
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			began := time.Now()
			return w.Stop(soft, hard), time.Since(began)
		}
		stop(forever(), forever(), func(context.Context) error { return errors.New("buffer not empty") })
		if err := w.Err(); err == nil || err.Error() != "detaching the handler: buffer not empty" {
			t.Errorf("err %v", err)
		}
		stop(forever(), forever(), func(context.Context) error { panic("planted") })
		if err := w.Err(); err == nil || err.Error() != "detaching the handler: panic: planted" {
			t.Errorf("err %v", err)
		}
		waits := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		if r, took := stop(after(t, time.Second), after(t, time.Minute), waits); w.Err() != nil || r.Abandoned != 0 || took != time.Second {
			t.Errorf("err %v, receipt %+v after %s", w.Err(), r, took)
		}
		hangs := func(context.Context) error { time.Sleep(time.Hour); return nil }
		if r, took := stop(after(t, time.Second), after(t, time.Minute), hangs); w.Err() == nil || r.Abandoned != 1 || took != time.Minute {
			t.Errorf("err %v, receipt %+v after %s", w.Err(), r, took)
		}
		pass(time.Hour)
		stop(forever(), forever(), nil)
		if err := w.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A handler that an Attacher is part of is one, however many layers are around it; a layer may be one too. Each is attached once.
func TestWrapKeepsAttachers(t *testing.T) {
	log := &notes{}
	a, b := &attachee{name: "a", log: log}, &attachee{name: "b", log: log}
	plain := func(next workers.Handler[int]) workers.Handler[int] { return workers.Func(next.Handle) }
	layer := func(next workers.Handler[int]) workers.Handler[int] {
		return struct {
			workers.Handler[int]
			task.Attacher
		}{next, b}
	}
	same := func(next workers.Handler[int]) workers.Handler[int] { return next }
	composed := func(next workers.Handler[int]) workers.Handler[int] { return workers.Wrap(next, plain, layer) }
	for name, c := range map[string]struct {
		h    workers.Handler[int]
		want []string
	}{
		"nothing around":        {workers.Wrap[int](a), []string{"a"}},
		"one layer":             {workers.Wrap[int](a, plain), []string{"a"}},
		"wrapped twice":         {workers.Wrap(workers.Wrap[int](a, plain, same), plain), []string{"a"}},
		"a layer is one":        {workers.Wrap[int](a, plain, layer, same), []string{"a", "b"}},
		"a layer that composes": {workers.Wrap[int](a, plain, composed, plain), []string{"a", "b"}},
		"the layer alone":       {workers.Wrap(workers.Func(func(context.Context, int) error { return nil }), plain, layer, plain), []string{"b"}},
		"none":                  {workers.Wrap(workers.Func(func(context.Context, int) error { return nil }), plain), nil},
	} {
		t.Run(name, func(t *testing.T) {
			at, ok := c.h.(task.Attacher)
			if ok != (len(c.want) > 0) {
				t.Fatalf("an Attacher: %t", ok)
			}
			if !ok {
				return
			}
			a.undoes, b.undoes, a.keeps, b.keeps = true, false, false, false
			if at.Compensates() != slices.Contains(c.want, "a") || at.NeedsCheckpoints() && name == "the layer alone" {
				t.Errorf("compensates %t, needs checkpoints %t", at.Compensates(), at.NeedsCheckpoints())
			}
			detach, err := at.Attach(fixedSlots(2))
			if err != nil {
				t.Fatal(err)
			}
			if err := detach(t.Context()); err != nil {
				t.Error(err)
			}
			var want []string
			for _, name := range c.want {
				want = append(want, name+" attached to 2")
			}
			for _, name := range slices.Backward(c.want) {
				want = append(want, name+" detached")
			}
			log.want(t, want...)
		})
	}
}

type fixedSlots int

func (n fixedSlots) Size() int               { return int(n) }
func (fixedSlots) Park() func()              { return func() {} }
func (fixedSlots) OnSaturated(func()) func() { return func() {} }

func TestMuxAttachesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := openQueue[queue.Message](t, "q", 10), &notes{}
		kinds := []queue.Kind[int]{queue.KindOf[int]("a"), queue.KindOf[int]("b"), queue.KindOf[int]("c")}
		w := workers.Mux("w", q, []workers.Route{
			workers.On(kinds[0], workers.Handler[int](&attachee{name: "a", log: log})),
			workers.On(kinds[1], workers.Func(func(context.Context, int) error { return nil })),
			workers.On(kinds[2], workers.Wrap[int](&attachee{name: "c", log: log})),
		})
		start(t, w)
		log.want(t, "a attached to 1", "c attached to 1")
		for _, k := range kinds {
			if err := k.Publish(t.Context(), q, 0); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		w.Stop(forever(), forever())
		log.want(t, "a handled 0", "c handled 0", "c detached", "a detached")
	})
}

// A handler that can tell says at registration how many slots it needs; what the operator configured counts.
func TestCheckSlots(t *testing.T) {
	a := &attachee{name: "batch", leastSize: 4, log: &notes{}}
	for n, want := range map[int]string{3: `worker "w": concurrency 3: batch needs 4 slots`, 4: ""} {
		w := workers.Consume("w", openQueue[int](t, "q", 1), workers.Wrap[int](a), workers.Concurrency(8))
		err := w.(workers.Equipped).Equip(workers.Env{Settings: workers.Settings{Concurrency: &n}})
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%d slots: %v, want %q", n, err, want)
		}
	}
}

// What a handler needs of the queue it asks of the queue; whoever compensates needs checkpoints.
func TestHandlerNeedsCheckpoints(t *testing.T) {
	for _, c := range []struct {
		a    attachee
		want bool
	}{{attachee{}, false}, {attachee{keeps: true}, true}, {attachee{undoes: true}, true}} {
		q := openQueue[int](t, "q", 1)
		workers.Consume("w", q, workers.Handler[int](&c.a))
		if got := q.Requires()&queue.Checkpointed != 0; got != c.want {
			t.Errorf("%+v: required %t", c.a, got)
		}
	}
}

// A fault that a handler has from one Wrap is not lost in another, nor in a Mux.
func TestFaultsShowThroughLayers(t *testing.T) {
	h := workers.Func(func(context.Context, int) error { return nil })
	same := func(next workers.Handler[int]) workers.Handler[int] { return next }
	faulty := workers.Wrap(h, nil)
	for name, w := range map[string]workers.Worker{
		"Wrap": workers.Consume("w", openQueue[int](t, "q", 1), workers.Wrap(faulty, same)),
		"Mux":  workers.Mux("w", openQueue[queue.Message](t, "q", 1), []workers.Route{workers.On(queue.KindOf[int]("k"), faulty)}),
	} {
		if err := w.(workers.Equipped).Equip(workers.Env{}); err == nil || !strings.Contains(err.Error(), "middleware 1 of 1 is nil") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package runtime_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// After counts for more than the order of registration; a stop goes the other way round.
func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		open := func(name string) (start, stop func(context.Context) error) {
			return func(context.Context) error { j.note("open " + name); return nil }, func(context.Context) error { j.note("close " + name); return nil }
		}
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(j.loop("web"), runtime.After("cache", "store"), runtime.After("cache"))
			r.Worker(j.loop("cache"), runtime.After("feed"))
			r.Worker(j.loop("feed"))
			start, stop := open("store")
			r.Resource("store", start, stop, runtime.After("disk"))
			start, stop = open("disk")
			r.Resource("disk", start, stop)
		})
		for range 2 {
			start(t, a)
			j.expect(t, "open disk", "open store", "start feed", "start cache", "start web")
			stop(t, a)
			j.expect(t, "stop web", "stop cache", "stop feed", "close store", "close disk")
		}
		if names := a.WorkerNames(); !slices.Equal(names, []string{"web", "cache", "feed"}) {
			t.Errorf("shown as %v, want the order of registration", names)
		}
	})
}

// A start that fails is undone in the order that After says, too.
func TestAfterInARollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(workers.Loop("last", func(context.Context, *workers.Session) error { return errBoom }), runtime.Critical(), runtime.After("first", "second"))
			r.Worker(j.loop("second"), runtime.After("first"))
			r.Worker(j.loop("first"))
		})
		if err := a.Start(t.Context()); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		j.expect(t, "start first", "start second", "stop second", "stop first")
	})
}

// A loop that a consumer comes after is no plain source: it goes on until the consumer has finished, whatever the consumer's queue is.
func TestAfterKeepsALoopForAConsumer(t *testing.T) {
	for name, drivers := range map[string][]queue.Driver{"volatile": nil, "durable": {durable()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				var q *queue.Queue[int]
				opts := []runtime.Option{runtime.WithDrivers(drivers...)}
				if name == "durable" {
					opts = append(opts, yaml("platform: {queues: {q: {backend: durable}}}"))
				}
				a := run(t, func(r *runtime.Registry) {
					q = runtime.QueueOf[int](r, "q")
					r.Worker(workers.Consume("c", q, workers.Func(func(context.Context, int) error {
						time.Sleep(2 * time.Second)
						j.note("handled")
						return nil
					})), runtime.After("cache"))
					r.Worker(j.loop("cache"))
					r.Worker(j.loop("source"))
				}, opts...)
				if err := q.Publish(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				rec := stop(t, a)
				j.expect(t, "start cache", "start source", "stop source", "handled", "stop cache")
				if rec.TookSeconds > 2 {
					t.Errorf("the stop took %.1fs", rec.TookSeconds)
				}
			})
		})
	}
}

// When the budget is used up nobody waits for his turn any longer: all are forced and have the same grace.
func TestAfterDoesNotOutlastTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker(busy("stubborn", heeds), runtime.After("helper"))
			r.Worker(busy("helper", heeds))
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		rec, err := a.Stop(t.Context())
		if !errors.Is(err, runtime.ErrNotClean) || rec.TookSeconds != 8 {
			t.Errorf("%v after %.1fs", err, rec.TookSeconds)
		}
		for _, w := range rec.Workers {
			if w.Outcome != runtime.Forced {
				t.Errorf("%+v", w)
			}
		}
	})
}

// What comes first and is not critical may fail to start: After orders, it does not make a condition.
func TestAfterIsNoCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		a := run(t, func(r *runtime.Registry) {
			r.Worker(j.loop("second"), runtime.After("first"))
			r.Worker(workers.Loop("first", func(context.Context, *workers.Session) error { j.note("first fails"); return errBoom }))
		})
		j.expect(t, "first fails", "start second")
		stop(t, a)
	})
}

func TestAfterFaults(t *testing.T) {
	m := module{"app", func(r *runtime.Registry) error {
		r.Resource("store", nothing, nothing, runtime.After("disk", "web", "stoer"))
		r.Resource("disk", nothing, nothing, runtime.After("net"))
		r.Resource("net", nothing, nothing, runtime.After("store"))
		r.Resource("own", nothing, nothing, runtime.After("own"))
		r.Health("catalogue", nothing)
		r.Worker(idle("web"), runtime.After("cahce", "catalogue", "store"))
		r.Worker(idle("self"), runtime.After("self"))
		r.Worker(idle("before"), runtime.After("a"))
		r.Worker(idle("a"), runtime.After("b", "web"))
		r.Worker(idle("b"), runtime.After("c"))
		r.Worker(idle("c"), runtime.After("a"))
		return nil
	}}
	golden(t, "faults-after.txt", newFaults(t, m))
}

// A Register that gave up might have registered what After names.
func TestAfterAnIncompleteModule(t *testing.T) {
	m := module{"app", func(r *runtime.Registry) error {
		r.Worker(idle("web"), runtime.After("cache"))
		return errors.New("no licence")
	}}
	if text := newFaults(t, m); text != "module \"app\": no licence\n" {
		t.Error(text)
	}
}

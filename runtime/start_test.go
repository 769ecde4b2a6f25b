package runtime_test

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var errBoom = errors.New("boom")

// broken is a worker that does not start.
func broken(name string) workers.Worker {
	return workers.Loop(name, func(context.Context, *workers.Session) error { return errBoom })
}

// everything is an application with all kinds of parts that keeps a journal.
func everything(t *testing.T, j *journal, more func(*runtime.Registry)) *runtime.App {
	t.Helper()
	d := durable()
	d.open = func(_ context.Context, q string) error { j.note("open " + q); return nil }
	d.close = func(_ context.Context, q string) error { j.note("close " + q); return nil }
	return assemble(t, func(r *runtime.Registry) {
		j.resource(r, "store")
		r.Worker(j.loop("first"), runtime.Critical())
		runtime.QueueOf[int](r, "mails")
		r.Health("catalogue", func(context.Context) error { j.note("check"); return nil })
		j.resource(r, "shop")
		runtime.QueueOf[int](r, "orders")
		r.Worker(j.loop("second"))
		if more != nil {
			more(r)
		}
	}, runtime.WithDrivers(d), yaml("platform: {queues: {mails: {backend: durable}, orders: {backend: durable}}}"),
		(&channel{journal: j, name: "http"}).option(), (&channel{journal: j, name: "socket"}).option())
}

var (
	upOrder   = []string{"open mails", "open orders", "start store", "start shop", "check", "start http", "start socket", "start first", "start second"}
	downOrder = []string{"stop socket", "stop http", "stop shop", "stop store", "close orders", "close mails"}
)

func TestOrderOfStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := everything(t, j, nil)
		for range 2 { // Start after Stop works
			start(t, a)
			j.expect(t, upOrder...)
			if !a.Ready() || !a.Started() {
				t.Error("not ready after the start")
			}
			stop(t, a)
			got := j.take()
			workersFirst := len(got) > 2 && strings.Contains("stop first stop second", got[0]) && strings.Contains("stop first stop second", got[1])
			if !workersFirst || fmt.Sprint(got[2:]) != fmt.Sprint(downOrder) {
				t.Errorf("stopped %q, want both workers, then %q", got, downOrder)
			}
			if a.Ready() || !a.Started() {
				t.Error("ready after the stop")
			}
		}
	})
}

// What had started is stopped in reverse, whatever fails; and Start says which and why.
func TestFailedStartRollsBackInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := everything(t, j, func(r *runtime.Registry) { r.Worker(broken("third"), runtime.Critical()); r.Worker(j.loop("fourth")) })
		for range 2 { // a failed start can be tried again
			err := a.Start(t.Context())
			var se *runtime.StartError
			if !errors.As(err, &se) || se.Kind != "worker" || se.Name != "third" || !errors.Is(err, errBoom) {
				t.Fatalf("Start: %v", err)
			}
			if want := `start failed at worker "third": worker "third" did not start: boom`; err.Error() != want {
				t.Errorf("Start says %q, want %q", err, want)
			}
			j.expect(t, append(append(append([]string{}, upOrder...), "stop second", "stop first"), downOrder...)...)
			if s := a.Status(); s.State != workers.Stopped || s.LastStop == nil || s.LastStop.Reason != "the start failed" || !s.LastStop.Clean {
				t.Errorf("status %+v", s)
			}
			if a.Started() {
				t.Error("a start that failed counts as one")
			}
		}
		if rec := stop(t, a); len(rec.Workers) != 2 {
			t.Errorf("the receipt after a failed start is that of the roll-back, with two workers: %+v", rec)
		}
	})
}

func TestEachPartCanFail(t *testing.T) {
	type failing struct {
		kind, name string
		assemble   func(t *testing.T, f func(context.Context) error) *runtime.App
	}
	start := func(f func(context.Context) error) *driver {
		d := durable()
		d.open = func(ctx context.Context, _ string) error { return f(ctx) }
		return d
	}
	parts := []failing{
		{"queue", "q", func(t *testing.T, f func(context.Context) error) *runtime.App {
			return assemble(t, func(r *runtime.Registry) { runtime.QueueOf[int](r, "q") }, runtime.WithDrivers(start(f)), yaml("platform: {queues: {q: {backend: durable}}}"))
		}},
		{"resource", "r", func(t *testing.T, f func(context.Context) error) *runtime.App {
			return assemble(t, func(r *runtime.Registry) { r.Resource("r", f, nil) })
		}},
		{"control channel", "c", func(t *testing.T, f func(context.Context) error) *runtime.App {
			return assemble(t, func(r *runtime.Registry) {}, (&channel{journal: &journal{}, name: "c", start: f}).option())
		}},
		{"worker", "w", func(t *testing.T, f func(context.Context) error) *runtime.App {
			return assemble(t, func(r *runtime.Registry) { r.Worker(&custom{name: "w", start: f}, runtime.Critical()) })
		}},
	}
	for _, p := range parts {
		for name, c := range map[string]struct {
			f    func(context.Context) error
			want string
			took time.Duration
		}{
			"error":   {func(context.Context) error { return errBoom }, "boom", 0},
			"panic":   {func(context.Context) error { panic(errBoom) }, "panic: boom", 0},
			"Goexit":  {func(context.Context) error { goruntime.Goexit(); return nil }, "Goexit", 0},
			"timeout": {func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, "start timeout of 30s", 30 * time.Second},
			"hung":    {nil, "no answer, it is left behind: start timeout of 30s", 31 * time.Second},
		} {
			t.Run(p.kind+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					defer close(release)
					f := c.f
					if f == nil {
						f = hang(release)
					}
					a := p.assemble(t, f)
					began := time.Now()
					err := a.Start(t.Context())
					var se *runtime.StartError
					if !errors.As(err, &se) || se.Kind != p.kind || se.Name != p.name || !strings.Contains(err.Error(), c.want) {
						t.Errorf("Start: %v", err)
					}
					if took := time.Since(began); took != c.took {
						t.Errorf("it took %s, want %s", took, c.took)
					}
					if s := a.Status().State; s != workers.Stopped {
						t.Errorf("the application is %s", s)
					}
				})
			})
		}
	}
}

// A worker that is not critical does not hold up the others; it is retried in the background.
func TestOtherWorkerFailsToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		tries := 0
		a := run(t, func(r *runtime.Registry) {
			r.Worker(workers.Loop("moody", func(_ context.Context, s *workers.Session) error {
				if tries++; tries < 3 {
					return errBoom
				}
				s.Ready()
				<-s.Stopping()
				return nil
			}))
			r.Worker(j.loop("steady"), runtime.Critical())
		})
		j.expect(t, "start steady")
		if h := a.Health(); h.State != health.StateDegraded || !strings.Contains(h.Reason, "moody") {
			t.Errorf("health %+v", h)
		}
		synctest.Wait()
		if s := a.Status(); s.State != workers.Idle || !s.Ready || s.Workers[0].NextRestart.IsZero() {
			t.Errorf("status %+v", s)
		}
		pass(10 * time.Second)
		if h := a.Health(); h.State != health.StateOK || tries != 3 {
			t.Errorf("after %d tries: %+v", tries, h)
		}
		if w, _ := a.Worker("moody"); w.State != workers.Idle || w.Restarts != 2 {
			t.Errorf("worker %+v", w)
		}
		stop(t, a)
	})
}

// A worker that hangs in its start does not hold up the others for longer than the start timeout.
func TestOtherWorkerHangsInItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := assemble(t, func(r *runtime.Registry) {
			r.Worker(workers.Loop("stuck", func(context.Context, *workers.Session) error { <-release; return nil }))
			r.Worker(idle("steady"))
		}, yaml("platform: {start: {timeout: 3s}}"))
		began := time.Now()
		start(t, a)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the start took %s", took)
		}
		if w, _ := a.Worker("stuck"); w.State != workers.Stopped || w.Abandoned != 1 || !strings.Contains(w.LastError, "start timeout of 3s") {
			t.Errorf("worker %+v", w)
		}
		rec, err := a.Stop(t.Context()) // it still hangs
		if !errors.Is(err, runtime.ErrNotClean) || rec.Workers[0].Outcome != runtime.Abandoned || rec.Workers[0].Receipt.Abandoned != 1 {
			t.Errorf("%v\n%s", err, rec)
		}
		close(release)
	})
}

func TestStartIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := run(t, func(r *runtime.Registry) { j.resource(r, "store") })
		start(t, a)
		j.expect(t, "start store")
		stop(t, a)
	})
}

// Many who start at once share one start and its result.
func TestConcurrentStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, result := range []error{nil, errBoom} {
			j := &journal{}
			a := assemble(t, func(r *runtime.Registry) {
				r.Resource("slow", func(context.Context) error { j.note("start"); time.Sleep(5 * time.Second); return result }, nil)
			})
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					if err := a.Start(context.Background()); !errors.Is(err, result) {
						t.Errorf("Start: %v, want %v", err, result)
					}
				})
			}
			synctest.Wait()
			if s := a.Status(); s.State != workers.Starting || s.Ready {
				t.Errorf("status %+v", s)
			}
			if err := a.Start(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a Start that does not want to wait so long: %v", err)
			}
			wg.Wait()
			j.expect(t, "start")
			stop(t, a)
		}
	})
}

func TestStartWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Resource("slow", nil, func(context.Context) error { time.Sleep(5 * time.Second); return nil })
		})
		var wg sync.WaitGroup
		wg.Go(func() { stop(t, a) })
		synctest.Wait()
		var se *runtime.StateError
		if err := a.Start(t.Context()); !errors.As(err, &se) || se.State != runtime.Stopping || se.Op != "start" {
			t.Errorf("Start while stopping: %v", err)
		}
		wg.Wait()
		start(t, a)
		stop(t, a)
	})
}

// A Start whose context ends is undone.
func TestStartIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		a := assemble(t, func(r *runtime.Registry) {
			j.resource(r, "store")
			r.Resource("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil)
			j.resource(r, "never")
		})
		if err := a.Start(within(t, 5*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start: %v", err)
		}
		j.expect(t, "start store", "stop store")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Start(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Start with a context that has ended: %v", err)
		}
		j.expect(t)
	})
}

// A publish from a resource's start is allowed: queues are open before.
func TestResourceMayPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		a := assemble(t, func(r *runtime.Registry) {
			q := runtime.QueueOf[int](r, "q")
			r.Resource("seed", func(ctx context.Context) error { return q.Publish(ctx, 7) }, nil)
			r.Worker(workers.Consume("c", q, workers.Func(func(_ context.Context, v int) error { got = append(got, v); return nil })))
		})
		start(t, a)
		stop(t, a)
		if fmt.Sprint(got) != "[7]" {
			t.Errorf("handled %v", got)
		}
	})
}

// A queue's driver is asked once a start, with the settings of the configuration.
func TestQueuesAreOpenedAnewAtEachStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		a := assemble(t, func(r *runtime.Registry) { q = runtime.QueueOf[int](r, "q") }, runtime.WithDrivers(memory.Driver()))
		if err := q.Publish(t.Context(), 1); !errors.Is(err, queue.ErrNotOpen) {
			t.Errorf("before the start: %v", err)
		}
		start(t, a)
		if err := q.Publish(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if _, err := a.Stop(t.Context()); !errors.Is(err, runtime.ErrNotClean) {
			t.Errorf("a task without a consumer is lost: %v", err)
		}
		start(t, a)
		if s, err := a.QueueStats(t.Context(), "q"); err != nil || s.Published != 0 {
			t.Errorf("stats %+v, %v", s, err)
		}
		stop(t, a)
	})
}

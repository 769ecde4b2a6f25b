package runtime_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

func handle[T any](f func(context.Context, T) error) workers.Handler[T] { return workers.Func(f) }

func publish(t testing.TB, q *queue.Queue[int], vs ...int) {
	t.Helper()
	if _, err := q.PublishAll(t.Context(), vs); err != nil {
		t.Fatal(err)
	}
}

// Sources are stopped before consumers, and what a source still finds while it stops is handled.
func TestSourcesStopBeforeConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ends []string
		observe := func(worker string, tr workers.Transition) {
			mu.Lock()
			defer mu.Unlock()
			if tr.Event == workers.EventStop || tr.Event == workers.EventHalt {
				ends = append(ends, worker+" "+string(tr.Event))
			}
		}
		var handled []int
		a := run(t, func(r *runtime.Registry) {
			q := runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("consumer", q, handle(func(_ context.Context, n int) error {
				time.Sleep(2 * time.Second)
				handled = append(handled, n)
				return nil
			})))
			r.Worker(workers.Poll("source", time.Hour, func(ctx context.Context) (int, error) {
				time.Sleep(3 * time.Second)
				return 1, q.Publish(ctx, 1)
			}))
		}, runtime.WithObserver(observe))
		pass(time.Second)
		rec := stop(t, a)
		if got, want := strings.Join(ends, ", "), "source stop, source halt, consumer stop, consumer halt"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if len(handled) != 1 || rec.Workers[0].Name != "consumer" || rec.Workers[1].Name != "source" {
			t.Errorf("handled %v, receipt %+v", handled, rec)
		}
	})
}

// Handlers publish on while they drain: along a chain, and around in a circle.
func TestVolatileQueuesAreDrained(t *testing.T) {
	for name, next := range map[string]func(at, n int) (to int){
		"alone":              func(int, int) int { return -1 },
		"chain":              func(at, _ int) int { return at - 1 },
		"chain, other way":   func(at, _ int) int { return (at+2)%4 - 1 },
		"circle of two":      func(at, n int) int { return around(n, at, 2) },
		"circle of three":    func(at, n int) int { return around(n, at, 3) },
		"circle with itself": func(at, n int) int { return around(n, at-1, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var queues [3]*queue.Queue[int]
				var published, handled atomic.Int64
				a := run(t, func(r *runtime.Registry) {
					for i, name := range []string{"a", "b", "c"} {
						queues[i] = runtime.QueueOf[int](r, name)
						r.Worker(workers.Consume("consume-"+name, queues[i], handle(func(ctx context.Context, n int) error {
							time.Sleep(time.Duration(10+n) * time.Millisecond)
							if to := next(i, n); to >= 0 {
								if err := queues[to].Publish(ctx, n-1); err != nil {
									return err
								}
								published.Add(1)
							}
							handled.Add(1)
							return nil
						}), workers.Concurrency(1+i)))
					}
				})
				publish(t, queues[0], 20, 19, 18)
				publish(t, queues[2], 20, 19, 18)
				published.Add(6)
				rec := stop(t, a)
				if handled.Load() != published.Load() || len(rec.Lost) != 0 {
					t.Errorf("%d of %d handled, lost %v", handled.Load(), published.Load(), rec.Lost)
				}
				if strings.HasPrefix(name, "circle") && handled.Load() < 60 {
					t.Errorf("only %d tasks: the circle did not turn", handled.Load())
				}
				for _, w := range rec.Workers {
					if w.Outcome != runtime.Drained {
						t.Errorf("%+v", w)
					}
				}
			})
		})
	}
}

// around goes from queue to queue until n is used up.
func around(n, at, size int) int {
	if n <= 0 {
		return -1
	}
	return (at + 1 + size) % size
}

// What a durable queue holds stays there; only what is in flight is finished.
func TestDurableQueuesAreNotDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		var handled atomic.Int64
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, handle(func(context.Context, int) error {
				time.Sleep(time.Second)
				handled.Add(1)
				return nil
			}), workers.Concurrency(2)))
		}, runtime.WithDrivers(durable()), yaml("platform: {queues: {q: {backend: durable}}}"))
		if info, _ := a.Queue("q"); !info.Durable || info.Backend != "durable" {
			t.Errorf("queue %+v", info)
		}
		publish(t, q, make([]int, 10)...)
		pass(500 * time.Millisecond)
		rec := stop(t, a)
		if handled.Load() != 2 || rec.Workers[0].Finished != 2 || len(rec.Lost) != 0 || rec.TookSeconds != 0.5 {
			t.Errorf("handled %d, receipt %+v", handled.Load(), rec)
		}
	})
}

// What the handler of a durable queue publishes while it finishes is not lost, however long it takes.
func TestDurableConsumerFeedsAVolatileOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in *queue.Queue[int]
		var handled atomic.Int64
		a := run(t, func(r *runtime.Registry) {
			in = runtime.QueueOf[int](r, "in")
			out := runtime.QueueOf[int](r, "out")
			r.Worker(workers.Consume("last", out, handle(func(context.Context, int) error { time.Sleep(time.Second); handled.Add(1); return nil })))
			r.Worker(workers.Consume("first", in, handle(func(ctx context.Context, n int) error {
				time.Sleep(5 * time.Second)
				_, err := out.PublishAll(ctx, []int{n, n, n})
				return err
			})))
		}, runtime.WithDrivers(durable()), yaml("platform: {queues: {in: {backend: durable}}}"))
		publish(t, in, 1, 2)
		pass(time.Second)
		if rec := stop(t, a); handled.Load() != 3 || rec.TookSeconds < 7 {
			t.Errorf("handled %d, receipt %+v", handled.Load(), rec)
		}
	})
}

// A volatile queue is drained within the budget: what is left then is lost, and counted.
func TestDrainEndsWithTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		var handled atomic.Int64
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, handle(func(ctx context.Context, _ int) error {
				select {
				case <-time.After(time.Second):
					handled.Add(1)
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})))
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		publish(t, q, make([]int, 100)...)
		pass(500 * time.Millisecond)
		rec, err := a.Stop(t.Context())
		lost := int64(100) - handled.Load()
		if !errors.Is(err, runtime.ErrNotClean) || handled.Load() != 8 || len(rec.Lost) != 1 || rec.Lost[0] != (runtime.QueueLoss{Queue: "q", Tasks: lost}) {
			t.Errorf("handled %d, receipt %+v, %v", handled.Load(), rec, err)
		}
		if w := rec.Workers[0]; w.Outcome != runtime.Forced || w.Returned != 1 {
			t.Errorf("worker %+v", w)
		}
	})
}

// Tasks that wait for their time, and those that nobody consumes, cannot be drained. They are counted, not waited for.
func TestLostTasksAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q, nobody *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			q, nobody = runtime.QueueOf[int](r, "q"), runtime.QueueOf[int](r, "nobody")
			r.Worker(workers.Consume("c", q, handle(func(_ context.Context, n int) error {
				switch n {
				case 0:
					return errBoom
				case 1:
					return task.Permanent(errBoom)
				case 2:
					return task.Drop("no need")
				}
				return nil
			})))
		})
		publish(t, q, 0, 1, 2, 3)
		if _, err := q.Send(t.Context(), 4, queue.After(time.Hour)); err != nil {
			t.Fatal(err)
		}
		publish(t, nobody, 1, 2, 3)
		synctest.Wait()
		rec, err := a.Stop(t.Context())
		if !errors.Is(err, runtime.ErrNotClean) || len(rec.Lost) != 2 || rec.Lost[0] != (runtime.QueueLoss{Queue: "nobody", Tasks: 3}) ||
			rec.Lost[1] != (runtime.QueueLoss{Queue: "q", Tasks: 2}) {
			t.Errorf("receipt %+v, %v", rec, err)
		}
		if rec.TookSeconds > 1 {
			t.Errorf("it took %v s", rec.TookSeconds)
		}
	})
}

// A task whose handler is abandoned is lost with its volatile queue, and the late answer disturbs nobody.
func TestAbandonedTaskIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var q *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, handle(func(context.Context, int) error { <-release; return nil })))
		})
		publish(t, q, 1, 2)
		synctest.Wait()
		rec, _ := a.Stop(t.Context())
		if len(rec.Lost) != 1 || rec.Lost[0].Tasks != 2 || rec.Workers[0].Outcome != runtime.Abandoned {
			t.Errorf("receipt %+v", rec)
		}
		if err := a.Start(t.Context()); err != nil { // the worker is not critical: it waits for the abandoned call
			t.Fatal(err)
		}
		synctest.Wait()
		if w, _ := a.Worker("c"); w.State != workers.Stopped || w.NextRestart.IsZero() {
			t.Errorf("worker %+v", w)
		}
		close(release)
		pass(10 * time.Second)
		if w, _ := a.Worker("c"); w.State != workers.Idle || w.Abandoned != 0 {
			t.Errorf("worker %+v", w)
		}
		publish(t, q, 3)
		synctest.Wait()
		if s, err := a.QueueStats(t.Context(), "q"); err != nil || s.Completed != 1 {
			t.Errorf("stats %+v, %v", s, err)
		}
		stop(t, a)
	})
}

// A consumer that is stopped for good is not waited for.
func TestDrainWithoutAConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(&gone{custom{name: "gone"}})
		})
		publish(t, q, 1)
		rec, _ := a.Stop(t.Context())
		if rec.TookSeconds > 1 || len(rec.Lost) != 1 {
			t.Errorf("receipt %+v", rec)
		}
	})
}

// gone is a consumer that says that it is stopped.
type gone struct{ custom }

func (g *gone) QueueName() string { return "q" }
func (g *gone) Status() workers.Status {
	return workers.Status{Name: "gone", State: workers.Stopped}
}

// The engine that does not close is named.
func TestQueueThatDoesNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := durable()
		d.close = func(_ context.Context, q string) error {
			if q == "hangs" {
				<-release
			}
			return errBoom
		}
		a := run(t, func(r *runtime.Registry) { runtime.QueueOf[int](r, "hangs"); runtime.QueueOf[int](r, "fails") },
			runtime.WithDrivers(d), yaml("platform: {shutdown: {timeout: 10s}, queues: {hangs: {backend: durable}, fails: {backend: durable}}}"))
		rec, _ := a.Stop(t.Context())
		if len(rec.Faults) != 2 || rec.Faults[0] != `queue "fails": boom` || !strings.HasPrefix(rec.Faults[1], `queue "hangs": no answer`) {
			t.Errorf("receipt %+v", rec)
		}
		close(release)
	})
}

// A task that waits for the one before it in its strict group, which sleeps, is not waited for; those of other groups are handled.
func TestDrainDoesNotWaitForHeldGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[string]
		var handled []string
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf(r, "q", queue.Spec[string]{Order: queue.Strict, Group: func(s string) string { return s[:1] }})
			r.Worker(workers.Consume("c", q, handle(func(_ context.Context, s string) error {
				if s == "a1" {
					return task.Snooze(time.Hour, "closed")
				}
				time.Sleep(3 * time.Second)
				handled = append(handled, s)
				return nil
			})))
		})
		if _, err := q.PublishAll(t.Context(), []string{"a1", "a2", "b1", "b2", "a3"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		began := time.Now()
		rec, _ := a.Stop(t.Context())
		if took := time.Since(began); took > 6*time.Second || strings.Join(handled, " ") != "b1 b2" {
			t.Errorf("handled %q within %s", handled, took)
		}
		if len(rec.Lost) != 1 || rec.Lost[0] != (runtime.QueueLoss{Queue: "q", Tasks: 3}) {
			t.Errorf("receipt %+v, want three tasks lost", rec)
		}
	})
}

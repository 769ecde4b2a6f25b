package workers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/workers"
)

// hurry lets the worker believe that tasks take no time, so that it takes many at once.
func hurry(t testing.TB, q *queue.Queue[time.Duration]) {
	t.Helper()
	publish(t, q, make([]time.Duration, 500)...)
	for synctest.Wait(); stats(t, q).Completed < 500; synctest.Wait() {
		time.Sleep(time.Millisecond)
	}
}

// Long tasks that were taken together, because those before them were short, are begun together: none waits behind another while a slot is free. What was
// taken first begins first.
func TestTasksTakenTogetherBeginTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		var mu sync.Mutex
		var began []time.Duration
		w := consume(t, q, func(_ context.Context, d time.Duration) error {
			mu.Lock()
			began = append(began, d)
			mu.Unlock()
			time.Sleep(d)
			return nil
		}, workers.Concurrency(4))
		hurry(t, q)
		began = nil
		publish(t, q, time.Hour, 2*time.Hour, 3*time.Hour, 4*time.Hour, time.Minute, time.Second)
		synctest.Wait()
		if s := w.Status(); s.InFlight != 4 {
			t.Errorf("%d in flight, want 4", s.InFlight)
		}
		if s := stats(t, q); s.Running < 5 {
			t.Fatalf("they were not taken together: %+v", s)
		}
		pass(time.Hour + time.Second)
		want := []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, time.Minute}
		synctest.Wait()
		mu.Lock()
		if slices.Sort(began[:4]); !slices.Equal(began, want) {
			t.Errorf("begun %s, want %s", began, want)
		}
		mu.Unlock()
		pass(time.Minute)
		if s := stats(t, q); s.Completed != 503 || s.Running != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A short task behind a long one in the same batch is handled by whoever becomes free first.
func TestFreeSlotsTakeWhatOthersHaveLeased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		consume(t, q, func(_ context.Context, d time.Duration) error { time.Sleep(d); return nil }, workers.Concurrency(2))
		hurry(t, q)
		publish(t, q, append([]time.Duration{10 * time.Hour}, slices.Repeat([]time.Duration{time.Second}, 20)...)...)
		pass(21 * time.Second)
		if s := stats(t, q); s.Completed != 520 || s.Running != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// When all slots are busy for long, what the worker has leased for them goes back, so that others can take it.
func TestOthersTakeWhatABusyWorkerHasLeased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		consume(t, q, func(_ context.Context, d time.Duration) error { time.Sleep(d); return nil }, workers.Lease(time.Minute))
		hurry(t, q)
		publish(t, q, append([]time.Duration{time.Hour}, make([]time.Duration, 5)...)...)
		synctest.Wait()
		if s := stats(t, q); s.Running != 6 {
			t.Fatalf("no batch was taken: %+v", s)
		}
		var other atomic.Int64
		consume(t, q, func(context.Context, time.Duration) error { other.Add(1); return nil })
		pass(41 * time.Second) // two renewals
		if s := stats(t, q); other.Load() != 5 || s.Completed != 505 || s.Running != 1 {
			t.Errorf("%d taken, %+v", other.Load(), s)
		}
	})
}

// The answer of a short task does not wait for the long one that its slot begins next; and in an engine that encodes payloads it does not wait at all.
func TestAnswersDoNotWaitForTheNextTask(t *testing.T) {
	for name, encoded := range map[string]bool{"in process": false, "encoded": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openQueue[time.Duration](t, "q", 1000)
				if encoded {
					e, err := memory.Driver(memory.Encoded()).Open(t.Context(), queue.Opening{Queue: "q"})
					if err != nil {
						t.Fatal(err)
					}
					q.Bind(e, queue.Binding{Encode: true})
				}
				consume(t, q, func(_ context.Context, d time.Duration) error { time.Sleep(d); return nil })
				hurry(t, q)
				publish(t, q, 0, 0, 0, time.Hour)
				if encoded {
					synctest.Wait()
				} else {
					pass(time.Millisecond)
				}
				if s := stats(t, q); s.Completed != 503 || s.Running != 1 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// What others may wait for is answered at once: here, the next task of the group, and who publishes with the same key.
func TestAnswersThatOthersWaitForDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		consume(t, q, func(_ context.Context, d time.Duration) error { time.Sleep(d); return nil })
		hurry(t, q)
		publish(t, q, 0) // keeps the worker's batches large
		synctest.Wait()
		publish2 := func(vs ...time.Duration) {
			if err := q.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, v := range vs {
				if _, err := q.Send(t.Context(), v, queue.UniqueKey(string(rune('a'+i)))); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		publish2(0, time.Hour)
		synctest.Wait()
		if r, err := q.Send(t.Context(), 0, queue.UniqueKey("a")); err != nil || r.Existing {
			t.Errorf("%+v, %v: the key counts, but its task is done", r, err)
		}
	})
}

// leaving is an engine that leaves by runtime.Goexit when it is asked for tasks.
type leaving struct {
	queue.Engine
	leaves atomic.Bool
	asked  atomic.Int64
}

func (e *leaving) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if e.asked.Add(1); e.leaves.Load() {
		goexit()
	}
	return e.Engine.Receive(ctx, max, lease)
}

// runtime.Goexit in an engine's Receive is an error like any other: the worker is degraded, asks again with backoff, and goes on.
func TestEngineLeavesByGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		e := &leaving{Engine: q.Unbind()}
		q.Bind(e, queue.Binding{})
		e.leaves.Store(true)
		w := consume(t, q, func(context.Context, int) error { return nil }, workers.Concurrency(3))
		publish(t, q, 1)
		pass(time.Minute)
		if h := w.Health(); h.State != health.StateUnhealthy || w.Status().State != workers.Idle {
			t.Errorf("health %+v, status %+v", h, w.Status())
		}
		if n := e.asked.Load(); n < 5 || n > 20 {
			t.Errorf("asked %d times in a minute", n)
		}
		e.leaves.Store(false)
		pass(11 * time.Second)
		if s := w.Status(); s.Done != 1 || w.Health().State != health.StateOK {
			t.Errorf("status %+v, health %+v", s, w.Health())
		}
		if r := w.Stop(forever(), forever()); r != (workers.Receipt{}) || !errors.Is(w.Err(), nil) {
			t.Errorf("receipt %+v, err %v", r, w.Err())
		}
	})
}

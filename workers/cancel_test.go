package workers_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func send[T any](t testing.TB, q *queue.Queue[T], v T, opts ...queue.SendOption) string {
	t.Helper()
	r, err := q.Send(t.Context(), v, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func look[T any](t testing.TB, q *queue.Queue[T], id string) queue.Task {
	t.Helper()
	found, err := q.Task(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What becomes of a task that is cancelled while its handler runs, by what the handler answers. It learns of it at once, as the cancel comes from its own process.
func TestCancelWhileItRuns(t *testing.T) {
	for name, c := range map[string]struct {
		answer                  func(cause error) error
		want                    func(queue.Stats) bool
		done, failed, cancelled uint64
	}{
		"gives up":       {func(cause error) error { return fmt.Errorf("stopped: %w", cause) }, func(s queue.Stats) bool { return s.Cancelled == 1 }, 0, 0, 1},
		"fails":          {func(error) error { return errors.New("broken pipe") }, func(s queue.Stats) bool { return s.Cancelled == 1 }, 0, 0, 1},
		"fails for good": {func(err error) error { return task.Permanent(err) }, func(s queue.Stats) bool { return s.Cancelled == 1 }, 0, 0, 1},
		"snoozes":        {func(error) error { return task.Snooze(time.Hour, "") }, func(s queue.Stats) bool { return s.Cancelled == 1 }, 0, 0, 1},
		"panics":         {func(cause error) error { panic(cause) }, func(s queue.Stats) bool { return s.Cancelled == 1 }, 0, 0, 1},
		"has finished":   {func(error) error { return nil }, func(s queue.Stats) bool { return s.Completed == 1 }, 1, 0, 0},
		"has dropped it": {func(error) error { return task.Drop("twice") }, func(s queue.Stats) bool { return s.Completed == 1 }, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openQueue[int](t, "q", 10)
				w := consume(t, q, func(ctx context.Context, _ int) error {
					<-ctx.Done()
					if !errors.Is(context.Cause(ctx), task.ErrCancelled) {
						t.Errorf("cause %v", context.Cause(ctx))
					}
					return c.answer(context.Cause(ctx))
				}, workers.Concurrency(3))
				id := send(t, q, 1)
				synctest.Wait()
				began := time.Now()
				if err := q.Cancel(t.Context(), id, "sent twice"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if st := stats(t, q); !c.want(st) || st.Running != 0 || time.Since(began) != 0 {
					t.Errorf("%+v after %s", st, time.Since(began))
				}
				if s := w.Status(); s.Done != c.done || s.Failed != c.failed || s.Cancelled != c.cancelled {
					t.Errorf("status %+v", s)
				}
				id = send(t, q, 2) // the slot takes the next one, with a context that lives
				synctest.Wait()
				if s := w.Status(); s.InFlight != 1 {
					t.Errorf("status %+v", s)
				}
				if err := q.Cancel(t.Context(), id, ""); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// From another process a cancel is felt with the next renewal of the lease.
func TestCancelFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		e := q.Unbind()
		q.Bind(e, queue.Binding{})
		consume(t, q, func(ctx context.Context, _ int) error { <-ctx.Done(); return context.Cause(ctx) }, workers.Lease(time.Minute))
		id := send(t, q, 1)
		pass(time.Second)
		if err := e.Cancel(t.Context(), id, "sent twice"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := look(t, q, id); s.State != queue.StateRunning || !s.Cancelling {
			t.Errorf("%+v", s)
		}
		pass(20 * time.Second)
		s := look(t, q, id)
		if s.State != queue.StateCancelled || len(s.Failures) != 2 || s.Failures[1].Error != task.ErrCancelled.Error() {
			t.Errorf("%+v", s)
		}
	})
}

// A task that waits in a slot's batch behind another is not begun once it is cancelled.
func TestCancelInABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[time.Duration](t, "q", 1000)
		var handled atomic.Int64
		w := consume(t, q, func(_ context.Context, d time.Duration) error { time.Sleep(d); handled.Add(1); return nil })
		publish(t, q, make([]time.Duration, 200)...) // tasks that take no time are taken many at once
		synctest.Wait()
		handled.Store(0)
		publish(t, q, append([]time.Duration{time.Hour}, make([]time.Duration, 6)...)...)
		pass(time.Second)
		page, err := q.Tasks(t.Context(), queue.Query{States: []queue.State{queue.StateRunning}})
		if err != nil || len(page.Tasks) != 7 {
			t.Fatalf("no batch was taken: %+v, %v", page, err)
		}
		id := page.Tasks[3].Info.ID // the one that runs was published first, so it is the last of the page
		if err := q.Cancel(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := look(t, q, id); s.State != queue.StateCancelled {
			t.Errorf("%+v", s)
		}
		pass(2 * time.Hour)
		if s := stats(t, q); handled.Load() != 6 || s.Cancelled != 1 || s.Running != 0 || w.Status().Failed != 0 {
			t.Errorf("%d handled, %+v, %+v", handled.Load(), s, w.Status())
		}
	})
}

// hasty cancels a task after it was handed out and before the worker has it.
type hasty struct {
	queue.Engine
	q *queue.Queue[int]
}

func (h *hasty) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	leases, err := h.Engine.Receive(ctx, max, lease)
	for _, l := range leases {
		if err := h.q.Cancel(ctx, l.ID, "at once"); err != nil {
			return nil, err
		}
	}
	return leases, err
}

func TestCancelWhileItIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		q.Bind(&hasty{q.Unbind(), q}, queue.Binding{})
		w := consume(t, q, func(context.Context, int) error { t.Error("handled"); return nil })
		id := send(t, q, 1)
		synctest.Wait()
		if s := look(t, q, id); s.State != queue.StateCancelled || w.Status().InFlight != 0 {
			t.Errorf("%+v, %+v", s, w.Status())
		}
	})
}

// A stop counts a cancelled task as one that has ended; and what was cancelled after the stop was forced is not handed out again.
func TestCancelDuringAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		w := consume(t, q, func(ctx context.Context, n int) error {
			<-ctx.Done()
			time.Sleep(time.Duration(n) * time.Second)
			return context.Cause(ctx)
		}, workers.Concurrency(2))
		soft, late := send(t, q, 0), send(t, q, 3)
		synctest.Wait()
		time.AfterFunc(time.Second, func() { _ = q.Cancel(t.Context(), soft, "") })
		time.AfterFunc(11*time.Second, func() { _ = q.Cancel(t.Context(), late, "") })
		r := w.Stop(after(t, 10*time.Second), after(t, 20*time.Second))
		if r != (workers.Receipt{Finished: 1, Returned: 1}) {
			t.Errorf("receipt %+v", r)
		}
		if s := stats(t, q); s.Cancelled != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// The span of a cancelled task says so and is no failed one, and no failure is told.
func TestCancelledSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := tracetest.NewSpanRecorder()
		q := openQueue[int](t, "q", 10)
		w := workers.Consume("c", q, workers.Func(func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }))
		env := workers.Env{
			Tracing: tracing.Wrap(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec))),
			Failed:  func(string, workers.Failure) { t.Error("a failure was told") },
		}
		if err := w.(workers.Equipped).Equip(env); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := send(t, q, 1)
		synctest.Wait()
		if err := q.Cancel(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.Stop(forever(), forever())
		if got, want := spansOf(rec, "process q"), "outcome cancelled, Unset"; len(got) != 1 || got[0] != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// spansOf tells how the spans of that name ended.
func spansOf(rec *tracetest.SpanRecorder, name string) (ends []string) {
	for _, s := range rec.Ended() {
		if s.Name() != name {
			continue
		}
		for _, kv := range s.Attributes() {
			if kv.Key == "task.outcome" {
				ends = append(ends, fmt.Sprintf("outcome %s, %s", kv.Value.AsString(), s.Status().Code))
			}
		}
	}
	return ends
}

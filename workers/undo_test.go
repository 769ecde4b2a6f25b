package workers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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

// charger charges a customer, keeps a record of it with the task, and then does something that may fail. It undoes the charge when the task is given up.
type charger struct {
	notes
	do, undo func(ctx context.Context, info task.Info) error
	blind    bool // it does not compensate after all
}

const chargeRecord = task.UndoPrefix + "charge"

func (c *charger) Attach(task.Slots) (func(context.Context) error, error) { return nil, nil }
func (c *charger) Compensates() bool                                      { return !c.blind }
func (c *charger) NeedsCheckpoints() bool                                 { return true }

func (c *charger) Handle(ctx context.Context, amount int) error {
	info, _ := task.From(ctx)
	kept, ok := task.CheckpointsFrom(ctx)
	if !ok {
		return errors.New("no checkpoints")
	}
	charged := 0
	found, err := kept.Load(ctx, chargeRecord, &charged)
	if err != nil {
		return err
	}
	if info.Undo {
		c.add("undo %d of %d, attempt %d, since %s", charged, amount, info.Attempt, info.Cause)
		if c.undo == nil {
			return nil
		}
		return c.undo(ctx, info)
	}
	if !found {
		if err := kept.Save(ctx, chargeRecord, amount); err != nil {
			return err
		}
	}
	c.add("charge %d, attempt %d", amount, info.Attempt)
	return c.do(ctx, info)
}

// charging runs a test body with a worker over a charger. Attempts are a minute, two minutes … apart.
func charging(t *testing.T, c *charger, body func(t *testing.T, q *queue.Queue[int], w workers.Worker)) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		w := workers.Consume("w", q, workers.Handler[int](c),
			workers.RetryPolicy(func(attempt int, _ error) time.Duration { return time.Duration(attempt) * time.Minute }))
		start(t, w)
		body(t, q, w)
	})
}

func permanently(text string) func(context.Context, task.Info) error {
	return func(context.Context, task.Info) error { return task.Permanent(errors.New(text)) }
}

func wantState(t *testing.T, q *queue.Queue[int], id string, want queue.State, failures ...string) {
	t.Helper()
	found := look(t, q, id)
	var got []string
	for _, f := range found.Failures {
		text := fmt.Sprintf("%d %s", f.Attempt, f.Error)
		if f.Undo {
			text = "undo " + text
		}
		got = append(got, text)
	}
	if found.State != want || fmt.Sprint(got) != fmt.Sprint(failures) {
		t.Errorf("%s with %q, want %s with %q", found.State, got, want, failures)
	}
}

func TestGivenUpTaskIsUndone(t *testing.T) {
	c := &charger{do: permanently("no stock")}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		id := send(t, q, 5)
		synctest.Wait()
		c.want(t, "charge 5, attempt 1", "undo 5 of 5, attempt 1, since no stock")
		wantState(t, q, id, queue.StateDead, "1 no stock")
		if s := w.Status(); s.Done != 1 || s.Failed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// The last attempt gives the task up too; those before it never undo.
func TestLastAttemptIsUndone(t *testing.T) {
	c := &charger{do: func(context.Context, task.Info) error { return errors.New("busy") }}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], _ workers.Worker) {
		send(t, q, 5)
		pass(24 * time.Hour)
		if n := len(c.lines); n != queue.MaxAttempts+1 {
			t.Fatalf("%d attempts", n)
		}
		if got, want := c.lines[queue.MaxAttempts], "undo 5 of 5, attempt 1, since busy"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for _, line := range c.lines[:queue.MaxAttempts] {
			if !strings.HasPrefix(line, "charge") {
				t.Errorf("%q before the last attempt", line)
			}
		}
	})
}

// Undoing is retried by the worker's policy, and dead for good after as many attempts as a task has.
func TestUndoIsRetried(t *testing.T) {
	began := time.Time{}
	c := &charger{do: permanently("no stock")}
	c.undo = func(_ context.Context, info task.Info) error {
		c.add("after %s", time.Since(began))
		if info.Attempt < 3 {
			return errors.New("bank away")
		}
		return nil
	}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		began = time.Now()
		id := send(t, q, 5)
		pass(time.Hour)
		c.want(t, "charge 5, attempt 1",
			"undo 5 of 5, attempt 1, since no stock", "after 0s",
			"undo 5 of 5, attempt 2, since no stock", "after 1m0s",
			"undo 5 of 5, attempt 3, since no stock", "after 3m0s")
		wantState(t, q, id, queue.StateDead, "1 no stock", "undo 1 bank away", "undo 2 bank away")
		if s := w.Status(); s.Failed != 3 || s.Done != 1 || s.LastError != "bank away" {
			t.Errorf("%+v", s)
		}
	})
}

// An undo that fails for good is told as such: the last failure of all.
func TestUndoFailsForGood(t *testing.T) {
	for name, c := range map[string]struct {
		undo func(context.Context, task.Info) error
		want string
		n    int
	}{
		"permanently":      {permanently("account closed"), "undo true 1 final true: account closed", 2},
		"attempts used up": {func(context.Context, task.Info) error { return errors.New("away") }, fmt.Sprintf("undo true %d final true: away", queue.MaxAttempts), queue.MaxAttempts + 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openQueue[int](t, "q", 10)
				h := &charger{do: permanently("no stock"), undo: c.undo}
				w := workers.Consume("w", q, workers.Handler[int](h))
				var mu sync.Mutex
				var told []string
				env := workers.Env{Failed: func(_ string, f workers.Failure) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, fmt.Sprintf("undo %t %d final %t: %s", f.Undo, f.Attempt, f.Final, f.Error))
				}}
				if err := w.(workers.Equipped).Equip(env); err != nil {
					t.Fatal(err)
				}
				if err := w.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				id := send(t, q, 5)
				pass(24 * time.Hour)
				w.Stop(forever(), forever())
				if len(told) != c.n || told[0] != "undo false 1 final true: no stock" || told[len(told)-1] != c.want {
					t.Errorf("told %q", told)
				}
				if s := look(t, q, id); s.State != queue.StateDead {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A forced stop gives an undo lease back like any other, the attempt not counted. The next life undoes. A task that is forced back is not undone.
func TestForcedStopWhileUndoing(t *testing.T) {
	c := &charger{do: permanently("no stock")}
	c.undo = func(ctx context.Context, _ task.Info) error { <-ctx.Done(); return context.Cause(ctx) }
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		id := send(t, q, 5)
		synctest.Wait()
		for range 2 {
			if r := w.Stop(over(), forever()); r != (workers.Receipt{Returned: 1}) {
				t.Errorf("receipt %+v", r)
			}
			wantState(t, q, id, queue.StateUndoing, "1 no stock")
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		c.undo = nil
		w.Stop(over(), forever())
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantState(t, q, id, queue.StateDead, "1 no stock")
		undone := "undo 5 of 5, attempt 1, since no stock"
		c.want(t, "charge 5, attempt 1", undone, undone, undone, undone)
		if s := w.Status(); s.Done != 1 || s.Failed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestForcedStopDoesNotUndo(t *testing.T) {
	c := &charger{do: func(ctx context.Context, _ task.Info) error { <-ctx.Done(); return task.Permanent(context.Cause(ctx)) }}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		id := send(t, q, 5)
		synctest.Wait()
		w.Stop(over(), forever())
		wantState(t, q, id, queue.StateReady)
		c.want(t, "charge 5, attempt 1")
	})
}

// A worker that is abandoned while it undoes has lost the lease after a while; another one undoes, and the late answer of the first changes nothing.
func TestAbandonedWhileUndoing(t *testing.T) {
	c := &charger{do: permanently("no stock"), undo: func(context.Context, task.Info) error { time.Sleep(time.Hour); return nil }}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		id := send(t, q, 5)
		synctest.Wait()
		if r := w.Stop(over(), over()); r != (workers.Receipt{Abandoned: 1}) {
			t.Errorf("receipt %+v", r)
		}
		other := &charger{}
		start(t, workers.Consume("other", q, workers.Handler[int](other)))
		pass(2 * time.Minute)
		other.want(t, "undo 5 of 5, attempt 2, since no stock")
		wantState(t, q, id, queue.StateDead, "1 no stock", "undo 1 lease expired")
		pass(time.Hour)
		wantState(t, q, id, queue.StateDead, "1 no stock", "undo 1 lease expired")
	})
}

// An operator's cancel gives a task up in every state: while it waits for its next attempt, and while it runs.
func TestCancelledTaskIsUndone(t *testing.T) {
	for name, c := range map[string]*charger{
		"retrying": {do: func(context.Context, task.Info) error { return errors.New("busy") }},
		"running":  {do: func(ctx context.Context, _ task.Info) error { <-ctx.Done(); return context.Cause(ctx) }},
	} {
		t.Run(name, func(t *testing.T) {
			charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
				id := send(t, q, 5)
				pass(time.Second)
				if err := q.Cancel(t.Context(), id, "sent twice"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				c.want(t, "charge 5, attempt 1", "undo 5 of 5, attempt 1, since task cancelled")
				if s := look(t, q, id); s.State != queue.StateCancelled || w.Status().Done != 1 {
					t.Errorf("%+v, %+v", s, w.Status())
				}
			})
		})
	}
}

// A handler that does not compensate gets no such lease, whoever wrote the record: the task is dead and says why.
func TestUndoWithoutCompensation(t *testing.T) {
	c := &charger{do: permanently("no stock"), blind: true}
	charging(t, c, func(t *testing.T, q *queue.Queue[int], w workers.Worker) {
		id := send(t, q, 5)
		pass(time.Hour)
		c.want(t, "charge 5, attempt 1")
		wantState(t, q, id, queue.StateDead, "1 no stock", "undo 1 the task was given up and keeps something that can be undone, but the handler of worker w "+
			"does not compensate: what is kept was written by another version of it, and must be undone by hand or by that version")
	})
}

// In a Mux that goes for each kind.
func TestUndoInAMux(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[queue.Message](t, "q", 10)
		undoes, blind := queue.KindOf[int]("undoes"), queue.KindOf[int]("blind")
		a, b := &charger{do: permanently("no")}, &charger{do: permanently("no"), blind: true}
		audit := func(next workers.Handler[int]) workers.Handler[int] { return workers.Func(next.Handle) }
		start(t, workers.Mux("w", q, []workers.Route{workers.On(undoes, workers.Wrap[int](a, audit)), workers.On(blind, workers.Wrap[int](b, audit))}))
		for _, k := range []queue.Kind[int]{undoes, blind} {
			if err := k.Publish(t.Context(), q, 1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		a.want(t, "charge 1, attempt 1", "undo 1 of 1, attempt 1, since no")
		b.want(t, "charge 1, attempt 1")
		if s := stats(t, q); s.Dead != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUndoSpanAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, log := tracetest.NewSpanRecorder(), &syncBuffer{}
		q := openQueue[int](t, "q", 10)
		c := &charger{do: permanently("no stock")}
		c.undo = func(_ context.Context, info task.Info) error {
			if info.Attempt == 1 {
				return task.RetryAfter(time.Minute, errors.New("bank away"))
			}
			return nil
		}
		w := workers.Consume("w", q, workers.Handler[int](c))
		env := workers.Env{Logger: slog.New(slog.NewTextHandler(log, nil)), Tracing: tracing.Wrap(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)))}
		if err := w.(workers.Equipped).Equip(env); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, q, 5)
		pass(time.Hour)
		w.Stop(forever(), forever())
		got := fmt.Sprint(spansOf(rec, "process q"), spansOf(rec, "undo q"))
		if want := "[outcome dead, Error] [outcome retry, Error outcome done, Unset]"; got != want {
			t.Errorf("spans %s, want %s", got, want)
		}
		for _, want := range []string{
			`level=ERROR msg="task is given up: it is dead, or undone first" worker=w queue=q`,
			`level=WARN msg="task failed, will be retried" worker=w queue=q`, `attempt=1 undo=true given_up_for="no stock" error="bank away" in=1m0s`,
			`level=INFO msg="task undone" worker=w queue=q`, `attempt=2 undo=true given_up_for="no stock"`,
		} {
			if !strings.Contains(log.text(), want) {
				t.Errorf("no %q in\n%s", want, log.text())
			}
		}
	})
}

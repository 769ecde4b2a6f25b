package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// worker makes a loop with one piece of work in flight, which work does when it starts.
func busy(name string, work func(ctx context.Context)) workers.Worker {
	return workers.Loop(name, func(ctx context.Context, s *workers.Session) error {
		end := s.Begin()
		work(ctx)
		end(nil)
		<-s.Stopping()
		return nil
	})
}

func takes(d time.Duration) func(context.Context) {
	return func(context.Context) { time.Sleep(d) }
}

func heeds(ctx context.Context) { <-ctx.Done() }

// stopLog keeps the records that tell of the end of a stop, as text and as JSON.
type stopLog struct {
	slog.Handler
	mu   sync.Mutex
	text strings.Builder
}

func (l *stopLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *stopLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *stopLog) WithGroup(string) slog.Handler            { return l }

func (l *stopLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != "stopped" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Time = time.Time{}
	return errors.Join(slog.NewTextHandler(&l.text, nil).Handle(ctx, r), slog.NewJSONHandler(&l.text, nil).Handle(ctx, r))
}

func (l *stopLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// One budget for all: soft, forced, abandoned; and every part that did not end well is in the receipt.
func TestReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		var tasks, orphans *queue.Queue[int]
		log := &stopLog{}
		a := run(t, func(r *runtime.Registry) {
			tasks, orphans = runtime.QueueOf[int](r, "tasks"), runtime.QueueOf[int](r, "orphans")
			r.Resource("store", nothing, func(context.Context) error { return errBoom })
			r.Resource("mailbox", nothing, hang(release))
			r.Resource("good", nothing, nothing)
			r.Health("hung", hang(release))
			r.Worker(busy("quick", takes(2*time.Second)))
			r.Worker(busy("stubborn", func(context.Context) { <-release }))
			r.Worker(busy("slow", heeds))
			r.Worker(workers.Consume("consumer", tasks, workers.Func(func(ctx context.Context, n int) error {
				if n == 0 {
					time.Sleep(3 * time.Second)
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}), workers.Concurrency(3)))
			r.Worker(workers.Loop("sore", func(_ context.Context, s *workers.Session) error { s.Ready(); <-s.Stopping(); return errBoom }))
		}, runtime.WithLogger(slog.New(log)))
		for n := range 5 {
			if err := errors.Join(tasks.Publish(t.Context(), n), orphans.Publish(t.Context(), n)); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		began := time.Now()
		rec, err := a.Stop(t.Context(), runtime.Reason("signal terminated"))
		if !errors.Is(err, runtime.ErrNotClean) || rec.Clean {
			t.Errorf("%v, clean %t", err, rec.Clean)
		}
		if took := time.Since(began); took < 30*time.Second || took > 37*time.Second {
			t.Errorf("it took %s; the budget is 30 s, with a grace of 5 s for closing and 1 s for an answer", took)
		}
		golden(t, "receipt.txt", rec.String())
		text, err := json.MarshalIndent(rec, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "receipt.json", string(text)+"\n")
		golden(t, "receipt.log", log.String())
	})
}

func TestCleanReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &stopLog{}
		a := run(t, func(r *runtime.Registry) { r.Worker(busy("w", takes(1500*time.Millisecond))) }, runtime.WithLogger(slog.New(log)))
		rec := stop(t, a)
		golden(t, "receipt-clean.log", log.String())
		golden(t, "receipt-clean.txt", rec.String())
		text, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "receipt-clean.json", string(text)+"\n")
	})
}

// Nothing to wait for: a forced stop of an idle application loses nothing, but it says that it was forced.
func TestForcedStopOfAnIdleApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := run(t, func(r *runtime.Registry) {
			r.Worker(idle("w"))
			r.Worker(workers.Loop("ended", func(_ context.Context, s *workers.Session) error { s.Ready(); return nil }))
		})
		synctest.Wait()
		rec, _ := a.Stop(t.Context(), runtime.Force())
		if rec.TookSeconds != 0 || rec.Workers[0].Outcome != runtime.Forced || rec.Workers[1].Outcome != runtime.Drained {
			t.Errorf("receipt %+v", rec)
		}
	})
}

// Resources are closed in reverse although the workers have used up the budget, and although some of them misbehave.
func TestResourcesAreClosedInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		j := &journal{}
		closing := func(name string, f func(ctx context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				j.note("stop " + name)
				if f == nil {
					return ctx.Err()
				}
				return f(ctx)
			}
		}
		a := run(t, func(r *runtime.Registry) {
			r.Resource("first", nil, closing("first", nil))
			r.Resource("hangs", nil, closing("hangs", hang(release)))
			r.Resource("panics", nil, closing("panics", explode))
			r.Resource("goexits", nil, closing("goexits", func(context.Context) error { goexit(); return nil }))
			r.Resource("last", nil, closing("last", nil))
			r.Worker(busy("stubborn", func(context.Context) { <-release }))
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		rec, _ := a.Stop(t.Context())
		j.expect(t, "stop last", "stop goexits", "stop panics", "stop hangs", "stop first")
		want := []string{
			`resource "goexits": runtime.Goexit was called instead of returning`,
			`resource "panics": panic: exploded`,
			`resource "hangs": no answer, it is left behind: the stop budget is used up`,
			`resource "first": context canceled`, // it had a context that was over, but it was called
		}
		if strings.Join(rec.Faults, "\n") != strings.Join(want, "\n") {
			t.Errorf("faults:\n%s", strings.Join(rec.Faults, "\n"))
		}
		if rec.TookSeconds != 13 { // 10 s of budget, 2 s of closing, 1 s for an answer
			t.Errorf("it took %v s", rec.TookSeconds)
		}
		var se *runtime.StartError
		if err := a.Start(t.Context()); !errors.As(err, &se) || se.Name != "hangs" {
			t.Errorf("Start over a stop that hangs: %v", err)
		}
	})
}

// A check that hangs does not use up the time of the rest.
func TestHungCheckAtStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := run(t, func(r *runtime.Registry) { r.Health("hung", hang(release)) })
		pass(time.Minute)
		rec, _ := a.Stop(t.Context())
		if rec.TookSeconds != 1 || len(rec.Faults) != 1 || !strings.Contains(rec.Faults[0], "hung") {
			t.Errorf("receipt %+v", rec)
		}
		close(release)
		synctest.Wait()
		start(t, a)
		stop(t, a)
	})
}

// An author's own worker may hang or panic in its Stop.
func TestWorkerThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := run(t, func(r *runtime.Registry) {
			r.Worker(&custom{name: "hangs", stop: func(context.Context, context.Context) workers.Receipt { <-release; return workers.Receipt{Finished: 3} }})
			r.Worker(&custom{name: "panics", stop: func(context.Context, context.Context) workers.Receipt { panic("no") }})
			r.Worker(&custom{name: "forced", stop: func(soft, _ context.Context) workers.Receipt {
				<-soft.Done()
				return workers.Receipt{Finished: 2, Returned: 1}
			}})
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		rec, _ := a.Stop(t.Context())
		hangs, panics, forced := rec.Workers[0], rec.Workers[1], rec.Workers[2]
		if hangs.Outcome != runtime.Abandoned || hangs.TookSeconds != 11 || !strings.Contains(hangs.Error, "no answer") {
			t.Errorf("%+v", hangs)
		}
		if panics.Outcome != runtime.Abandoned || panics.Error != "panic: no" {
			t.Errorf("%+v", panics)
		}
		if forced.Outcome != runtime.Forced || forced.Finished != 2 || forced.Returned != 1 || forced.TookSeconds != 8 {
			t.Errorf("%+v", forced)
		}
		close(release)
	})
}

func TestStopBeforeStart(t *testing.T) {
	a := assemble(t, func(r *runtime.Registry) { r.Worker(idle("w")) })
	rec := stop(t, a, runtime.Reason("early"))
	if !rec.Clean || rec.Reason != "early" || rec.Workers == nil || len(rec.Workers) != 0 {
		t.Errorf("receipt %+v", rec)
	}
	if s := a.Status(); s.LastStop != nil || s.State != workers.Stopped {
		t.Errorf("status %+v", s)
	}
}

// A second stop, at the same time or later, gives the same receipt, so that whoever asks last does not take a bad end for a good one.
func TestDoubleStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *queue.Queue[int]
		a := run(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(busy("w", takes(5*time.Second)))
		})
		if err := q.Publish(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		receipts := make([]string, 10)
		var wg sync.WaitGroup
		for i := range receipts {
			wg.Go(func() {
				rec, err := a.Stop(context.Background())
				if !errors.Is(err, runtime.ErrNotClean) {
					t.Errorf("Stop: %v", err)
				}
				receipts[i] = rec.String()
			})
		}
		synctest.Wait()
		if rec, err := a.Stop(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) || rec.Clean {
			t.Errorf("a Stop that does not want to wait so long: %+v, %v", rec, err)
		}
		wg.Wait()
		later, err := a.Stop(context.Background(), runtime.Reason("again"))
		for _, text := range receipts {
			if text != later.String() || !errors.Is(err, runtime.ErrNotClean) {
				t.Errorf("one receipt is\n%s\nanother\n%s", text, later)
			}
		}
		if s := a.Status(); s.LastStop == nil || s.LastStop.String() != later.String() {
			t.Errorf("the status has %+v", s.LastStop)
		}
	})
}

// Stop from inside a handler ends with the budget at the latest.
func TestStopInsideAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *runtime.App
		var q *queue.Queue[int]
		answers := make(chan runtime.Receipt, 1)
		a = assemble(t, func(r *runtime.Registry) {
			q = runtime.QueueOf[int](r, "q")
			r.Worker(workers.Consume("c", q, workers.Func(func(ctx context.Context, _ int) error {
				rec, _ := a.Stop(ctx)
				answers <- rec
				return nil
			})))
		}, yaml("platform: {shutdown: {timeout: 10s}}"))
		start(t, a)
		if err := q.Publish(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		rec := <-answers
		if took := time.Since(began); took > 11*time.Second || rec.Workers[0].Outcome != runtime.Abandoned {
			t.Errorf("after %s: %+v", took, rec)
		}
		synctest.Wait()
		start(t, a) // the handler has returned; life goes on
		stop(t, a)
	})
}

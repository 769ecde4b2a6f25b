package workers_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; see with -update and git diff. Got:\n%s", path, got)
	}
}

func TestLifecycleDrawing(t *testing.T) {
	golden(t, "worker.mmd", workers.Lifecycle().Mermaid())
	golden(t, "worker.dot", workers.Lifecycle().DOT())
}

// loop is ready at once and ends when told to.
func loop(name string) workers.Worker {
	return workers.Loop(name, func(ctx context.Context, s *workers.Session) error {
		s.Ready()
		<-s.Stopping()
		return nil
	})
}

type recorder struct {
	mu sync.Mutex
	ts []workers.Transition
}

func (r *recorder) observe(_ string, t workers.Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ts = append(r.ts, t)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, t := range r.ts {
		b.WriteString(string(t.Event) + " ")
	}
	return strings.TrimSpace(b.String())
}

func equip(t testing.TB, w workers.Worker) *recorder {
	t.Helper()
	rec := &recorder{}
	if err := w.(workers.Equipped).Equip(workers.Env{Observe: rec.observe}); err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestStartStopIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := loop("l")
		rec := equip(t, w)
		if r := w.Stop(forever(), forever()); r != (workers.Receipt{}) {
			t.Errorf("Stop before Start: %+v", r)
		}
		for range 2 {
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.Stop(forever(), forever())
		w.Stop(forever(), forever())
		if err := w.Start(t.Context()); err != nil {
			t.Fatal("Start after Stop:", err)
		}
		w.Stop(forever(), forever())
		if got, want := rec.String(), "start ready stop halt start ready stop halt"; got != want {
			t.Errorf("events %q, want %q", got, want)
		}
		select {
		case <-w.Done():
		default:
			t.Error("Done is open after Stop")
		}
	})
}

func TestStartTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := workers.Loop("slow", func(ctx context.Context, s *workers.Session) error {
			<-release // ignores ctx and never says that it is ready
			return nil
		})
		rec := equip(t, w)
		err := w.Start(after(t, time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"slow"`) {
			t.Fatalf("Start: %v", err)
		}
		if s := w.Status(); s.State != workers.Stopped || s.Abandoned != 1 {
			t.Errorf("status %+v", s)
		}
		var se *workers.StateError
		if err := w.Start(t.Context()); !errors.As(err, &se) {
			t.Errorf("Start over an abandoned call: %v", err)
		}
		close(release)
		synctest.Wait()
		if n := w.Status().Abandoned; n != 0 {
			t.Errorf("still %d abandoned after the call returned", n)
		}
		if got := rec.String(); got != "start fail" {
			t.Errorf("events %q", got)
		}
		if rep := w.Health(); rep.State != health.StateUnhealthy {
			t.Errorf("health %+v", rep)
		}
	})
}

func TestStopDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers.Loop("slow", func(ctx context.Context, s *workers.Session) error {
			<-s.Stopping()
			return nil
		})
		rec := equip(t, w)
		started := make(chan error, 1)
		go func() { started <- w.Start(t.Context()) }()
		synctest.Wait()
		w.Stop(forever(), forever())
		var se *workers.StateError
		if err := <-started; !errors.As(err, &se) {
			t.Errorf("Start: %v", err)
		}
		if got := rec.String(); got != "start stop halt" {
			t.Errorf("events %q", got)
		}
	})
}

func TestLoopEnds(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fn     func() error
		events string
		check  func(error) bool
	}{
		"returns":       {func() error { return nil }, "start ready stop halt", func(err error) bool { return err == nil }},
		"returns error": {func() error { return boom }, "start ready fail", func(err error) bool { return errors.Is(err, boom) }},
		"panics": {func() error { panic(boom) }, "start ready fail", func(err error) bool {
			var p *workers.PanicError
			return errors.As(err, &p) && p.Value == boom && strings.Contains(p.Stack(), "goroutine") && !errors.Is(err, boom)
		}},
		"calls a Goexit": {func() error { goexit(); return nil }, "start ready fail", func(err error) bool { return err != nil && strings.Contains(err.Error(), "Goexit") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workers.Loop("l", func(_ context.Context, s *workers.Session) error {
					s.Ready()
					return c.fn()
				})
				rec := equip(t, w)
				_ = w.Start(t.Context()) // may see the end already
				<-w.Done()
				if !c.check(w.Err()) {
					t.Errorf("Err() = %v", w.Err())
				}
				if got := rec.String(); got != c.events {
					t.Errorf("events %q, want %q", got, c.events)
				}
			})
		})
	}
}

func TestForcedAndAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		causes := make(chan error, 1)
		w := workers.Loop("stubborn", func(ctx context.Context, s *workers.Session) error {
			end := s.Begin()
			<-ctx.Done()
			causes <- context.Cause(ctx)
			<-release
			end(nil)
			return nil
		})
		rec := equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r := w.Stop(after(t, time.Second), after(t, 3*time.Second))
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Stop took %s", took)
		}
		if cause := <-causes; r.Abandoned != 1 || !errors.Is(cause, task.ErrForced) {
			t.Errorf("receipt %+v, cause %v", r, cause)
		}
		if got := rec.String(); got != "start ready work stop fail" {
			t.Errorf("events %q", got)
		}
		if err := w.Start(t.Context()); err == nil {
			t.Error("started over an abandoned call")
		}
		close(release)
		synctest.Wait()
		if w.Status().Abandoned != 0 {
			t.Error("the abandoned call has returned and is still counted")
		}
	})
}

func TestForcedLoopIsAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers.Loop("heeds", func(ctx context.Context, s *workers.Session) error {
			s.Ready()
			<-ctx.Done()
			return ctx.Err()
		})
		rec := equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Stop(over(), forever())
		if w.Err() != nil || rec.String() != "start ready stop halt" {
			t.Errorf("Err %v, events %q", w.Err(), rec)
		}
	})
}

// The state follows the work: busy at once, idle only after a quiet quarter of a second, and no more than four pairs a second.
func TestBusyIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var session *workers.Session
		w := workers.Loop("l", func(_ context.Context, s *workers.Session) error {
			session = s
			s.Ready()
			<-s.Stopping()
			return nil
		})
		rec := equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.Stop(forever(), forever())
		for range 100 { // one second of short work every 10 ms: one busy period
			end := session.Begin()
			if w.Status().State != workers.Busy {
				t.Fatal("not busy at once")
			}
			end(nil)
			end(nil) // once only
			time.Sleep(10 * time.Millisecond)
		}
		if got := rec.String(); got != "start ready work" {
			t.Errorf("events %q", got)
		}
		pass(500 * time.Millisecond)
		synctest.Wait()
		if s := w.Status(); s.State != workers.Idle || s.Done != 100 || s.InFlight != 0 {
			t.Errorf("status %+v", s)
		}
		end := session.Begin()
		pass(time.Hour)
		if s := w.Status(); s.State != workers.Busy || s.InFlight != 1 {
			t.Errorf("after an hour of one piece of work: %+v", s)
		}
		end(errors.New("no"))
		pass(time.Second)
		if s := w.Status(); s.State != workers.Idle || s.Failed != 1 || s.LastError != "no" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestStopWaitsForWorkThatTheStateDoesNotShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers.Loop("l", func(_ context.Context, s *workers.Session) error {
			s.Ready()
			<-s.Stopping()
			end := s.Begin() // begun after the stop: the machine stays stopping, the counter counts
			time.Sleep(time.Minute)
			end(nil)
			return nil
		})
		equip(t, w)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r := w.Stop(forever(), forever())
		if time.Since(began) != time.Minute || r.Finished != 1 {
			t.Errorf("took %s, %+v", time.Since(began), r)
		}
	})
}

// Ten goroutines start and stop one worker; it ends stopped, and its history obeys the table.
func TestStartStopStress(t *testing.T) {
	w := loop("l")
	rec := equip(t, w)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 50 {
				_ = w.Start(t.Context())
				w.Stop(forever(), forever())
			}
		})
	}
	wg.Wait()
	w.Stop(forever(), forever())
	if s := w.Status().State; s != workers.Stopped {
		t.Errorf("ended %s", s)
	}
	if n := len(rec.ts); n < 100 {
		t.Errorf("only %d transitions: the stress did not stress", n)
	}
	table, state := workers.Lifecycle(), workers.Stopped
	for i, tr := range rec.ts {
		next, err := table.Next(state, tr.Event)
		if err != nil || tr.From != state || tr.To != next {
			t.Fatalf("transition %d: %+v from %s: %v", i, tr, state, err)
		}
		state = next
	}
}

package memory_test

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.steps", "150"); err != nil { // the command line may say otherwise
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

func TestDriver(t *testing.T) {
	d := memory.Driver()
	if d.Name() != "memory" || d.Capabilities() != queue.Checkpointed|queue.Grouped|queue.InProcess {
		t.Errorf("%s: %s", d.Name(), d.Capabilities())
	}
	if got := memory.Driver(memory.Encoded()).Capabilities(); got != queue.Checkpointed|queue.Grouped {
		t.Errorf("encoded: %s", got)
	}
	first, second := d.Settings().(*memory.Settings), d.Settings().(*memory.Settings)
	if *first != (memory.Settings{Common: queue.Common{
		Capacity: 1000, DeadLetters: 1000, MaxPayload: queue.MaxPayload, GroupRunning: 1}}) || first == second {
		t.Errorf("settings %+v", first)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		settings queue.Settings
		want     string
	}{
		{new(queue.Common), "queue mails: settings of a memory queue are a *memory.Settings, not a *queue.Common"},
		{&memory.Settings{Common: queue.Common{Capacity: 0, DeadLetters: -1}},
			"queue mails: dead_letters is -1: it must not be negative\n" +
				"capacity is 0: it must be at least 1"},
	} {
		if _, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: "mails", Settings: c.settings}); err == nil || err.Error() != c.want {
			t.Errorf("%v\nexpected %s", err, c.want)
		}
	}
}

func record(id string) queue.Record {
	return queue.Record{Info: task.Info{ID: id, MaxAttempts: 2}, Payload: queue.Payload{Value: id}}
}

func openEngine(t *testing.T, s memory.Settings) queue.Engine {
	t.Helper()
	engine, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: "tests", Settings: &s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return engine
}

func publish(t *testing.T, e queue.Engine, rs ...queue.Record) {
	t.Helper()
	if receipts, err := e.Publish(t.Context(), rs, false); err != nil || len(receipts) != len(rs) {
		t.Fatalf("Publish: %v, %v", receipts, err)
	}
}

func claim(t *testing.T, e queue.Engine, lease time.Duration) queue.Lease {
	t.Helper()
	ls, err := e.Receive(t.Context(), 1, lease)
	if err != nil || len(ls) != 1 {
		t.Fatalf("Receive: %v, %v", ls, err)
	}
	return ls[0]
}

func TestOldestDeadLettersAreForgotten(t *testing.T) {
	for keep, want := range map[int]string{0: "c b a", 2: "c b"} {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 10, DeadLetters: keep}})
		for _, id := range strings.Fields("a b c") {
			publish(t, e, record(id))
			if _, err := e.Complete(t.Context(), []queue.Completion{{Token: claim(t, e, time.Minute).Token, Outcome: task.Dead}}); err != nil {
				t.Fatal(err)
			}
		}
		page, err := e.Tasks(t.Context(), queue.Query{States: []queue.State{queue.StateDead}})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, l := range page.Tasks {
			ids = append(ids, l.Info.ID)
		}
		s, err := e.Stats(t.Context())
		if got := strings.Join(ids, " "); got != want || err != nil || s.Dead != int64(len(ids)) {
			t.Errorf("keeping %d: %q, expected %q; %d counted", keep, got, want, s.Dead)
		}
	}
}

// To the nanosecond: whoever waits is woken when a task is due and when a lease ends, not before and not after.
func TestWokenAtTheInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 10}})
		opened := time.Now()
		late := record("late")
		late.Delay = 3*time.Second + 7
		publish(t, e, late)
		if l := claim(t, e, time.Minute); l.ID != "late" || time.Since(opened) != 3*time.Second+7 {
			t.Errorf("%s after %s", l.ID, time.Since(opened))
		}
		claimed := time.Now()
		if l := claim(t, e, time.Minute); l.Info.Attempt != 2 || time.Since(claimed) != time.Minute {
			t.Errorf("attempt %d after %s", l.Info.Attempt, time.Since(claimed))
		}
	})
}

// A lease that ends is noticed by whoever comes first, also when nobody waited for it.
func TestLeaseEndsUnwatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 10}})
		publish(t, e, record("a"))
		l := claim(t, e, time.Second)
		time.Sleep(time.Second)
		lost, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}})
		if err != nil || len(lost) != 1 {
			t.Errorf("answer at the end of the lease: lost %v, %v", lost, err)
		}
		if s, err := e.Stats(t.Context()); err != nil || s.Ready != 1 || s.Completed != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// First come, first served, also for those who wait for room; and whoever asks for more does not let others pass.
func TestPublishersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 2}})
		publish(t, e, record("a"), record("b"))
		for _, batch := range []string{"c d e", "f", "g h"} {
			var rs []queue.Record
			for _, id := range strings.Fields(batch) {
				rs = append(rs, record(id))
			}
			go func() {
				if receipts, err := e.Publish(t.Context(), rs, true); err != nil || len(receipts) != len(rs) {
					t.Errorf("Publish: %v, %v", receipts, err)
				}
			}()
			synctest.Wait()
		}
		if _, err := e.Publish(t.Context(), []queue.Record{record("x")}, false); !errors.Is(err, queue.ErrFull) {
			t.Errorf("a publisher who does not wait passed those who do: %v", err)
		}
		var got []string
		for range 8 {
			l := claim(t, e, time.Minute)
			got = append(got, l.ID)
			if _, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}}); err != nil {
				t.Fatal(err)
			}
		}
		if order := strings.Join(got, " "); order != "a b c d e f g h" {
			t.Errorf("order %s", order)
		}
	})
}

// Whoever gives up waiting in the middle keeps what was taken, and the next in line moves up.
func TestPublisherGivesUpHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 2}})
		publish(t, e, record("a"))
		ctx, cancel := context.WithCancelCause(t.Context())
		halfway, behind := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(halfway)
			receipts, err := e.Publish(ctx, []queue.Record{record("b"), record("c")}, true)
			if len(receipts) != 1 || receipts[0].ID != "b" || !errors.Is(err, context.Canceled) {
				t.Errorf("Publish: %v, %v; expected b and the context's error", receipts, err)
			}
		}()
		synctest.Wait()
		go func() {
			defer close(behind)
			publish2, err := e.Publish(t.Context(), []queue.Record{record("d")}, true)
			if err != nil || len(publish2) != 1 {
				t.Errorf("Publish: %v, %v", publish2, err)
			}
		}()
		synctest.Wait()
		cancel(errors.New("enough"))
		<-halfway
		l := claim(t, e, time.Minute)
		if _, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}}); err != nil {
			t.Fatal(err)
		}
		<-behind
		if s, err := e.Stats(t.Context()); err != nil || s.Published != 3 || s.Ready != 2 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// Times at the end of the scale must not turn into the past.
func TestVeryLongTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openEngine(t, memory.Settings{Common: queue.Common{Capacity: 10}})
		const forever = time.Duration(1<<63 - 1)
		time.Sleep(time.Hour)
		rs := []queue.Record{record("delay"), record("instant"), record("key")}
		rs[0].Delay = forever
		rs[1].Info.RunAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		rs[2].Info.Unique, rs[2].UniqueFor = "k", forever
		publish(t, e, rs...)
		l := claim(t, e, forever)
		if l.ID != "key" {
			t.Errorf("claimed %s", l.ID)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*365*time.Hour)
		defer cancel()
		if ls, err := e.Receive(ctx, 1, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within a year came %v, %v", ls, err)
		}
		if lost, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}}); len(lost) > 0 || err != nil {
			t.Errorf("lost %v, %v", lost, err)
		}
		if receipts, err := e.Publish(t.Context(), rs[2:], true); err != nil || !receipts[0].Existing {
			t.Errorf("%v, %v", receipts, err)
		}
	})
}

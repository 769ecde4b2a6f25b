package memory_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

// TestModel does the same to an engine and to the model, and demands the same answers. Each sequence has settings of its own. It also demands that the
// sequences led through everything that can happen.
func TestModel(t *testing.T) {
	did := map[string]int{}
	rounds := 8
	if os.Getenv("PLBA_TEST_LONG") != "" {
		rounds = 200
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { modelled(t, did) }) // without Deadline, which a bubble does not have
		})
	}
	for _, what := range []string{
		"publish", "existing", "full", "receive", "undo lease", "lost", "done", "dropped", "retry", "snoozed", "dead", "cancelled", "renew", "told",
		"save", "cancel", "state error", "not found", "requeue", "key taken", "requeue full", "run now", "purge", "pause", "group waited", "limit waited",
	} {
		if did[what] < rounds {
			t.Errorf("%q happened %d times, which shows nothing", what, did[what])
		}
	}
	total := 0
	for _, n := range did {
		total += n
	}
	t.Logf("%d happenings: %v", total, did)
}

func modelled(t *rapid.T, did map[string]int) {
	limits := queue.Common{
		Capacity: 12, DeadLetters: 5,
		MaxRunning:   rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "max_running"),
		GroupRunning: rapid.IntRange(0, 2).Draw(t, "group_running"),
		KeepDone:     rapid.SampledFrom([]time.Duration{0, 0, 5 * time.Millisecond}).Draw(t, "keep_done"),
		KeepDead:     rapid.SampledFrom([]time.Duration{0, 0, time.Minute}).Draw(t, "keep_dead"),
		Rate:         rapid.SampledFrom([]queue.Rate{{}, {}, {}, {PerSecond: 300, Burst: 2}, {PerSecond: 1000}}).Draw(t, "rate"),
	}
	o := queue.Opening{Queue: "tests", Settings: &memory.Settings{Common: limits},
		Order: rapid.SampledFrom([]queue.Order{queue.Unordered, queue.Strict}).Draw(t, "order")}
	engine, err := memory.Driver().Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{engine: engine, opened: time.Now(), did: did, model: &model{limits: limits, order: o.Order}}
	m.model.spent = -limits.Rate.Interval() * time.Duration(limits.Rate.Tokens())
	t.Repeat(map[string]func(*rapid.T){
		"publish": m.publish, "receive": m.receive, "receive more": m.receive, "complete": m.complete, "complete more": m.complete, "renew": m.renew, "pass": m.pass, "save": m.save,
		"cancel": m.cancel, "requeue": m.requeue, "run now": m.runNow, "purge": m.purge, "pause": m.pause, "": m.check,
	})
	if err := engine.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// machine drives both.
type machine struct {
	engine queue.Engine
	opened time.Time
	model  *model
	made   int
	tokens []queue.Token // every one ever given
	did    map[string]int
}

var (
	waits  = rapid.SampledFrom([]time.Duration{-time.Second, 0, 0, 0, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond})
	leases = rapid.SampledFrom([]time.Duration{time.Millisecond, 5 * time.Millisecond, time.Minute})
	states = rapid.SampledFrom(queue.States().States())
)

func (m *machine) catchUp() { m.model.advance(time.Since(m.opened)) }

func (m *machine) publish(t *rapid.T) {
	m.catchUp()
	rs := make([]queue.Record, rapid.IntRange(0, 5).Draw(t, "n"))
	for i := range rs {
		m.made++
		id := fmt.Sprintf("task-%03d", m.made)
		if m.made > 1 && rapid.IntRange(0, 9).Draw(t, "again") == 0 && m.model.find("task-001") != nil {
			id = "task-001"
		}
		rs[i] = queue.Record{
			Info: task.Info{
				ID: id, Priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
				MaxAttempts: rapid.IntRange(0, 3).Draw(t, "attempts"), Unique: rapid.SampledFrom([]string{"", "", "", "a", "b"}).Draw(t, "key"),
				Group: rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(t, "group"),
			},
			Delay:     max(0, waits.Draw(t, "delay")),
			UniqueFor: max(0, waits.Draw(t, "unique for")),
		}
	}
	want, full := m.model.publish(rs)
	got, err := m.engine.Publish(context.Background(), rs, false)
	if !slices.Equal(got, want) || sameError(err, queue.ErrFull) != full || err != nil && !full {
		t.Fatalf("Publish: %v, %v; expected %v, full: %t", got, err, want, full)
	}
	for _, r := range got {
		m.note("publish", true)
		m.note("existing", r.Existing)
	}
	m.note("full", full)
}

// note counts what happened.
func (m *machine) note(what string, happened bool) {
	if happened {
		m.did[what]++
	}
}

func (m *machine) receive(t *rapid.T) {
	m.catchUp()
	due := m.model.those(m.model.waiting)
	m.note("limit waited", len(due) > 0 && m.model.next() == nil && !m.model.paused)
	m.note("group waited", slices.ContainsFunc(due, func(t *modelTask) bool { return !m.model.turn(t) }))
	if m.model.next() == nil {
		m.nothing(t)
		return
	}
	n, lease := rapid.IntRange(1, 4).Draw(t, "max"), leases.Draw(t, "lease")
	want := m.model.receive(n, lease)
	got, err := m.engine.Receive(context.Background(), n, lease)
	if err != nil || len(got) != len(want) {
		t.Fatalf("Receive: %d leases %+v, %v; expected %d", len(got), got, err, len(want))
	}
	for i, l := range got {
		w := want[i]
		undo := w.state == queue.StateUndoing
		if l.Token != w.token || l.Info.Attempt != w.failed+1 || l.Until != lease || l.Info.Undo != undo || l.Info.Cause != w.cause {
			t.Fatalf("lease %d is %+v, expected %+v", i, l, *w)
		}
		if due := l.Info.RunAt.Sub(m.opened); due != w.due {
			t.Fatalf("task %s says it was due at %s, expected %s", l.ID, due, w.due)
		}
		m.tokens = append(m.tokens, l.Token)
		m.note("receive", true)
		m.note("undo lease", undo)
	}
}

// nothing demands that there is nothing to claim.
func (m *machine) nothing(t *rapid.T) {
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan []queue.Lease, 1)
	go func() {
		ls, _ := m.engine.Receive(ctx, 1, time.Minute)
		finished <- ls
	}()
	synctest.Wait()
	cancel()
	if ls := <-finished; len(ls) > 0 {
		t.Fatalf("received %+v, expected nothing", ls)
	}
}

func (m *machine) token(t *rapid.T) queue.Token {
	if len(m.tokens) == 0 {
		t.Skip("nothing was ever claimed")
	}
	if held := m.model.leased(""); len(held) > 0 && rapid.IntRange(0, 3).Draw(t, "held") > 0 {
		return rapid.SampledFrom(held).Draw(t, "lease").token
	}
	return rapid.SampledFrom(m.tokens[max(0, len(m.tokens)-8):]).Draw(t, "token")
}

func (m *machine) complete(t *rapid.T) {
	m.catchUp()
	cs := make([]queue.Completion, rapid.IntRange(1, 3).Draw(t, "n"))
	var want []queue.Token
	for i := range cs {
		cs[i] = queue.Completion{
			Token:   m.token(t),
			Outcome: task.Outcome(rapid.IntRange(int(task.Done), int(task.Cancelled)).Draw(t, "outcome")),
			After:   waits.Draw(t, "after"),
			Counted: rapid.Bool().Draw(t, "counted"),
			Cause:   rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "cause"),
		}
		held := m.model.complete(cs[i])
		if !held {
			want = append(want, cs[i].Token)
		}
		m.note(cs[i].Outcome.String(), held)
		m.note("lost", !held)
	}
	lost, err := m.engine.Complete(context.Background(), cs)
	if err != nil || !slices.Equal(lost, want) {
		t.Fatalf("Complete: lost %v, %v; expected %v", lost, err, want)
	}
}

func (m *machine) renew(t *rapid.T) {
	m.catchUp()
	tok, lease := m.token(t), leases.Draw(t, "lease")
	held := m.model.held(tok)
	if held != nil {
		held.leaseEnd = m.model.now + lease
	}
	r, err := m.engine.Renew(context.Background(), []queue.Token{tok}, lease)
	if err != nil || (len(r.Lost) == 0) != (held != nil) || (len(r.Cancelled) == 1) != (held != nil && held.cancelling) {
		t.Fatalf("Renew: %+v, %v; the task: %+v", r, err, held)
	}
	m.note("renew", held != nil)
	m.note("told", len(r.Cancelled) == 1)
}

// save gives a task an effect that can be undone, or takes it away.
func (m *machine) save(t *rapid.T) {
	m.catchUp()
	tok := m.token(t)
	held := m.model.held(tok)
	c := m.engine.Checkpoints(tok)
	undoable := rapid.IntRange(0, 3).Draw(t, "undoable") > 0
	var err error
	if undoable {
		err = c.Save(context.Background(), task.UndoPrefix+"a", 1)
	} else {
		err = c.Forget(context.Background(), task.UndoPrefix)
	}
	if (err == nil) != (held != nil) {
		t.Fatalf("Save or Forget: %v; the task: %+v", err, held)
	}
	if held != nil {
		held.undoable = undoable
		m.note("save", true)
	}
}

func (m *machine) cancel(t *rapid.T) {
	m.catchUp()
	id := fmt.Sprintf("task-%03d", rapid.IntRange(max(0, m.made-8), m.made).Draw(t, "id"))
	if held := m.model.leased(""); len(held) > 0 && rapid.Bool().Draw(t, "running") {
		id = held[0].id
	}
	want := m.model.cancel(id)
	if err := m.engine.Cancel(context.Background(), id, ""); !sameError(err, want) {
		t.Fatalf("Cancel of %s: %v, expected %v", id, err, want)
	}
	m.note("cancel", want == nil)
	m.note("not found", want == queue.ErrNotFound)
	m.note("state error", want != nil && want != queue.ErrNotFound)
}

func (m *machine) selection(t *rapid.T) (sel queue.Selection) {
	sel.States = rapid.SliceOfN(states, 0, 3).Draw(t, "states")
	if rapid.Bool().Draw(t, "by ID") {
		for range rapid.IntRange(0, 3).Draw(t, "ids") {
			sel.IDs = append(sel.IDs, fmt.Sprintf("task-%03d", rapid.IntRange(max(0, m.made-12), m.made).Draw(t, "id")))
		}
	}
	return sel
}

func (m *machine) requeue(t *rapid.T) {
	m.catchUp()
	sel := m.selection(t)
	n, want := m.model.requeue(sel)
	got, err := m.engine.Requeue(context.Background(), sel)
	if got != n || !sameError(err, want) {
		t.Fatalf("Requeue of %+v: %d, %v; expected %d, %v", sel, got, err, n, want)
	}
	m.note("requeue", n > 0)
	m.note("key taken", want == queue.ErrKeyTaken)
	m.note("requeue full", want == queue.ErrFull)
}

func (m *machine) runNow(t *rapid.T) {
	m.catchUp()
	sel := m.selection(t)
	n := m.model.runNow(sel)
	if got, err := m.engine.RunNow(context.Background(), sel); got != n || err != nil {
		t.Fatalf("RunNow of %+v: %d, %v; expected %d", sel, got, err, n)
	}
	m.note("run now", n > 0)
}

func (m *machine) purge(t *rapid.T) {
	m.catchUp()
	sel := m.selection(t)
	n := m.model.purge(sel)
	if got, err := m.engine.Purge(context.Background(), sel); got != n || err != nil {
		t.Fatalf("Purge of %+v: %d, %v; expected %d", sel, got, err, n)
	}
	m.note("purge", n > 0)
}

func (m *machine) pause(t *rapid.T) {
	m.catchUp()
	m.model.paused = !m.model.paused && rapid.Bool().Draw(t, "pause")
	do := m.engine.Resume
	if m.model.paused {
		do = m.engine.Pause
	}
	if err := do(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.note("pause", true)
}

// pass lets time go on, which in the bubble takes none. It stops where a lease ends, because what becomes of the task then depends on when the engine
// notices, which it may at once or with the next call.
func (m *machine) pass(t *rapid.T) {
	span := rapid.SampledFrom([]time.Duration{1, time.Millisecond, 2 * time.Millisecond, 7 * time.Millisecond, time.Minute}).Draw(t, "time")
	for until := time.Now().Add(span); time.Now().Before(until); m.check(t) {
		step := time.Until(until)
		for _, l := range m.model.leased("") {
			step = min(step, l.leaseEnd-m.model.now)
		}
		time.Sleep(step)
	}
}

func (m *machine) check(t *rapid.T) {
	m.catchUp()
	got, err := m.engine.Stats(context.Background())
	if want := m.model.stats(); err != nil || got != want {
		t.Fatalf("Stats: %+v, %v\nexpected %+v", got, err, want)
	}
	page, err := m.engine.Tasks(context.Background(), queue.Query{})
	want := m.model.selected(queue.InState(queue.States().States()...))
	if err != nil || len(page.Tasks) != len(want) {
		t.Fatalf("%d tasks, %v; expected %d", len(page.Tasks), err, len(want))
	}
	for i, v := range page.Tasks {
		w := want[len(want)-1-i]
		full, err := m.engine.Task(context.Background(), w.id)
		var causes []string
		for _, f := range full.Failures {
			causes = append(causes, f.Error)
		}
		if err != nil || v.Info.ID != w.id || v.State != w.state || !v.LeasedUntil.IsZero() != w.leased || v.Cancelling != w.cancelling ||
			v.EndsAs != w.endsAs || strings.Join(causes, "|") != strings.Join(w.failures, "|") {
			t.Fatalf("task %d is %+v with %q, %v; expected %+v", i, v, causes, err, *w)
		}
	}
}

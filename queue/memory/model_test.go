package memory_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

const (
	modelCapacity = 12
	modelDead     = 5
)

// model is what the engine is meant to do, with lists and loops and nothing else.
type model struct {
	now    time.Duration
	places int
	claims int64
	tasks  []*modelTask // in order of publishing, the ended ones too
	graves []*modelTask
	stats  queue.Stats
}

type modelTask struct {
	id       string
	state    queue.State
	priority int
	due      time.Duration
	place    int
	attempts int
	failures []string
	token    queue.Token
	leaseEnd time.Duration
	key      string
	keyUntil time.Duration
}

func (t *modelTask) unfinished() bool {
	return t.state != queue.StateDone && t.state != queue.StateDead
}

func (m *model) in(states ...queue.State) []*modelTask {
	var found []*modelTask
	for _, t := range m.tasks {
		if slices.Contains(states, t.state) {
			found = append(found, t)
		}
	}
	return found
}

// advance lets happen what happens by itself until now.
func (m *model) advance(now time.Duration) {
	m.now = now
	for _, t := range m.in(queue.StateScheduled, queue.StateRetrying) {
		if t.due <= now {
			t.state = queue.StateReady
		}
	}
	expired := slices.DeleteFunc(m.in(queue.StateRunning), func(t *modelTask) bool { return t.leaseEnd > now })
	slices.SortFunc(expired, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(a.leaseEnd, b.leaseEnd), cmp.Compare(a.token.Lease, b.token.Lease))
	})
	for _, t := range expired {
		if m.fail(t, "lease expired") {
			t.state = queue.StateReady
		}
	}
}

// fail says whether attempts are left.
func (m *model) fail(t *modelTask, cause string) bool {
	t.failures = append(t.failures, cause)
	if t.attempts == 0 || len(t.failures) < t.attempts {
		return true
	}
	m.bury(t)
	return false
}

func (m *model) bury(t *modelTask) {
	t.state = queue.StateDead
	m.graves = append(m.graves, t)
	m.graves = m.graves[max(0, len(m.graves)-modelDead):]
}

func (m *model) wait(t *modelTask, state queue.State, d time.Duration) {
	m.places++
	t.state, t.due, t.place = state, m.now+max(d, 0), m.places
	if d <= 0 {
		t.state = queue.StateReady
	}
}

func (m *model) publish(rs []queue.Record) (receipts []queue.Receipt, full bool) {
	for _, r := range rs {
		unfinished := 0
		var holder *modelTask
		for _, t := range m.tasks {
			if t.unfinished() {
				unfinished++
			}
			if t.key != "" && t.key == r.Info.Unique && (t.unfinished() || t.keyUntil > m.now) {
				holder = t
			}
		}
		switch {
		case holder != nil:
			receipts = append(receipts, queue.Receipt{ID: holder.id, Existing: true})
		case unfinished >= modelCapacity:
			return receipts, true
		default:
			t := &modelTask{id: r.Info.ID, priority: r.Info.Priority, attempts: r.Info.MaxAttempts,
				key: r.Info.Unique, keyUntil: m.now + r.UniqueFor}
			m.wait(t, queue.StateScheduled, r.Delay)
			m.tasks = append(m.tasks, t)
			m.stats.Published++
			receipts = append(receipts, queue.Receipt{ID: t.id})
		}
	}
	return receipts, false
}

func (m *model) receive(n int, lease time.Duration) []*modelTask {
	ready := m.in(queue.StateReady)
	slices.SortFunc(ready, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.due, b.due), cmp.Compare(a.place, b.place))
	})
	ready = ready[:min(n, len(ready))]
	for _, t := range ready {
		m.claims++
		t.state, t.leaseEnd, t.token = queue.StateRunning, m.now+lease, queue.Token{ID: t.id, Lease: m.claims}
	}
	return ready
}

func (m *model) held(tok queue.Token) *modelTask {
	for _, t := range m.in(queue.StateRunning) {
		if t.token == tok {
			return t
		}
	}
	return nil
}

// complete says whether the lease was held.
func (m *model) complete(c queue.Completion) bool {
	t := m.held(c.Token)
	if t == nil {
		return false
	}
	switch c.Outcome { //nolint:exhaustive // the model
	case task.Done, task.Dropped:
		t.state = queue.StateDone
		m.stats.Completed++
	case task.Dead:
		t.failures = append(t.failures, c.Cause)
		m.bury(t)
	case task.Snoozed:
		m.wait(t, queue.StateScheduled, c.After)
	case task.Retry:
		switch {
		case c.Counted && m.fail(t, c.Cause):
			m.wait(t, queue.StateRetrying, c.After)
		case c.Counted:
		case c.After > 0:
			m.wait(t, queue.StateScheduled, c.After)
		default:
			t.state = queue.StateReady
		}
	}
	return true
}

func (m *model) counted() queue.Stats {
	s := m.stats
	s.Capacity = modelCapacity
	s.Ready, s.Scheduled = int64(len(m.in(queue.StateReady))), int64(len(m.in(queue.StateScheduled)))
	s.Running, s.Retrying = int64(len(m.in(queue.StateRunning))), int64(len(m.in(queue.StateRetrying)))
	s.Dead = int64(len(m.graves))
	for _, t := range m.in(queue.StateReady) {
		s.OldestReady = max(s.OldestReady, m.now-t.due)
	}
	return s
}

// TestModel does the same to an engine and to the model, and demands the same answers.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // without Deadline, which a bubble does not have
			engine, err := memory.Driver().Open(context.Background(), queue.Opening{Queue: "tests", Settings: &memory.Settings{Common: queue.Common{Capacity: modelCapacity, DeadLetters: modelDead}}})
			if err != nil {
				t.Fatal(err)
			}
			m := &machine{engine: engine, opened: time.Now(), model: &model{}}
			t.Repeat(map[string]func(*rapid.T){
				"publish": m.publish, "receive": m.receive, "complete": m.complete, "renew": m.renew, "pass": m.pass, "": m.check,
			})
			if err := engine.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// machine drives both.
type machine struct {
	engine queue.Engine
	opened time.Time
	model  *model
	made   int
	tokens []queue.Token // every one ever given
}

var (
	waits  = rapid.SampledFrom([]time.Duration{-time.Second, 0, 0, 0, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond})
	leases = rapid.SampledFrom([]time.Duration{time.Millisecond, 5 * time.Millisecond, time.Minute})
)

func (m *machine) catchUp() { m.model.advance(time.Since(m.opened)) }

func (m *machine) publish(t *rapid.T) {
	m.catchUp()
	rs := make([]queue.Record, rapid.IntRange(0, 5).Draw(t, "n"))
	for i := range rs {
		m.made++
		rs[i] = queue.Record{
			Info: task.Info{
				ID: fmt.Sprintf("task-%d", m.made), Priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
				MaxAttempts: rapid.IntRange(0, 3).Draw(t, "attempts"), Unique: rapid.SampledFrom([]string{"", "", "", "a", "b"}).Draw(t, "key"),
			},
			Delay:     max(0, waits.Draw(t, "delay")),
			UniqueFor: max(0, waits.Draw(t, "unique for")),
		}
	}
	want, full := m.model.publish(rs)
	got, err := m.engine.Publish(context.Background(), rs, false)
	if !slices.Equal(got, want) || errors.Is(err, queue.ErrFull) != full || err != nil && !full {
		t.Fatalf("Publish: %v, %v; expected %v, full: %t", got, err, want, full)
	}
}

func (m *machine) receive(t *rapid.T) {
	m.catchUp()
	if len(m.model.in(queue.StateReady)) == 0 {
		t.Skip("nothing is ready")
	}
	n, lease := rapid.IntRange(1, 4).Draw(t, "max"), leases.Draw(t, "lease")
	want := m.model.receive(n, lease)
	got, err := m.engine.Receive(context.Background(), n, lease)
	if err != nil || len(got) != len(want) {
		t.Fatalf("Receive: %d leases, %v; expected %d", len(got), err, len(want))
	}
	for i, l := range got {
		if l.Token != want[i].token || l.Info.Attempt != len(want[i].failures)+1 || l.Until != lease {
			t.Fatalf("lease %d is %+v, expected %+v", i, l, want[i])
		}
		if due := l.Info.RunAt.Sub(m.opened); due != want[i].due {
			t.Fatalf("task %s says it was due at %s, expected %s", l.ID, due, want[i].due)
		}
		m.tokens = append(m.tokens, l.Token)
	}
}

func (m *machine) complete(t *rapid.T) {
	m.catchUp()
	if len(m.tokens) == 0 {
		t.Skip("nothing was ever claimed")
	}
	cs := make([]queue.Completion, rapid.IntRange(1, 3).Draw(t, "n"))
	var want []queue.Token
	for i := range cs {
		cs[i] = queue.Completion{
			Token:   rapid.SampledFrom(m.tokens).Draw(t, "token"),
			Outcome: task.Outcome(rapid.IntRange(int(task.Done), int(task.Dead)).Draw(t, "outcome")),
			After:   waits.Draw(t, "after"),
			Counted: rapid.Bool().Draw(t, "counted"),
			Cause:   rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "cause"),
		}
		if !m.model.complete(cs[i]) {
			want = append(want, cs[i].Token)
		}
	}
	lost, err := m.engine.Complete(context.Background(), cs)
	if err != nil || !slices.Equal(lost, want) {
		t.Fatalf("Complete: lost %v, %v; expected %v", lost, err, want)
	}
}

func (m *machine) renew(t *rapid.T) {
	m.catchUp()
	if len(m.tokens) == 0 {
		t.Skip("nothing was ever claimed")
	}
	tok, lease := rapid.SampledFrom(m.tokens).Draw(t, "token"), leases.Draw(t, "lease")
	held := m.model.held(tok)
	if held != nil {
		held.leaseEnd = m.model.now + lease
	}
	renewed, err := m.engine.Renew(context.Background(), []queue.Token{tok}, lease)
	if err != nil || (len(renewed.Lost) == 0) != (held != nil) {
		t.Fatalf("Renew: %+v, %v; held: %t", renewed, err, held != nil)
	}
}

// pass lets time go on, which in the bubble takes none.
func (m *machine) pass(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{1, time.Millisecond, 2 * time.Millisecond, 7 * time.Millisecond, time.Minute}).Draw(t, "time"))
}

func (m *machine) check(t *rapid.T) {
	m.catchUp()
	got, err := m.engine.Stats(context.Background())
	if want := m.model.counted(); err != nil || got != want {
		t.Fatalf("Stats: %+v, %v\nexpected %+v", got, err, want)
	}
	page, err := m.engine.Tasks(context.Background(), queue.Query{States: []queue.State{queue.StateDead}})
	if err != nil || len(page.Tasks) != len(m.model.graves) {
		t.Fatalf("%d dead letters, %v; expected %d", len(page.Tasks), err, len(m.model.graves))
	}
	for _, want := range m.model.graves {
		l, err := m.engine.Task(context.Background(), want.id)
		if err != nil {
			t.Fatal(err)
		}
		var causes []string
		for _, f := range l.Failures {
			causes = append(causes, f.Error)
		}
		if l.Info.ID != want.id || !slices.Equal(causes, want.failures) {
			t.Fatalf("letter %s with %q, expected %s with %q", l.Info.ID, causes, want.id, want.failures)
		}
	}
}

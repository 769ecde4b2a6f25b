package runtime_test

import (
	"context"
	"flag"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
	"pgregory.net/rapid"
)

// model is what an operator has in mind of the application: what is up, what he has stopped, what waits on the queue.
type model struct {
	up, channel bool
	opens       int64 // of the resource
	parts       map[string]*part
	paused      bool
	concurrency int
	waiting     []string // the kinds of tasks that nobody takes at present
	finished    int64    // tasks, ever
	done, dead  int64    // tasks, since the start of the application
}

// part is a worker in the model.
type part struct {
	held, gaveUp, ended bool
	lives               int64
}

func newModel() *model {
	return &model{parts: map[string]*part{steady: {}, vital: {}, consumer: {}}, concurrency: 1}
}

func (m *model) runs(name string) bool {
	p := m.parts[name]
	return m.up && !p.held && !p.gaveUp && !p.ended
}

// live begins a life of a worker.
func (m *model) live(name string) {
	p := m.parts[name]
	*p = part{lives: p.lives + 1}
}

func (m *model) start() {
	if m.up {
		return
	}
	m.up, m.channel = true, true
	m.opens++
	m.done, m.dead = 0, 0
	for name := range m.parts {
		m.live(name)
	}
}

// stop gives how many tasks are lost with the queue.
func (m *model) stop(keepChannel bool) (lost int) {
	lost = len(m.waiting)
	m.up, m.waiting = false, nil
	m.channel = m.channel && keepChannel
	return lost
}

func (m *model) publish(kinds ...string) {
	m.waiting = append(m.waiting, kinds...)
	m.serve()
}

func (m *model) takes() bool { return m.runs(consumer) && !m.paused }

func (m *model) serve() {
	if !m.takes() {
		return
	}
	for _, kind := range m.waiting {
		if kind == refuses {
			m.dead++
		} else {
			m.done++
			m.finished++
		}
	}
	m.waiting = nil
}

func (m *model) health() health.State {
	state := health.StateOK
	for name, p := range m.parts {
		switch {
		case p.gaveUp && name == vital:
			return health.StateUnhealthy
		case p.gaveUp || p.held:
			state = health.StateDegraded
		}
	}
	return state
}

// check compares the application with the model.
func (m *model) check(rt *rapid.T, w *world) {
	s, h := w.app.Status(), w.app.Health()
	state := workers.Stopped
	if m.up {
		state = workers.Idle
	}
	ready := m.up && m.health() != health.StateUnhealthy
	if s.State != state || s.Ready != ready || w.app.Ready() != ready {
		rt.Fatalf("status %+v, want %s, ready %t", s, state, ready)
	}
	if m.up && h.State != m.health() {
		rt.Fatalf("health %+v, want %s", h, m.health())
	}
	if open := w.opens.Load() - w.closes.Load(); w.channelUp.Load() != m.channel || w.opens.Load() != m.opens || (open == 1) != m.up || open < 0 {
		rt.Fatalf("channel %t, opens %d, closes %d; want %+v", w.channelUp.Load(), w.opens.Load(), w.closes.Load(), *m)
	}
	for _, ws := range s.Workers {
		if (ws.State == workers.Idle) != m.runs(ws.Name) || (ws.State == workers.Stopped) == m.runs(ws.Name) || ws.InFlight != 0 || ws.Abandoned != 0 {
			rt.Fatalf("worker %+v, want %+v", ws, m.parts[ws.Name])
		}
		if l := w.loops[ws.Name]; l != nil && l.lives.Load() != m.parts[ws.Name].lives {
			rt.Fatalf("%d lives of %s, want %d", l.lives.Load(), ws.Name, m.parts[ws.Name].lives)
		}
	}
	m.checkQueue(rt, w)
}

func (m *model) checkQueue(rt *rapid.T, w *world) {
	if c, _ := w.app.Worker(consumer); c.Paused != m.paused || c.Concurrency != m.concurrency {
		rt.Fatalf("consumer %+v, want paused %t, concurrency %d", c, m.paused, m.concurrency)
	}
	if w.finished.Load() != m.finished || w.working.Load() != 0 {
		rt.Fatalf("%d tasks finished, %d handlers still work; want %d and none", w.finished.Load(), w.working.Load(), m.finished)
	}
	st, err := w.app.QueueStats(context.Background(), "tasks")
	if (err == nil) != m.up {
		rt.Fatalf("stats: %v", err)
	}
	if err == nil && (st.Ready != int64(len(m.waiting)) || st.Completed != m.done || st.Dead != m.dead || st.Running+st.Retrying+st.Scheduled != 0) {
		rt.Fatalf("queue %+v, want %d waiting, %d done, %d dead", st, len(m.waiting), m.done, m.dead)
	}
}

// Any sequence of what operators do and of what goes wrong leaves the application as the model says, and every machine moves only as its table says.
func TestApplicationFollowsItsModel(t *testing.T) {
	const batch = 25 // rapid allows itself a day for its checks, and here the days pass quickly
	set(t, "rapid.checks", strconv.Itoa(batch))
	want := volume(300, 10_000)
	checks, moves := 0, 0
	counts := map[string]int{}
	for checks < want && !t.Failed() {
		before := checks
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // without T.Deadline, which a bubble does not have
				checks++
				a := &acts{w: newWorld(t), m: newModel(), counts: counts}
				defer func() { _, _ = a.w.app.Stop(context.Background(), runtime.Force()) }() // also on a failure, or the bubble could not end
				rt.Repeat(a.all())
				n, err := a.w.obeyed()
				if moves += n; err != nil {
					rt.Fatal(err)
				}
			})
		})
		if checks-before < batch {
			t.Fatalf("%d checks in a batch of %d", checks-before, batch)
		}
	}
	expectVolume(t, checks, moves, counts)
}

// expectVolume keeps the test from growing hollow: each kind of event must have happened often enough.
func expectVolume(t *testing.T, checks, moves int, counts map[string]int) {
	t.Helper()
	total := 0
	for name, n := range counts {
		total += n
		if n < checks/10 {
			t.Errorf("only %d × %q in %d sequences", n, name, checks)
		}
	}
	if total < 20*checks || moves < 100*checks || len(counts) < 25 {
		t.Errorf("only %d events of %d kinds and %d moves in %d sequences", total, len(counts), moves, checks)
	}
	t.Logf("%d sequences, %d events of %d kinds, %d moves: %v", checks, total, len(counts), moves, counts)
}

// set changes a flag of a library for the test.
func set(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

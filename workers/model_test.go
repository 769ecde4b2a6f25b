package workers_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
	"pgregory.net/rapid"
)

// How a task of the model behaves. Each takes 2 ms before that, so that none is leased behind another.
const (
	quick    = "quick"    // succeeds
	drops    = "drops"    // is dropped
	fails    = "fails"    // fails, and succeeds the second time
	panics   = "panics"   // the same with a panic
	exits    = "exits"    // the same with runtime.Goexit
	snoozes  = "snoozes"  // is snoozed, and succeeds the second time
	dies     = "dies"     // fails for good
	holds    = "holds"    // lasts until it is released or its context ends
	stubborn = "stubborn" // lasts until it is released, whatever its context says
)

// behaviours to draw from; those that last make a worker full.
var behaviours = []string{quick, drops, fails, panics, exits, snoozes, dies, holds, holds, holds, holds, stubborn}

// aWhile is how long tasks wait that failed or were snoozed: longer than all steps of a check that do not say otherwise.
const aWhile = 20 * time.Minute

// piece is one task of the model, and its handler's side.
type piece struct {
	How     string
	id      string
	place   int  // in line; a task that comes back keeps it, one that waited gets a new one
	again   bool // in the model: it has failed or snoozed before
	calls   atomic.Int64
	release chan struct{}
}

// Handle does what the piece is for.
func handlePiece(ctx context.Context, p *piece) error {
	time.Sleep(2 * time.Millisecond)
	if p.calls.Add(1) > 1 && p.How != holds && p.How != stubborn {
		return nil
	}
	switch p.How {
	case drops:
		return task.Drop("no need")
	case dies:
		return task.Permanent(errors.New("no use"))
	case snoozes:
		return task.Snooze(aWhile, "later")
	case fails:
		return errors.New("not yet")
	case panics:
		panic("planted")
	case exits:
		goexit()
	case stubborn:
		<-p.release
	case holds:
		select {
		case <-p.release:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// model is what an operator has in mind of one consumer and its queue.
type model struct {
	up, paused           bool
	size                 int
	places               int
	ready, held, waiting []*piece // waiting for their time
	left                 []*piece // held by abandoned calls
	want                 counts
}

// counts is what the model compares. ended are cancelled tasks of the queue.
type counts struct {
	State                   workers.State
	InFlight, Abandoned     int
	Done, Failed, Cancelled uint64
	Size                    int
	Paused                  bool
	Ready, Running, Waiting int
	Completed, Dead, Ended  int64
	Attached                int64
}

func (m *model) line(p *piece) {
	m.ready = append(m.ready, p)
	slices.SortFunc(m.ready, func(a, b *piece) int { return a.place - b.place })
}

func (m *model) lineUp(p *piece) {
	m.places++
	p.place = m.places
	m.line(p)
}

// work lets the worker take what it may.
func (m *model) work() {
	for m.up && !m.paused && len(m.held) < m.size && len(m.ready) > 0 {
		p := m.ready[0]
		m.ready = m.ready[1:]
		switch {
		case p.How == holds || p.How == stubborn:
			m.held = append(m.held, p)
		case p.How == quick || p.How == drops || p.again:
			m.want.Done++
			m.want.Completed++
		case p.How == dies:
			m.want.Failed++
			m.want.Dead++
		default:
			if p.How != snoozes {
				m.want.Failed++
			}
			p.again = true
			m.waiting = append(m.waiting, p)
		}
	}
}

// finish lets held tasks succeed.
func (m *model) finish(ps ...*piece) {
	for _, p := range ps {
		close(p.release)
		m.want.Done++
		m.want.Completed++
	}
	m.held = slices.DeleteFunc(m.held, func(p *piece) bool { return slices.Contains(ps, p) })
}

// expected is what worker and queue show once they have settled.
func (m *model) expected() counts {
	c := m.want
	c.State, c.InFlight, c.Size, c.Paused = workers.Stopped, len(m.left), m.size, m.paused
	c.Abandoned, c.Attached = len(m.left), int64(min(len(m.left), 1))
	if m.up {
		c.State, c.InFlight, c.Attached = workers.Idle, len(m.held), 1
		if len(m.held) > 0 {
			c.State = workers.Busy
		}
	}
	c.Ready, c.Running, c.Waiting = len(m.ready), len(m.held), len(m.waiting)
	return c
}

// trial is a worker under test beside its model.
type trial struct {
	t                        testing.TB
	rt                       *rapid.T
	w                        workers.Worker
	q                        *queue.Queue[*piece]
	m                        model
	attachFails, detachFails atomic.Bool
	attached                 atomic.Int64
}

func newTrial(t testing.TB, rt *rapid.T) *trial {
	tr := &trial{t: t, rt: rt, q: openQueue[*piece](t, "q", 10_000), m: model{size: 2}}
	h := workers.Wrap(workers.Func(handlePiece), func(next workers.Handler[*piece]) workers.Handler[*piece] { return attaching{next, tr} })
	tr.w = workers.Consume("w", tr.q, h, workers.Concurrency(2), workers.Lease(10*time.Second),
		workers.RetryPolicy(func(int, error) time.Duration { return aWhile }))
	equip(t, tr.w)
	return tr
}

type attaching struct {
	workers.Handler[*piece]
	tr *trial
}

func (a attaching) Attach(task.Slots) (func(context.Context) error, error) {
	if a.tr.attachFails.Load() {
		return nil, errors.New("planted")
	}
	a.tr.attached.Add(1)
	return func(context.Context) error {
		a.tr.attached.Add(-1)
		if a.tr.detachFails.Load() {
			return errors.New("planted")
		}
		return nil
	}, nil
}
func (attaching) Compensates() bool      { return false }
func (attaching) NeedsCheckpoints() bool { return false }

// settle compares, once nothing moves any more.
func (tr *trial) settle(*rapid.T) {
	tr.m.work()
	pass(600 * time.Millisecond)
	ws, st := tr.w.Status(), stats(tr.t, tr.q)
	got := counts{
		State: ws.State, InFlight: int(ws.InFlight), Abandoned: int(ws.Abandoned), Done: ws.Done, Failed: ws.Failed, Cancelled: ws.Cancelled,
		Size: ws.Concurrency, Paused: ws.Paused, Ready: int(st.Ready), Running: int(st.Running), Waiting: int(st.Retrying + st.Scheduled),
		Completed: st.Completed, Dead: st.Dead, Ended: st.Cancelled, Attached: tr.attached.Load(),
	}
	if want := tr.m.expected(); got != want {
		tr.rt.Fatalf("\n got %+v\nwant %+v", got, want)
	}
}

func (tr *trial) publish(rt *rapid.T) {
	for range rapid.IntRange(1, 6).Draw(rt, "tasks") {
		p := &piece{How: rapid.SampledFrom(behaviours).Draw(rt, "behaviour"), release: make(chan struct{})}
		p.id = send(tr.t, tr.q, p)
		tr.m.lineUp(p)
	}
}

func (tr *trial) start(*rapid.T) {
	err := tr.w.Start(context.Background())
	var refused *workers.StateError
	switch {
	case !tr.m.up && len(tr.m.left) > 0:
		if !errors.As(err, &refused) {
			tr.rt.Fatalf("start while a call of the last life goes on: %v", err)
		}
	case err != nil:
		tr.rt.Fatal(err)
	default:
		tr.m.up = true
	}
}

func (tr *trial) failToStart(rt *rapid.T) {
	if tr.m.up || len(tr.m.left) > 0 {
		rt.Skip()
	}
	tr.attachFails.Store(true)
	if err := tr.w.Start(context.Background()); err == nil || tr.w.Err() == nil {
		tr.rt.Fatal("started")
	}
	tr.attachFails.Store(false)
}

// stop lets everything in flight finish, and shows a worker that is stopping meanwhile.
func (tr *trial) stop(rt *rapid.T) {
	tr.detachFails.Store(tr.m.up && rapid.Bool().Draw(rt, "detach fails"))
	want := workers.Receipt{Finished: len(tr.m.held)}
	receipt := make(chan workers.Receipt)
	go func() { receipt <- tr.w.Stop(forever(), forever()) }()
	synctest.Wait()
	if len(tr.m.held) > 0 {
		if s := tr.w.Status(); s.State != workers.Stopping || int(s.InFlight) != len(tr.m.held) {
			tr.rt.Fatalf("%+v", s)
		}
		tr.publish(rt) // nobody takes it
	}
	tr.m.finish(tr.m.held...)
	if got := <-receipt; got != want {
		tr.rt.Fatalf("receipt %+v, want %+v", got, want)
	}
	if err := tr.w.Err(); (err != nil) != tr.detachFails.Load() && tr.m.up {
		tr.rt.Fatalf("the life ended with %v", err)
	}
	tr.detachFails.Store(false)
	tr.m.up = false
}

// force returns what heeds its context and abandons the rest, whose leases end then. What an abandoned call had is cancelled, so that it is not begun twice.
func (tr *trial) force(*rapid.T) {
	var want workers.Receipt
	var left []*piece
	for _, p := range tr.m.held {
		if p.How == stubborn {
			want.Abandoned++
			left = append(left, p)
		} else {
			want.Returned++
			tr.m.line(p)
		}
	}
	if got := tr.w.Stop(over(), after(tr.t, time.Second)); got != want {
		tr.rt.Fatalf("receipt %+v, want %+v", got, want)
	}
	if tr.m.held, tr.m.up = nil, false; len(left) == 0 {
		return
	}
	tr.m.left = left
	pass(11 * time.Second)
	for _, p := range left {
		tr.cancelTask(p)
		tr.m.want.Ended++
	}
}

func (tr *trial) cancelTask(p *piece) {
	if err := tr.q.Cancel(context.Background(), p.id, ""); err != nil {
		tr.rt.Fatal(err)
	}
}

func (tr *trial) returnLate(*rapid.T) {
	for _, p := range tr.m.left {
		close(p.release)
		tr.m.want.Done++
	}
	tr.m.left = nil
}

func (tr *trial) release(rt *rapid.T) {
	if len(tr.m.held) == 0 {
		rt.Skip()
	}
	tr.m.finish(rapid.SampledFrom(tr.m.held).Draw(rt, "task"))
}

func (tr *trial) cancel(rt *rapid.T) {
	from := rapid.SampledFrom([]*[]*piece{&tr.m.ready, &tr.m.held, &tr.m.waiting}).Draw(rt, "from")
	i := slices.IndexFunc(*from, func(p *piece) bool { return p.How != stubborn })
	if i < 0 {
		rt.Skip()
	}
	tr.cancelTask((*from)[i])
	if tr.m.want.Ended++; from == &tr.m.held {
		tr.m.want.Cancelled++
	}
	*from = slices.Delete(*from, i, i+1)
}

func (tr *trial) wait(*rapid.T) {
	pass(aWhile + time.Minute)
	for _, p := range tr.m.waiting {
		tr.m.lineUp(p)
	}
	tr.m.waiting = nil
}

// end lets everything go, also after a failure, so that the bubble can end.
func (tr *trial) end() {
	for _, p := range slices.Concat(tr.m.ready, tr.m.held, tr.m.left) {
		close(p.release)
	}
	tr.w.Stop(over(), forever())
}

// A worker does what its operator has in mind: whatever tasks do, however it is started, stopped, forced, paused, scaled, and whatever fails at its start and
// its stop.
func TestWorkerFollowsItsModel(t *testing.T) {
	steps := 0
	checks := checkInBubbles(t, 500, 10_000, func(t testing.TB, rt *rapid.T) {
		tr := newTrial(t, rt)
		defer tr.end()
		rt.Repeat(map[string]func(*rapid.T){
			"":              func(rt *rapid.T) { steps++; tr.settle(rt) },
			"publish":       tr.publish,
			"start":         tr.start,
			"fail to start": tr.failToStart,
			"stop":          tr.stop,
			"force":         tr.force,
			"return late":   tr.returnLate,
			"release":       tr.release,
			"cancel":        tr.cancel,
			"wait":          tr.wait,
			"pause":         func(*rapid.T) { pauser(tr.w).Pause(); tr.m.paused = true },
			"resume":        func(*rapid.T) { pauser(tr.w).Resume(); tr.m.paused = false },
			"scale": func(rt *rapid.T) {
				tr.m.size = rapid.IntRange(1, 5).Draw(rt, "size")
				scale(tr.t, tr.w, tr.m.size)
			},
		})
	})
	if steps < 10*checks {
		t.Errorf("only %d steps in %d checks", steps, checks)
	}
}

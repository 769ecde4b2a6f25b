package memory

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// engine implements queue.Engine. The mutex guards everything below it; see enter and leave.
type engine struct {
	settings   Settings
	order      queue.Order
	groupLimit int
	opened     time.Time

	mu     sync.Mutex
	closed bool
	wall   time.Time     // the present, as of enter
	now    time.Duration // the same, since the engine was opened

	counts    [stateCount]int
	published int64
	completed int64
	arrivals  uint64 // numbers the places
	claims    int64  // numbers the claims
	paused    bool

	tasks    index             // all of them, by ID
	ready    readyTasks        // those that can be claimed
	groups   map[string]*group // those with living tasks
	tokens   tokens
	later    heap[*entry] // those that wait for their time, by when they become due
	leases   line         // those under a lease, by when it ends
	graves   list[entry]  // dead and cancelled, in the order in which they ended
	finished list[entry]  // done, likewise
	keys     keys
	spare    []*entry        // entries to use again
	receipts []queue.Receipt // room for those of the next publishers

	receivers  list[receiver]
	publishers list[publisher]
	waking     bool // a receiver was woken and has not come yet

	timer *time.Timer   // rings for those who wait
	rings time.Duration // when it rings, never if it is not set
}

const never = time.Duration(math.MaxInt64)

func newEngine(s Settings, o queue.Order) *engine {
	return &engine{
		settings: s, order: o, groupLimit: s.GroupLimit(o), tokens: newTokens(s.Rate),
		opened: time.Now(), tasks: newIndex(), leases: line{expiring: true}, rings: never,
	}
}

// enter locks the engine and brings it up to the present. If it returns nil, leave must follow.
func (e *engine) enter() error { return e.enterAt(time.Now()) }

// enterAt is enter for those who know what time it is. Whoever had to wait for the lock may come with an instant that has passed.
func (e *engine) enterAt(wall time.Time) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return queue.ErrClosed
	}
	if now := wall.Sub(e.opened); now >= e.now {
		e.wall, e.now = wall, now
	}
	for e.later.due(e.now) {
		t := e.later.pop()
		t.spot = nowhere
		e.becomeReady(t)
	}
	for t := e.leases.due(e.now); t != nil; t = e.leases.due(e.now) {
		e.leases.remove(t)
		e.rescue(t)
	}
	e.keys.expire(e.now)
	e.forgetOld(&e.finished, e.settings.KeepDone)
	e.forgetOld(&e.graves, e.settings.KeepDead)
	return nil
}

// leave restores the invariants and unlocks.
func (e *engine) leave() {
	e.admit()
	e.wakeReceiver()
	e.setAlarm()
	e.mu.Unlock()
}

// setAlarm makes the timer ring no later than at the next instant at which something happens by itself. It may ring
// earlier, when what it was set for has gone; that costs less than to set it at every step.
func (e *engine) setAlarm() {
	if e.receivers.size == 0 && e.publishers.size == 0 {
		return
	}
	next := never
	if e.later.len() > 0 {
		next = e.later.first().at
	}
	if t := e.leases.first(); t != nil {
		next = min(next, t.expiry.at)
	}
	next = min(next, e.nextToken())
	if next >= e.rings {
		return
	}
	e.rings = next
	if e.timer == nil {
		e.timer = time.AfterFunc(next-e.now, e.ring)
	} else {
		e.timer.Reset(next - e.now)
	}
}

// ring is what the timer does: entering and leaving is all it takes.
func (e *engine) ring() {
	if e.enter() == nil {
		e.rings = never
		e.leave()
	}
}

// in is the instant d from now.
func (e *engine) in(d time.Duration) time.Duration {
	if d <= 0 {
		return e.now
	}
	return e.now + min(d, never-e.now)
}

// move puts the task into another state.
func (e *engine) move(t *entry, to state) {
	e.counts[t.state]--
	e.counts[to]++
	t.state = to
}

// maxSpare is how many entries are kept to be used again.
const maxSpare = 1024

func (e *engine) newEntry() *entry {
	last := len(e.spare) - 1
	if last < 0 {
		return &entry{index: -1}
	}
	t := e.spare[last]
	e.spare = e.spare[:last]
	return t
}

// forget lets go of a task that is in no list any more. Of an entry that is to be used again just what differs from a new one is reset, and what may be large;
// the rest of its record is written over with the next task's.
func (e *engine) forget(t *entry) {
	e.counts[t.state]--
	e.tasks.remove(t)
	if len(e.spare) >= maxSpare {
		return
	}
	t.progress, t.endedAt = progress{}, time.Time{}
	t.payload.Value = nil
	if t.info.Metadata != nil || t.payload.Bytes != nil || t.failures != nil || t.checkpoints != nil {
		t.info.Metadata, t.payload.Bytes, t.failures, t.checkpoints = nil, nil, nil, nil
	}
	change(&t.cause, "")
	e.spare = append(e.spare, t)
}

// forgetOld forgets those that ended longer ago than they are kept; 0: they are kept.
func (e *engine) forgetOld(ended *list[entry], keep time.Duration) {
	for keep > 0 && ended.size > 0 && e.now-ended.first().ended >= keep {
		e.forget(ended.popFront())
	}
}

// becomeReady lets a task be claimed whose instant is place.at.
func (e *engine) becomeReady(t *entry) {
	if t.state != undoing {
		e.move(t, ready)
	}
	if g := t.group; g != nil {
		t.spot = behind
		g.behind.add(t)
		e.align(g)
	} else {
		t.spot = claimable
		e.ready.add(t)
	}
}

// wait puts the task away for d, behind all that become due before or at that instant. An undoing one stays that.
func (e *engine) wait(t *entry, until state, d time.Duration) {
	e.arrivals++
	t.place = place{e.in(d), e.arrivals}
	t.info.RunAt = e.wall.Add(max(d, 0))
	if t.state != undoing {
		e.move(t, until)
	}
	if t.place.at <= e.now {
		e.becomeReady(t)
		return
	}
	t.spot = later
	e.later.push(t, t.place)
	if t.group != nil {
		e.align(t.group)
	}
}

// takeOut takes a living task out of where it waits, or ends its lease.
func (e *engine) takeOut(t *entry) {
	switch t.spot {
	case later:
		e.later.remove(t.index)
	case claimable:
		e.ready.remove(t)
		if t.group != nil {
			t.group.front = nil
		}
	case behind:
		t.group.behind.remove(t)
	case leased:
		e.leases.remove(t)
		e.released(t)
	case nowhere, ended:
	}
	t.spot = nowhere
}

// released notes that the task is no longer under a lease.
func (e *engine) released(t *entry) {
	t.spot = nowhere
	if t.group != nil {
		t.group.leases--
	}
}

// Stats implements queue.Engine.
func (e *engine) Stats(context.Context) (queue.Stats, error) {
	if err := e.enter(); err != nil {
		return queue.Stats{}, err
	}
	defer e.leave()
	s := queue.Stats{
		Ready:     int64(e.counts[ready]),
		Scheduled: int64(e.counts[scheduled]),
		Running:   int64(e.counts[running]),
		Retrying:  int64(e.counts[retrying]),
		Undoing:   int64(e.counts[undoing]),
		Dead:      int64(e.counts[dead]),
		Cancelled: int64(e.counts[cancelled]),
		Done:      int64(e.counts[done]),
		Completed: e.completed,
		Published: e.published,
		Capacity:  int64(e.settings.Capacity),
		Paused:    e.paused,
	}
	oldest := e.ready.oldest(e.now)
	for _, g := range e.groups {
		oldest = min(oldest, g.behind.oldest(oldest))
	}
	s.OldestReady = e.now - oldest
	return s, nil
}

// Close implements queue.Engine. It does not wait. The tasks are gone.
func (e *engine) Close(context.Context) error {
	if e.enter() != nil {
		return nil
	}
	defer e.mu.Unlock()
	e.closed = true
	for r := e.receivers.popFront(); r != nil; r = e.receivers.popFront() {
		r.wake <- struct{}{}
	}
	for p := e.publishers.popFront(); p != nil; p = e.publishers.popFront() {
		p.finish(queue.ErrClosed)
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.ready, e.later, e.leases, e.tasks, e.groups, e.keys = readyTasks{}, heap[*entry]{}, line{}, index{}, nil, keys{}
	e.graves, e.finished, e.spare, e.receipts = list[entry]{}, list[entry]{}, nil, nil
	return nil
}

var (
	_ queue.Engine     = (*engine)(nil)
	_ task.Checkpoints = (*checkpoints)(nil)
)

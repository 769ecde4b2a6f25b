package sqlite

import (
	"context"

	"github.com/plba/plba/queue"
)

// engine implements queue.Engine: it is one queue of a store.
type engine struct {
	*store
	name    string
	limits  queue.Common
	order   queue.Order
	release func(ctx context.Context) error // tells the driver that it is closed

	leases  leases
	carried map[string]held // leases from when the queue was open before

	// The store's mutex guards these.
	closed     bool
	publishers line
	receivers  line
	shown      books

	// These are the writer's alone.
	id int64
	books
	groups  map[string]group
	touched *batch // the last one that changed the books
}

// books are what is known of a queue without looking into the database, as one value, so that a batch that fails can put it back.
type books struct {
	counts    [stateEnd]int64
	stands    [parked + 1]int64
	leased    int64
	published int64 // since the queue was opened
	completed int64
	paused    bool

	nextDue   int64 // when something that waits is due, or earlier
	nextSweep int64 // when something has been kept long enough, or earlier
	more      bool  // there was too much to do at once
	bucket    bucket
}

// living is how many tasks count against the capacity.
func (k *books) living() (n int64) {
	for s := scheduled; s.living(); s++ {
		n += k.counts[s]
	}
	return n
}

// room says whether one more task may live.
func (e *engine) room() bool {
	return e.limits.Capacity == 0 || e.living() < int64(e.limits.Capacity)
}

// touch lets a batch that fails put back what it changes in the books.
func (e *engine) touch(b *batch) {
	if e.touched == b {
		return
	}
	e.touched = b
	before := e.books
	b.onUndo(func() { e.books = before })
}

// show lets others see the books.
func (e *engine) show() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shown = e.books
}

// alarm is the next instant at which something happens to the queue by itself.
func (e *engine) alarm() int64 {
	if e.more {
		return 0
	}
	return min(e.nextDue, e.nextSweep, e.leases.next(), e.nextToken())
}

// advance lets happen what has become due.
func (e *engine) advance(b *batch) {
	e.touch(b)
	e.more = false
	e.promote(b)
	for _, t := range e.leases.expired(b.now) {
		e.rescue(b, t)
	}
}

// atOnce is how many tasks a batch moves for nobody in particular: others wait meanwhile.
const atOnce = 256

const dueRows = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_waiting WHERE queue = ? AND stand = 1 AND due <= ? ORDER BY due, seq LIMIT ?"

// promote lets tasks be claimed whose time has come.
func (e *engine) promote(b *batch) {
	if e.nextDue > b.now {
		return
	}
	due := b.rows(dueRows, e.id, b.now, int64(atOnce))
	for _, t := range due {
		old := t
		e.becomeReady(&t)
		e.put(b, &old, &t)
	}
	if e.more = len(due) == atOnce; !e.more {
		e.nextDue = e.firstDue(b)
	}
}

// firstDue is when the first of those is due that wait for their time.
func (e *engine) firstDue(b *batch) int64 {
	first := b.numbers("SELECT due FROM tasks INDEXED BY tasks_waiting WHERE queue = ? AND stand = 1 ORDER BY due LIMIT 1", e.id)
	if len(first) == 0 {
		return never
	}
	return first[0]
}

// becomeReady lets a task be claimed whose place says since when it is due.
func (e *engine) becomeReady(t *row) {
	if t.state != undoing {
		t.state = ready
	}
	t.stand = open
	if t.group != "" && !t.begun && !e.admits(t) {
		t.stand = parked
	}
}

// wait puts the task away until then, behind all that become due before or at that instant. An undoing one stays that.
func (e *engine) wait(b *batch, t *row, until state, due int64) {
	b.last.seq++
	t.due, t.seq = due, b.last.seq
	if due <= b.now {
		e.becomeReady(t)
		return
	}
	if t.state != undoing {
		t.state = until
	}
	t.stand = waiting
}

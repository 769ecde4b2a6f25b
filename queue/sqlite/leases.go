package sqlite

import (
	"container/heap"
	"sync"

	"github.com/plba/plba/queue"
)

// leases are the tasks of a queue that are under a lease, by ID and by when the lease ends. When it ends is known in memory only: whoever has a lease is in this
// process, and dies with it. So renewing costs no sync of the disk, and is not held up by one. The file says which tasks are leased; when a queue is opened, those
// that nobody in this process has are taken back at once.
type leases struct {
	mu     sync.Mutex
	byID   map[string]*held
	ending endings
}

// held is one lease.
type held struct {
	task  row
	until int64
	ended bool // by a batch that is not committed yet
	index int  // among the endings
}

func (l *leases) add(h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID = map[string]*held{}
	}
	l.byID[h.task.id] = h
	heap.Push(&l.ending, h)
}

// end says that a lease ends with a batch, or, if that fails, does not.
func (l *leases) end(id string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.byID[id]; h != nil {
		h.ended = ended
	}
}

// remove forgets a lease that has ended.
func (l *leases) remove(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.byID[id]; h != nil {
		delete(l.byID, id)
		heap.Remove(&l.ending, h.index)
	}
}

// replace says something else of a leased task, and gives what was said before.
func (l *leases) replace(t row) (before row, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.byID[t.id]
	if h == nil {
		return row{}, false
	}
	before, h.task = h.task, t
	return before, true
}

// task is the task under that lease; false when the lease is lost, or has ended by now.
func (l *leases) task(tok queue.Token, now int64) (t row, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.byID[tok.ID]
	if h == nil || h.task.lease != tok.Lease || h.until <= now || h.ended {
		return row{}, false
	}
	return h.task, true
}

// renew lets leases end at until. sooner says that the next end has come nearer.
func (l *leases) renew(ts []queue.Token, now, until int64) (r queue.Renewed, sooner bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tok := range ts {
		h := l.byID[tok.ID]
		if h == nil || h.task.lease != tok.Lease || h.until <= now {
			r.Lost = append(r.Lost, tok)
			continue
		}
		sooner = sooner || until < h.until
		h.until = until
		heap.Fix(&l.ending, h.index)
		if h.task.cancelling {
			r.Cancelled = append(r.Cancelled, tok)
		}
	}
	return r, sooner
}

// until is when the lease of a task ends; now if it has none any more.
func (l *leases) until(id string, now int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.byID[id]; h != nil {
		return h.until
	}
	return now
}

// next is when the first lease ends.
func (l *leases) next() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ending) == 0 {
		return never
	}
	return l.ending[0].until
}

// carry are the leases of a queue that is closed, for when it is opened again in this process: their ends are in the process's time then, which goes on.
func (l *leases) carry(base int64) map[string]held {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]held{}
	for id, h := range l.byID {
		if !h.ended {
			all[id] = held{task: h.task, until: h.until - base}
		}
	}
	return all
}

// expired are the tasks whose leases have ended, in that order. They stay in until they are removed.
func (l *leases) expired(now int64) (ts []row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var over []*held
	for len(l.ending) > 0 && l.ending[0].until <= now {
		h := heap.Pop(&l.ending).(*held)
		over = append(over, h)
		ts = append(ts, h.task)
	}
	for _, h := range over {
		heap.Push(&l.ending, h)
	}
	return ts
}

// endings is a heap of leases by when they end.
type endings []*held

func (e endings) Len() int { return len(e) }
func (e endings) Less(i, j int) bool {
	if e[i].until != e[j].until {
		return e[i].until < e[j].until
	}
	return e[i].task.seq < e[j].task.seq
}
func (e endings) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push and Pop are called by package heap.
func (e *endings) Push(x any) {
	h := x.(*held)
	h.index = len(*e)
	*e = append(*e, h)
}

// Pop takes the last one.
func (e *endings) Pop() any {
	last := len(*e) - 1
	h := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return h
}

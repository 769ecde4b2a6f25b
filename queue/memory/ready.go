package memory

import (
	"slices"
	"time"
)

// readyTasks are the tasks that can be claimed, in order of priority and place. The zero value is empty.
type readyTasks struct {
	levels []*level // highest priority first; empty ones stay, there are only so many priorities
	size   int
}

// level is one priority. Those that come in their turn stand in line, which is sorted because they come in their turn;
// the others are sorted by the heap.
type level struct {
	priority int
	line     list[entry, *entry]
	late     heap[*entry]
}

func (r *readyTasks) add(t *entry) {
	l := r.level(t.record.Info.Priority)
	if l.line.tail == nil || l.line.tail.place.before(t.place) {
		l.line.pushBack(t)
	} else {
		l.late.push(t, t.place)
	}
	r.size++
}

// take removes the next task; there must be one.
func (r *readyTasks) take() *entry {
	r.size--
	for _, l := range r.levels {
		switch {
		case l.line.head == nil && l.late.len() == 0:
			continue
		case l.late.len() == 0 || l.line.head != nil && l.line.head.place.before(l.late.first()):
			return l.line.popFront()
		default:
			return l.late.pop()
		}
	}
	panic("queue/memory: no ready task where there must be one")
}

// remove takes a task out.
func (r *readyTasks) remove(t *entry) {
	r.size--
	if l := r.level(t.record.Info.Priority); t.index >= 0 {
		l.late.remove(t.index)
	} else {
		l.line.remove(t)
	}
}

// oldest is when the ready task became due that did so first; those that are undoing do not count.
func (r *readyTasks) oldest() (first time.Duration, found bool) {
	consider := func(t *entry) bool {
		if t.state == ready && (!found || t.place.at < first) {
			first, found = t.place.at, true
		}
		return t.state == ready
	}
	for _, l := range r.levels {
		for t := l.line.head; t != nil && !consider(t); t = t.next {
		}
		for _, s := range l.late.slots {
			consider(s.item)
		}
	}
	return first, found
}

func (r *readyTasks) level(priority int) *level {
	for i, l := range r.levels {
		if l.priority == priority {
			return l
		}
		if l.priority < priority {
			r.levels = slices.Insert(r.levels, i, &level{priority: priority})
			return r.levels[i]
		}
	}
	r.levels = append(r.levels, &level{priority: priority})
	return r.levels[len(r.levels)-1]
}

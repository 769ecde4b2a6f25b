package memory

import (
	"slices"
	"time"
)

// readyTasks are the tasks that are due, in order of priority and place. The zero value is empty.
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

// first is the next task, nil when there is none.
func (r *readyTasks) first() *entry {
	for _, l := range r.levels {
		switch {
		case l.line.head == nil && l.late.len() == 0:
			continue
		case l.late.len() == 0 || l.line.head != nil && l.line.head.place.before(l.late.first()):
			return l.line.head
		default:
			return l.late.slots[0].item
		}
	}
	return nil
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

// oldest is when the task became due that did so first of those that are ready (undoing ones do not count), if that is before the instant given.
func (r *readyTasks) oldest(before time.Duration) time.Duration {
	for _, l := range r.levels {
		t := l.line.head
		for t != nil && t.state != ready {
			t = t.next
		}
		if t != nil {
			before = min(before, t.place.at)
		}
		for _, s := range l.late.slots {
			if s.item.state == ready {
				before = min(before, s.at)
			}
		}
	}
	return before
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

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

// level is one priority.
type level struct {
	priority int
	line
}

func (r *readyTasks) add(t *entry) {
	r.level(t.info.Priority).add(t)
	r.size++
}

// first is the next task, nil when there is none.
func (r *readyTasks) first() *entry {
	for _, l := range r.levels {
		if t := l.first(); t != nil {
			return t
		}
	}
	return nil
}

// remove takes a task out.
func (r *readyTasks) remove(t *entry) {
	r.size--
	r.level(t.info.Priority).remove(t)
}

// oldest is when the task became due that did so first of those that are ready (undoing ones do not count), if that is before the instant given.
func (r *readyTasks) oldest(before time.Duration) time.Duration {
	for _, l := range r.levels {
		for _, t := range l.row[l.head:] {
			if t != nil && t.state == ready {
				before = min(before, t.place.at)
				break
			}
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

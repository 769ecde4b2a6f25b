package memory

import "github.com/plba/plba/queue"

// group is what the living tasks of one group key share. Of those that are due, one at most stands among the tasks that can be claimed, and it is the one
// whose turn it is; the others wait behind it. So a group that has to wait costs the rest of the queue nothing.
type group struct {
	name    string
	members int        // living tasks
	leases  int        // of them, under a lease
	holder  *entry     // with strict order: the one that was claimed and has not ended
	front   *entry     // the one that can be claimed
	behind  readyTasks // the others that are due
}

// join makes the task a member of its group, if it has one.
func (e *engine) join(t *entry) {
	name := t.info.Group
	if name == "" {
		return
	}
	g := e.groups[name]
	if g == nil {
		g = &group{name: name}
		if e.groups == nil {
			e.groups = map[string]*group{}
		}
		e.groups[name] = g
	}
	g.members++
	t.group = g
}

// quit takes a task that has ended, or is forgotten, out of its group.
func (e *engine) quit(t *entry) {
	g := t.group
	if g == nil {
		return
	}
	t.group = nil
	if g.holder == t {
		g.holder = nil
	}
	if g.members--; g.members == 0 {
		delete(e.groups, g.name)
		return
	}
	e.align(g)
}

// align lets the task stand in front whose turn it is.
func (e *engine) align(g *group) {
	next := e.next(g)
	if next == g.front {
		return
	}
	if t := g.front; t != nil {
		e.ready.remove(t)
		t.spot = behind
		g.behind.add(t)
	}
	if next != nil {
		g.behind.remove(next)
		next.spot = claimable
		e.ready.add(next)
	}
	g.front = next
}

// next is the task of the group that can be claimed, nil when none can.
func (e *engine) next(g *group) *entry {
	if h := g.holder; h != nil {
		if h.spot == claimable || h.spot == behind {
			return h
		}
		return nil
	}
	if g.leases >= e.groupLimit {
		return nil
	}
	next := g.behind.first()
	if next == nil || g.front != nil && g.front.precedes(next) {
		return g.front
	}
	return next
}

// claimed notes that the group's front was taken.
func (e *engine) claimed(t *entry) {
	g := t.group
	if g == nil {
		return
	}
	g.front = nil
	g.leases++
	if e.order == queue.Strict {
		g.holder = t
	}
	e.align(g)
}

// precedes says whether t is to be claimed before u.
func (t *entry) precedes(u *entry) bool {
	if p, q := t.info.Priority, u.info.Priority; p != q {
		return p > q
	}
	return t.place.before(u.place)
}

package sqlite

import "github.com/plba/plba/queue"

// group is what is known of the tasks with one group key: how many are leased, and how many have been claimed and not ended since. Groups with none of these
// are not kept.
//
// A task that its group does not admit is parked when the writer comes across it: it leaves the index of those that can be claimed, so that a thousand tasks of
// one group do not stand in the way of the others. Whenever something of a group ends, the first one that is parked comes back. So as long as one is parked, at
// least as many can be claimed as the group has room for.
type group struct {
	leased, begun int64
}

// admits says whether the group of a task lets it be claimed now.
func (e *engine) admits(t *row) bool {
	g := e.groups[t.group]
	if e.order == queue.Strict {
		return g.leased == 0 && (g.begun == 0 || t.begun)
	}
	return g.leased < int64(e.limits.GroupLimit(e.order))
}

// accountGroup keeps the books of a group, and lets the next one of it go.
func (e *engine) accountGroup(b *batch, name string, old, t *row) {
	before := e.groups[name]
	g := before
	g.leased += number(t.leased()) - number(old.leased())
	g.begun += number(t.begun) - number(old.begun)
	if g != before {
		e.setGroup(name, g)
		b.onUndo(func() { e.setGroup(name, before) })
	}
	freed := g.leased < before.leased || g.begun < before.begun || old.stand == open && t.stand != open && !t.leased() && t.stand != parked
	if freed && e.stands[parked] > 0 {
		e.unpark(b, name)
	}
}

func (e *engine) setGroup(name string, g group) {
	if g == (group{}) {
		delete(e.groups, name)
	} else {
		e.groups[name] = g
	}
}

const (
	parkedRows = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_parked WHERE queue = ? AND stand = 3 AND grp = ? AND begun >= ?" +
		" ORDER BY priority DESC, due, seq LIMIT ?"
	nextParked = "SELECT grp FROM tasks INDEXED BY tasks_parked WHERE queue = ? AND stand = 3 AND grp > ? ORDER BY grp LIMIT 1"
)

// unpark lets the first of a group's parked tasks be claimed, if there is room. In a strict group with tasks that were claimed before, these go first; there are
// several only if the queue was not strict before.
func (e *engine) unpark(b *batch, name string) {
	begun := e.order == queue.Strict && e.groups[name].begun > 0
	if !e.admits(&row{group: name, begun: begun}) {
		return
	}
	for _, t := range b.rows(parkedRows, e.id, name, number(begun), int64(1)) {
		old := t
		t.stand = open
		e.put(b, &old, &t)
	}
}

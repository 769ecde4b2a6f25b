package sqlite

// put writes a task that was old and is t now, and keeps everything in step with it: counts, leases, groups, unique keys, and who may go next.
func (e *engine) put(b *batch, old, t *row) {
	if t.state == done && e.limits.KeepDone == 0 {
		e.forget(b, old)
		return
	}
	v := t.values()
	b.exec(updateRow, append(v[fixedCount:], t.n)...)
	e.account(b, old, t)
}

// add writes a new task; false: there is one with its ID.
func (e *engine) add(b *batch, t *row) bool {
	if b.exec(insertRow, t.values()...) == 0 {
		return false
	}
	e.account(b, &row{}, t)
	return true
}

// forget removes a task and all that belongs to it.
func (e *engine) forget(b *batch, t *row) {
	b.exec("DELETE FROM tasks WHERE n = ?", t.n)
	b.exec("DELETE FROM bodies WHERE n = ?", t.n)
	if t.failures > 0 {
		b.exec("DELETE FROM failures WHERE n = ?", t.n)
	}
	e.dropCheckpoints(b, t)
	e.account(b, t, &row{})
}

// account keeps the books of a change. A row without a state stands for no task: before it is added, and after it is forgotten.
func (e *engine) account(b *batch, old, t *row) {
	if b.err != nil {
		return
	}
	e.touch(b)
	e.counts[old.state]--
	e.counts[t.state]++
	e.stands[old.stand]--
	e.stands[t.stand]++
	if t.stand == waiting {
		e.nextDue = min(e.nextDue, t.due)
	}
	if !t.state.living() && t.state != 0 {
		e.keepUntil(t)
	}
	if old.state.living() && !t.state.living() && old.unique != "" {
		e.releaseKey(b, old)
	}
	e.accountLease(b, old, t)
	if old.group != "" {
		e.accountGroup(b, old.group, old, t)
	} else if t.group != "" {
		e.accountGroup(b, t.group, old, t)
	}
}

// accountLease lets a lease begin, end, or say something else of its task.
func (e *engine) accountLease(b *batch, old, t *row) {
	id := old.id
	was, is := old.leased(), t.leased()
	e.leased += number(is) - number(was)
	switch {
	case was && is:
		if before, ok := e.leases.replace(*t); ok {
			b.onUndo(func() { e.leases.replace(before) })
		}
	case was:
		e.leases.end(id, true)
		b.onUndo(func() { e.leases.end(id, false) })
		b.onCommit(func() { e.leases.remove(id) })
	}
}

package sqlite

import "time"

// keepUntil notes when a task that has ended is to be forgotten.
func (e *engine) keepUntil(t *row) {
	keep := e.limits.KeepDead
	if t.state == done {
		keep = e.limits.KeepDone
	}
	if keep > 0 {
		e.nextSweep = min(e.nextSweep, in(t.ended, keep))
	}
	if e.excess() > 0 {
		e.nextSweep = 0
	}
}

// excess is how many dead and cancelled tasks there are beyond their bound.
func (e *engine) excess() int64 {
	if e.limits.DeadLetters == 0 {
		return 0
	}
	return max(0, e.counts[dead]+e.counts[cancelled]-int64(e.limits.DeadLetters))
}

const (
	doneRows   = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_done WHERE queue = ? AND state = 6 ORDER BY seq LIMIT ?"
	buriedRows = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_buried WHERE queue = ? AND state > 6 ORDER BY seq LIMIT ?"

	endedKeys  = "SELECT key FROM keys INDEXED BY keys_ended WHERE queue = ?1 AND live = 0 AND until <= ?2 LIMIT ?3"
	expireKeys = "DELETE FROM keys WHERE queue = ?1 AND key IN (" + endedKeys + ")"
)

// sweep forgets what has been kept long enough, a portion at a time.
func (e *engine) sweep(b *batch) {
	if e.nextSweep > b.now {
		return
	}
	e.touch(b)
	e.nextSweep = never
	e.forgetEnded(b, doneRows, e.limits.KeepDone, 0)
	e.forgetEnded(b, buriedRows, e.limits.KeepDead, e.excess())
	if b.exec(expireKeys, e.id, b.now, int64(atOnce)) == atOnce {
		e.more = true
	}
	for _, until := range b.numbers("SELECT until FROM keys INDEXED BY keys_ended WHERE queue = ? AND live = 0 ORDER BY until LIMIT 1", e.id) {
		e.nextSweep = min(e.nextSweep, until)
	}
}

// forgetEnded forgets the first tasks that ended: so many in any case, and those that have been kept long enough. 0 keeps them.
func (e *engine) forgetEnded(b *batch, query string, keep time.Duration, excess int64) {
	if keep == 0 && excess == 0 {
		return
	}
	ended := b.rows(query, e.id, int64(atOnce))
	for _, t := range ended {
		until := never
		if keep > 0 {
			until = in(t.ended, keep)
		}
		if excess--; excess < 0 && until > b.now {
			e.nextSweep = min(e.nextSweep, until)
			return
		}
		e.forget(b, &t)
	}
	if len(ended) == atOnce {
		e.more = true
		e.nextSweep = 0
	}
}

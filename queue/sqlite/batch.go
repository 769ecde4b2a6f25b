package sqlite

import (
	"context"
	"database/sql/driver"
)

// batch is one transaction of the writer, with everything that has to be taken back when it fails. An error of the database sticks: what comes after it does
// nothing and gives zero values, so that the code of an operation reads as if there were none, and end tells.
type batch struct {
	*store
	now int64

	began, changed bool
	err            error
	undo           []func() // in memory, to be called backwards
	commit         []func() // called when everything is safe
	results        []result
}

// result is what became of a request.
type result struct {
	request  *request
	finished bool
	err      error
}

func (s *store) begin() *batch { return &batch{store: s, now: s.clock.now()} }

// fail makes an error stick.
func (b *batch) fail(err error) {
	if err != nil && b.err == nil {
		b.err = explain(b.path, err)
		b.note(b.err)
	}
}

// open begins the transaction with the first statement: a batch may do without.
func (b *batch) open() bool {
	if !b.began && b.err == nil {
		_, err := b.db.exec("BEGIN IMMEDIATE")
		b.fail(err)
		b.began = err == nil
	}
	return b.err == nil
}

// exec changes something and says how many rows were.
func (b *batch) exec(sql string, args ...driver.Value) int64 {
	if !b.open() {
		return 0
	}
	b.changed = true
	n, err := b.db.exec(sql, args...)
	b.fail(err)
	return n
}

// each calls f with the rows of a query. f must not change anything.
func (b *batch) each(f func(columns) error, sql string, args ...driver.Value) {
	if b.open() {
		b.fail(b.db.each(context.Background(), sql, args, f))
	}
}

// rows are the tasks that a query of rowColumns gives.
func (b *batch) rows(sql string, args ...driver.Value) (ts []row) {
	b.each(func(c columns) error {
		t, err := readRow(c)
		ts = append(ts, t)
		return err
	}, sql, args...)
	if b.err != nil {
		return nil
	}
	return ts
}

// numbers is the first column of a query.
func (b *batch) numbers(sql string, args ...driver.Value) (ns []int64) {
	b.each(func(c columns) error {
		ns = append(ns, c.int(0))
		return nil
	}, sql, args...)
	return ns
}

// number is the one number of a query that always gives one.
func (b *batch) number(sql string, args ...driver.Value) int64 {
	if ns := b.numbers(sql, args...); len(ns) == 1 {
		return ns[0]
	}
	return 0
}

// exists says whether a query gives anything.
func (b *batch) exists(sql string, args ...driver.Value) bool {
	return len(b.numbers(sql, args...)) > 0
}

// onUndo takes back in memory what the batch did there.
func (b *batch) onUndo(f func()) { b.undo = append(b.undo, f) }

// onCommit is for what counts only when it is safe.
func (b *batch) onCommit(f func()) { b.commit = append(b.commit, f) }

// attempt does a request.
func (b *batch) attempt(r *request) {
	if b.err == nil {
		finished, err := r.do(b)
		if finished {
			r.served = b
		}
		b.results = append(b.results, result{r, finished, err})
	}
}

// attend does those who wait in line, until one has to go on waiting.
func (b *batch) attend(l *line) {
	for i := 0; b.err == nil; i++ {
		r := b.nth(l, i)
		if r == nil {
			return
		}
		if r.served == b {
			continue
		}
		if b.attempt(r); r.served != b {
			return
		}
	}
}

const updateStore = "UPDATE store SET (clock, wall, seq, sum) = (?,?,?,?) WHERE one = 1"

// end commits, syncs and then answers; or it takes everything back.
func (b *batch) end() error {
	var version int64
	if b.began && b.err == nil {
		if b.changed {
			m := b.clock.mark()
			version = m.store
			b.exec(updateStore, m.store, m.wall, b.last.seq, sumOf(m.store, m.wall, b.last.seq))
		}
		if b.err == nil {
			_, err := b.db.exec("COMMIT")
			b.fail(err)
		}
	}
	if b.err != nil {
		if b.began {
			_ = b.db.script("ROLLBACK") // SQLite may have done so itself
		}
		for i := len(b.undo) - 1; i >= 0; i-- {
			b.undo[i]()
		}
		return b.err
	}
	for _, f := range b.commit {
		f()
	}
	for _, e := range b.engines {
		e.show()
	}
	if b.changed {
		b.setVersion(version)
	}
	for _, r := range b.results {
		switch {
		case r.request.closes:
			defer b.farewell(r.request) // when all others have been answered
		case r.finished:
			b.answer(r.request, r.err)
		default:
			b.letWait(r.request)
		}
	}
	return nil
}

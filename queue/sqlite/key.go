package sqlite

import (
	"database/sql/driver"
	"fmt"
)

// key is a unique key: whose it is, and how long it counts.
type key struct {
	queue int64
	name  string
	id    string // of the task
	live  bool   // the task lives
	until int64  // counts until then in any case
}

// counts says whether publishing with the key adds nothing.
func (k *key) counts(now int64) bool { return k.live || k.until > now }

const (
	keyColumns = "queue, key, id, live, until, sum"
	selectKey  = "SELECT " + keyColumns + " FROM keys WHERE queue = ? AND key = ?"
	replaceKey = "INSERT INTO keys (" + keyColumns + ") VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET" +
		" (id, live, until, sum) = (excluded.id, excluded.live, excluded.until, excluded.sum)"
)

func (k *key) values() []driver.Value {
	v := append(make([]driver.Value, 0, 6), k.queue, k.name, k.id, number(k.live), k.until)
	return append(v, sumOf(v...))
}

func readKey(c columns) (key, error) {
	k := key{queue: c.int(0), name: c.text(1), id: c.text(2), live: c.bool(3), until: c.int(4)}
	return k, checkSum(c, 5, func() string { return fmt.Sprintf("unique key %q", k.name) })
}

// keyOf is the key of that name, whether it counts or not.
func (e *engine) keyOf(b *batch, name string) (k key, found bool) {
	b.each(func(c columns) (err error) {
		k, err = readKey(c)
		found = err == nil
		return err
	}, selectKey, e.id, name)
	return k, found
}

// keyHolder is the ID of the task whose key of that name counts; "" when none does.
func (e *engine) keyHolder(b *batch, name string) string {
	if name == "" {
		return ""
	}
	if k, ok := e.keyOf(b, name); ok && k.counts(b.now) {
		return k.id
	}
	return ""
}

// claimKey makes a task's key count as long as it lives and at least until then. One that has been the task's before keeps its time.
func (e *engine) claimKey(b *batch, t *row, until int64) {
	k := key{queue: e.id, name: t.unique, id: t.id, live: true, until: until}
	if own, ok := e.keyOf(b, t.unique); ok && own.id == t.id {
		k.until = own.until
	}
	b.exec(replaceKey, k.values()...)
}

// releaseKey says that the key's task has ended.
func (e *engine) releaseKey(b *batch, t *row) {
	k, ok := e.keyOf(b, t.unique)
	switch {
	case !ok || k.id != t.id:
	case k.until <= b.now:
		b.exec("DELETE FROM keys WHERE queue = ? AND key = ?", e.id, t.unique)
	default:
		k.live = false
		b.exec(replaceKey, k.values()...)
		e.nextSweep = min(e.nextSweep, k.until)
	}
}

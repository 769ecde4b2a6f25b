package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/queue"
)

// publishing is what one call of Publish asks.
type publishing struct {
	e        *engine
	records  []queue.Record // not taken yet
	receipts []queue.Receipt
	wait     bool
}

// Publish implements queue.Engine. It returns when the tasks are synced to the disk.
func (e *engine) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	p := &publishing{e: e, records: rs, receipts: make([]queue.Receipt, 0, len(rs)), wait: wait}
	r := &request{engine: e, do: p.do}
	if wait {
		r.line = &e.publishers
	}
	for i := range rs {
		r.weight += len(rs[i].Payload.Bytes)
	}
	err := e.ask(ctx, r)
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		err = fmt.Errorf("waiting for room: %w", err)
	}
	return p.receipts, err
}

// do takes as many records as there is room for.
func (p *publishing) do(b *batch) (finished bool, err error) {
	if !p.wait {
		b.attend(&p.e.publishers) // who waits for room was here first
	}
	records, receipts := p.records, p.receipts
	b.onUndo(func() { p.records, p.receipts = records, receipts })
	for len(p.records) > 0 && b.err == nil {
		receipt, ok := p.e.accept(b, &p.records[0])
		if !ok {
			break
		}
		p.receipts = append(p.receipts, receipt)
		p.records = p.records[1:]
	}
	switch {
	case len(p.records) == 0:
		return true, nil
	case p.wait:
		return false, nil
	default:
		return true, queue.ErrFull
	}
}

// accept makes a task of a record, or finds the one that is there in its place; false: there is no room.
func (e *engine) accept(b *batch, r *queue.Record) (queue.Receipt, bool) {
	if holder := e.keyHolder(b, r.Info.Unique); holder != "" {
		return queue.Receipt{ID: holder, Existing: true}, true
	}
	if !e.room() {
		known := b.exists("SELECT n FROM tasks WHERE queue = ? AND id = ?", e.id, r.Info.ID)
		return queue.Receipt{ID: r.Info.ID, Existing: known}, known
	}
	b.last.n++
	t := row{
		n: b.last.n, queue: e.id, id: r.Info.ID, kind: r.Info.Kind, unique: r.Info.Unique, group: r.Info.Group,
		most: int64(r.Info.MaxAttempts), priority: int64(r.Info.Priority), enqueued: b.now,
	}
	e.wait(b, &t, scheduled, in(b.now, e.delay(r)))
	if !e.add(b, &t) {
		return queue.Receipt{ID: t.id, Existing: true}, true
	}
	e.addBody(b, &t, r)
	if t.unique != "" {
		e.claimKey(b, &t, in(b.now, r.UniqueFor))
	}
	e.touch(b)
	e.books.published++
	return queue.Receipt{ID: t.id}, true
}

func (e *engine) addBody(b *batch, t *row, r *queue.Record) {
	values, err := (&body{metadata: r.Info.Metadata, payload: r.Payload.Bytes}).values(t.n)
	if b.fail(err); err == nil {
		b.exec(insertBody, values...)
	}
}

// delay is how long the record has to wait. An instant is measured against the wall clock, once, here.
func (e *engine) delay(r *queue.Record) time.Duration {
	if r.Delay > 0 || r.Info.RunAt.IsZero() {
		return r.Delay
	}
	return e.clock.until(r.Info.RunAt)
}

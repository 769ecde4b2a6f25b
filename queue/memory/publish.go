package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba/queue"
)

// publisher waits for room. Whoever makes room takes its records for it, so nobody who comes later gets ahead.
type publisher struct {
	link     link[publisher]
	records  []queue.Record // not taken yet
	receipts []queue.Receipt
	err      error
	done     chan struct{} // closed when finished; receipts and err are final then
}

func (p *publisher) finish(err error) {
	p.err = err
	close(p.done)
}

// Publish implements queue.Engine.
func (e *engine) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := publisher{records: rs}
	waiting, err := e.offer(&p, wait)
	if waiting == nil {
		return p.receipts, err
	}
	select {
	case <-waiting.done:
	case <-ctx.Done():
		e.withdraw(waiting, ctx.Err())
	}
	return waiting.receipts, waiting.err
}

// offer takes what there is room for, and lets the publisher wait with the rest.
func (e *engine) offer(p *publisher, wait bool) (waiting *publisher, err error) {
	if err := e.enterAt(presentOf(p.records)); err != nil {
		return nil, err
	}
	defer e.leave()
	p.receipts = e.receiptsFor(len(p.records))
	e.take(p)
	if len(p.records) == 0 {
		return nil, nil
	}
	if !wait {
		return nil, queue.ErrFull
	}
	waiting = &publisher{records: p.records, receipts: p.receipts, done: make(chan struct{})}
	e.publishers.pushBack(&waiting.link, waiting)
	return waiting, nil
}

// presentOf is the present, as the publisher knows it or as the clock says.
func presentOf(rs []queue.Record) time.Time {
	if len(rs) > 0 && !rs[0].Made.IsZero() {
		return rs[0].Made
	}
	return time.Now()
}

// withdraw ends the wait of a publisher whose context has ended, unless it has just been served.
func (e *engine) withdraw(p *publisher, cause error) {
	if e.enter() != nil {
		return // Close has answered
	}
	defer e.leave()
	select {
	case <-p.done:
	default:
		e.publishers.remove(&p.link)
		p.finish(fmt.Errorf("waiting for room: %w", cause))
	}
}

// receiptsFor is room for n receipts; the room for those of single tasks is allocated for many of them at once.
func (e *engine) receiptsFor(n int) []queue.Receipt {
	const many = 64
	if n > many/4 {
		return make([]queue.Receipt, 0, n)
	}
	if len(e.receipts) < n {
		e.receipts = make([]queue.Receipt, many)
	}
	room := e.receipts[:0:n]
	e.receipts = e.receipts[n:]
	return room
}

// admit lets those who wait for room have it, in their order.
func (e *engine) admit() {
	for e.publishers.size > 0 {
		p := e.publishers.first()
		e.take(p)
		if len(p.records) > 0 {
			return
		}
		e.publishers.popFront().finish(nil)
	}
}

// take takes as many of p's records as there is room for.
func (e *engine) take(p *publisher) {
	for len(p.records) > 0 {
		r := &p.records[0]
		hash := e.tasks.hash(r.Info.ID)
		if id, ok := e.existing(r, hash); ok {
			p.receipts = append(p.receipts, queue.Receipt{ID: id, Existing: true})
		} else if e.room() {
			e.add(r, hash)
			p.receipts = append(p.receipts, queue.Receipt{ID: r.Info.ID})
		} else {
			return
		}
		p.records = p.records[1:]
	}
}

// existing is the task that is there already in the record's place.
func (e *engine) existing(r *queue.Record, hash uint64) (id string, ok bool) {
	if r.Info.Unique != "" {
		if held, ok := e.keys.find(r.Info.Unique); ok {
			return held.task, true
		}
	}
	return r.Info.ID, e.tasks.lookUp(r.Info.ID, hash) != nil
}

// room says whether one more task may live.
func (e *engine) room() bool {
	living := 0
	for s := range dead {
		living += e.counts[s]
	}
	return e.settings.Capacity == 0 || living < e.settings.Capacity
}

// add makes a task of the record.
func (e *engine) add(r *queue.Record, hash uint64) {
	e.published++
	e.counts[scheduled]++
	t := e.newEntry()
	t.set(r)
	t.info.EnqueuedAt = e.wall
	e.tasks.add(t, hash)
	e.join(t)
	if name := r.Info.Unique; name != "" {
		t.key = e.keys.claim(name, r.Info.ID, e.in(r.UniqueFor))
	}
	e.wait(t, scheduled, e.delay(r))
}

// delay is how long the record has to wait.
func (e *engine) delay(r *queue.Record) time.Duration {
	if r.Delay > 0 || r.Info.RunAt.IsZero() {
		return r.Delay
	}
	return r.Info.RunAt.Sub(e.wall)
}

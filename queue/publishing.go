package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Item is one value on its way into a queue, with what is said about it.
type Item[T any] struct {
	Value T
	// Options are those of the caller; of two that contradict each other the last counts, so a middleware appends what is to win.
	Options []SendOption
}

// Batch is what one call publishes; of PublishAll, one portion. It always has at least one item.
type Batch[T any] struct {
	Items []Item[T]
	to    delivery
}

// delivery says where a batch ends up.
type delivery struct {
	*binding
	publish func(ctx context.Context, e Engine, rs []Record) ([]Receipt, error)
	first   int // place of the first item among the values of PublishAll
	all     int // how many values PublishAll has; 0: another call
}

// PublishFunc publishes a batch, in order, and returns a receipt for each value that is safe: for an accepted prefix, and for all of them
// when err is nil.
type PublishFunc[T any] func(ctx context.Context, b *Batch[T]) ([]Receipt, error)

// PublishMiddleware goes around publishing. It may look at the values, change them, append options, refuse the batch with an error of its own
// by not calling next, and look at the receipts and the error. It is called by everything that publishes: Publish, Send and TrySend with one item,
// PublishAll with up to 1000 at a time, and what engines offer beyond that, such as publishing in a transaction of the application.
//
// It is made once for each queue, and then called by many goroutines at once. It must hand on the batch that it was given, or none.
//
//	Spec.Publishing: []queue.PublishMiddleware[Order]{audit, stamp}
//
// The first is the outermost: audit sees the values first and the receipts last. They run inside the span of publishing.
type PublishMiddleware[T any] func(next PublishFunc[T]) PublishFunc[T]

// around composes the middleware around the engine; nil when there is none.
func (q *Queue[T]) around() (PublishFunc[T], error) {
	if len(q.spec.Publishing) == 0 {
		return nil, nil
	}
	f := PublishFunc[T](q.deliver)
	for i, m := range slices.Backward(q.spec.Publishing) {
		if m == nil {
			return nil, fmt.Errorf("Spec.Publishing: middleware %d of %d is nil", i+1, len(q.spec.Publishing))
		}
		if f = m(f); f == nil {
			return nil, fmt.Errorf("Spec.Publishing: middleware %d of %d returned no function", i+1, len(q.spec.Publishing))
		}
	}
	return f, nil
}

// deliver is what the innermost middleware calls.
func (q *Queue[T]) deliver(ctx context.Context, b *Batch[T]) (all []Receipt, err error) {
	if b == nil || b.to.binding == nil || len(b.Items) == 0 {
		return nil, errors.New("a publishing middleware handed on a batch that it was not given, or one without items")
	}
	return q.deliverEach(ctx, b.to, len(b.Items), func(i int) (T, []SendOption) { return b.Items[i].Value, b.Items[i].Options })
}

// deliverEach makes records of n values and publishes them, as many as go to the engine at once. A value that cannot be published ends it;
// those before it are published first.
func (q *Queue[T]) deliverEach(ctx context.Context, to delivery, n int, item func(int) (T, []SendOption)) (all []Receipt, err error) {
	var room []Record
	if n >= chunkTasks/4 {
		shared := chunks.Get().(*[chunkTasks]Record)
		room = shared[:]
		defer func() {
			clear(room) // not to keep payloads alive
			chunks.Put(shared)
		}()
	} else {
		room = make([]Record, n)
	}
	for len(all) < n {
		rs, fault := q.chunk(ctx, to, room, len(all), n, item)
		if len(rs) > 0 {
			receipts, err := to.publish(ctx, to.engine, rs)
			if len(all) == 0 {
				all = receipts
			} else {
				all = append(all, receipts...)
			}
			if err == nil && len(receipts) != len(rs) {
				err = miscounted(len(receipts), len(rs))
			}
			if err != nil {
				return all, err
			}
		}
		if fault != nil {
			return all, fault
		}
	}
	return all, nil
}

// chunks are records for many tasks, to be used again: an engine does not keep what it is given.
var chunks = sync.Pool{New: func() any { return new([chunkTasks]Record) }}

// chunk makes records of the values from..n, as many as go to the engine at once, in the room that there is for them.
func (q *Queue[T]) chunk(ctx context.Context, to delivery, room []Record, from, n int, item func(int) (T, []SendOption)) (rs []Record, fault error) {
	rs = room[:0:min(n-from, len(room))]
	var ids idMaker
	now := to.clock.now()
	for size := 0; len(rs) < cap(rs) && size < chunkBytes; {
		i := len(rs)
		rs = rs[:i+1]
		v, opts := item(from + i)
		rs[i].Made = now
		if err := q.record(ctx, to.binding, v, opts, &ids, &rs[i]); err != nil {
			if to.all > 0 {
				err = fmt.Errorf("value %d of %d: %w", to.first+from+i, to.all, err)
			}
			return rs[:i], err
		}
		size += len(rs[i].Payload.Bytes)
	}
	return rs, nil
}

func miscounted(receipts, tasks int) error {
	if tasks == 1 {
		return fmt.Errorf("the engine gave %d receipts for one task", receipts)
	}
	return fmt.Errorf("the engine gave %d receipts for %d tasks", receipts, tasks)
}

// PublishVia publishes values through the queue's middleware, with publish in place of the engine's own: engines use it that can publish inside a
// transaction of the caller. publish is given the engine that the queue is bound to and the records, at most 1000 at a time, and answers like
// [Engine.Publish]. Errors are those of [Queue.Publish], and publish's.
func (q *Queue[T]) PublishVia(ctx context.Context, vs []T, opts []SendOption,
	publish func(ctx context.Context, e Engine, rs []Record) ([]Receipt, error)) (receipts []Receipt, err error) {
	b, err := q.open()
	if err != nil || len(vs) == 0 {
		return nil, err
	}
	ctx, span := b.startSend(ctx, q.name)
	defer func() { span.endBatch(len(receipts), err) }()
	to := delivery{binding: b, publish: publish}
	if len(vs) > 1 {
		to.all = len(vs)
	}
	receipts, err = q.publishMany(ctx, to, vs, opts)
	return receipts, named(q.name, err)
}

// publishMany publishes values in portions, each of them through the middleware.
func (q *Queue[T]) publishMany(ctx context.Context, to delivery, vs []T, opts []SendOption) (all []Receipt, err error) {
	if q.publish == nil {
		return q.deliverEach(ctx, to, len(vs), func(i int) (T, []SendOption) { return vs[i], opts })
	}
	for len(all) < len(vs) {
		portion := vs[len(all):min(len(vs), len(all)+chunkTasks)]
		b := &Batch[T]{Items: make([]Item[T], len(portion)), to: to}
		b.to.first = len(all)
		for i, v := range portion {
			b.Items[i] = Item[T]{v, slices.Clip(opts)}
		}
		receipts, err := q.publish(ctx, b)
		all = append(all, receipts...)
		if err == nil && len(receipts) != len(portion) {
			err = miscounted(len(receipts), len(portion))
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

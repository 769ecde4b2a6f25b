package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// What PublishAll hands to the engine at once: large enough to share the cost of a durable write, small enough not to hold
// a store for long.
const (
	chunkTasks = 1000
	chunkBytes = 4 << 20
)

// Publish adds one task and returns when it is as safe as the engine makes it. A full queue makes it wait until ctx ends. A value
// whose unique key counts already adds nothing, without an error. It has exactly this shape so that it fits a domain's own interface
// and a pipeline's last stage; [Queue.Send] can do more.
//
// Errors: [ErrNotOpen], [ErrClosed], [ErrTooLarge], [ErrInvalid], the context's, a codec's, a middleware's, an engine's.
func (q *Queue[T]) Publish(ctx context.Context, v T) error {
	_, err := q.sendOne(ctx, v, nil, true)
	return err
}

// Send is [Queue.Publish] with options and a receipt.
func (q *Queue[T]) Send(ctx context.Context, v T, opts ...SendOption) (Receipt, error) {
	return q.sendOne(ctx, v, opts, true)
}

// TrySend is [Queue.Send] that does not wait: on a full queue it returns [ErrFull].
func (q *Queue[T]) TrySend(ctx context.Context, v T, opts ...SendOption) (Receipt, error) {
	return q.sendOne(ctx, v, opts, false)
}

func (q *Queue[T]) sendOne(ctx context.Context, v T, opts []SendOption, wait bool) (receipt Receipt, err error) {
	b, err := q.open()
	if err != nil {
		return Receipt{}, err
	}
	ctx, span := b.startSend(ctx, q.name)
	defer func() { span.end(receipt, err) }()
	receipts, err := q.publishOne(ctx, b, v, opts, wait)
	if err == nil && len(receipts) != 1 {
		err = miscounted(len(receipts), 1)
	}
	if err != nil {
		return Receipt{}, named(q.name, err)
	}
	return receipts[0], nil
}

func (q *Queue[T]) publishOne(ctx context.Context, b *binding, v T, opts []SendOption, wait bool) ([]Receipt, error) {
	if q.publish != nil {
		items := []Item[T]{{v, slices.Clip(opts)}}
		return q.publish(ctx, &Batch[T]{Items: items, to: delivery{binding: b, publish: publishing(wait)}})
	}
	s := singles.Get().(*single)
	defer s.release()
	r := &s.record[0]
	r.Made = b.clock.now()
	if err := q.record(ctx, b, v, opts, &s.ids, r); err != nil {
		return nil, err
	}
	return b.engine.Publish(ctx, s.record[:], wait)
}

// single is what publishing one task needs, to be used again: an engine does not keep what it is given.
type single struct {
	record [1]Record
	ids    idMaker
}

// release lets others use it, without keeping the payload alive.
func (s *single) release() {
	p := &s.record[0].Payload
	if p.Value = nil; p.Bytes != nil {
		p.Bytes = nil
	}
	singles.Put(s)
}

var singles = sync.Pool{New: func() any { return new(single) }}

// publishing is the engine's own way of publishing.
func publishing(wait bool) func(context.Context, Engine, []Record) ([]Receipt, error) {
	return func(ctx context.Context, e Engine, rs []Record) ([]Receipt, error) { return e.Publish(ctx, rs, wait) }
}

// PublishAll adds many tasks, in order, in chunks. It is not atomic: n of them were accepted when it returns, the first n. It
// waits on a full queue until ctx ends. Errors are those of [Queue.Publish]; one that concerns a single value names its index.
func (q *Queue[T]) PublishAll(ctx context.Context, vs []T) (n int, err error) {
	b, err := q.open()
	if err != nil || len(vs) == 0 {
		return 0, err
	}
	ctx, span := b.startSend(ctx, q.name)
	defer func() { span.endBatch(n, err) }()
	receipts, err := q.publishMany(ctx, delivery{binding: b, publish: publishing(true), all: len(vs)}, vs, nil)
	return len(receipts), named(q.name, err)
}

// record fills in the engine's record of a value; that it was made now is there already.
func (q *Queue[T]) record(ctx context.Context, b *binding, v T, opts []SendOption, ids *idMaker, r *Record) (err error) {
	s := sending{keyFor: q.spec.UniqueFor}
	if q.spec.Unique != nil {
		s.key = q.spec.Unique(v)
	}
	if q.spec.Group != nil {
		s.group = q.spec.Group(v)
	}
	if len(opts) > 0 {
		s = s.with(opts)
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.group != "" && q.Requires().Missing(Grouped) != 0 {
		return fmt.Errorf("%w: the task has a group key, but the queue's spec neither has Group nor Requires queue.Grouped", ErrInvalid)
	}
	if !b.Encode {
		r.Payload.Value = v
	} else if r.Payload.Bytes, err = q.encode(b, v); err != nil {
		return err
	}
	i := &r.Info // perhaps of another task before: what is the same is not written, which spares the garbage collector
	i.ID, i.MaxAttempts, i.Priority = ids.make(r.Made), MaxAttempts, s.priority
	change(&i.Queue, q.name)
	change(&i.Kind, q.spec.Kind)
	change(&i.Unique, s.key)
	change(&i.Group, s.group)
	if metadata := inject(ctx, s.metadata); metadata != nil || i.Metadata != nil {
		i.Metadata = metadata
	}
	if !s.at.IsZero() || !i.RunAt.IsZero() {
		i.RunAt = s.at
	}
	r.Delay, r.UniqueFor = s.delay, s.keyFor
	return nil
}

func change(to *string, from string) {
	if *to != from {
		*to = from
	}
}

func (q *Queue[T]) encode(b *binding, v T) ([]byte, error) {
	data, err := q.marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%T cannot be encoded: %w", v, err)
	}
	if len(data) > b.MaxPayload {
		return nil, fmt.Errorf("%w: the encoded %T has %d bytes, allowed are %d; keep large things elsewhere and publish a reference",
			ErrTooLarge, v, len(data), b.MaxPayload)
	}
	return data, nil
}

func (q *Queue[T]) marshal(v T) ([]byte, error) {
	if q.spec.Codec == nil {
		return jsonCodec{}.Encode(&v)
	}
	return q.spec.Codec.Encode(v)
}

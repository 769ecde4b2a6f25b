package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plba/plba/task"
)

// maxCause is how much of an error text is kept with a task.
const maxCause = 4 << 10

// Delivery is one task under a lease, with its value.
type Delivery[T any] struct {
	Token
	Info  task.Info
	Value T
	// Err says that the payload could not be read; Value is zero then. The task is leased all the same: whoever received it
	// decides, usually for a retry, because another version of the program may read it.
	Err   error
	Until time.Duration // how long the lease lasts, from the moment Receive returned
}

// Receive waits until a task is ready, or until ctx ends, and claims up to max of them for the length of lease. Workers call
// it. Each delivery is to be ended by [Queue.Complete]; before the lease ends by [Queue.Renew], or else the task goes to
// another and this attempt counts as failed.
func (q *Queue[T]) Receive(ctx context.Context, max int, lease time.Duration) ([]Delivery[T], error) {
	leases, err := q.Claim(ctx, max, lease)
	if err != nil {
		return nil, err
	}
	deliveries := make([]Delivery[T], len(leases))
	for i := range leases {
		l, d := &leases[i], &deliveries[i]
		d.Token, d.Info, d.Until = l.Token, l.Info, l.Until
		d.Value, d.Err = q.Value(l)
	}
	return deliveries, nil
}

// Claim is [Queue.Receive] for those who read the payloads themselves, with [Queue.Value]. There is at least one lease, or an error.
func (q *Queue[T]) Claim(ctx context.Context, max int, lease time.Duration) ([]Lease, error) {
	b, err := q.open()
	if err != nil {
		return nil, err
	}
	leases, err := b.engine.Receive(ctx, max, lease)
	if err == nil && len(leases) == 0 {
		err = errors.New("the engine handed out nothing, without an error")
	}
	if err != nil {
		return nil, named(q.name, err)
	}
	return leases, nil
}

// Value reads the payload of a lease. The error is that of [Delivery].Err.
func (q *Queue[T]) Value(l *Lease) (T, error) {
	b, err := q.open()
	if err != nil {
		var zero T
		return zero, err
	}
	if v, ok := l.Payload.Value.(T); ok && !b.Encode && l.Info.Kind == q.spec.Kind {
		return v, nil // the usual way in one process
	}
	return q.read(b, l)
}

func (q *Queue[T]) read(b *binding, l *Lease) (v T, err error) {
	if err := q.decode(b, l.Info.Kind, l.Payload, &v); err != nil {
		var zero T
		return zero, named(q.name, fmt.Errorf("task %s: %w", l.ID, err))
	}
	return v, nil
}

// decode reads the payload. A panic of the codec, or of a type's own method, concerns this task alone.
func (q *Queue[T]) decode(b *binding, kind string, p Payload, into *T) (err error) {
	var older func([]byte) (T, error)
	if kind != q.spec.Kind {
		if older = q.spec.Decode[kind]; older == nil || !b.Encode {
			return fmt.Errorf("%w %q, this queue reads %s", ErrUnknownKind, kind, q.kinds(b))
		}
	}
	if !b.Encode {
		v, ok := p.Value.(T)
		if !ok && p.Value != nil {
			return fmt.Errorf("the payload is a %T, this queue carries %s", p.Value, q.Type())
		}
		*into = v
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoding %s panicked: %v", q.Type(), p)
		}
	}()
	if older != nil {
		if *into, err = older(p.Bytes); err != nil {
			return fmt.Errorf("the payload of kind %q cannot be decoded as %s: %w", kind, q.Type(), err)
		}
		return nil
	}
	if err := q.codec().Decode(p.Bytes, into); err != nil {
		return fmt.Errorf("the payload cannot be decoded as %s: %w", q.Type(), err)
	}
	return nil
}

// kinds lists what the queue reads: its own kind first.
func (q *Queue[T]) kinds(b *binding) string {
	text := strconv.Quote(q.spec.Kind)
	if b.Encode {
		for _, kind := range slices.Sorted(maps.Keys(q.spec.Decode)) {
			text += ", " + strconv.Quote(kind)
		}
	}
	return text
}

func (q *Queue[T]) codec() Codec {
	if q.spec.Codec != nil {
		return q.spec.Codec
	}
	return jsonCodec{}
}

// Renew lets the leases end lease from now and tells which are lost, and which tasks an operator wants to end: the handlers of both must stop.
func (q *Queue[T]) Renew(ctx context.Context, ts []Token, lease time.Duration) (Renewed, error) {
	b, err := q.open()
	if err != nil {
		return Renewed{}, err
	}
	renewed, err := b.engine.Renew(ctx, ts, lease)
	return renewed, named(q.name, err)
}

// Complete ends leases and returns the tokens of those that were lost before: for them nothing changed. Causes longer
// than 4 KiB are cut.
func (q *Queue[T]) Complete(ctx context.Context, cs []Completion) (lost []Token, err error) {
	b, err := q.open()
	if err != nil {
		return nil, err
	}
	for i := range cs {
		cs[i].Cause = storable(cs[i].Cause)
	}
	lost, err = b.engine.Complete(ctx, cs)
	return lost, named(q.name, err)
}

// storable cuts and mends a text so that every engine keeps it as it is.
func storable(cause string) string {
	if len(cause) > maxCause {
		cause = cause[:maxCause] + "…"
	}
	if plain(cause) {
		return cause
	}
	return strings.ToValidUTF8(strings.ReplaceAll(cause, "\x00", "\uFFFD"), "\uFFFD")
}

// Checkpoints gives what is kept with the task of that lease, fenced by the token; nil when the engine keeps none.
// It does not outlive the binding.
func (q *Queue[T]) Checkpoints(t Token) task.Checkpoints {
	b, err := q.open()
	if err != nil {
		return unopened{err}
	}
	if c := b.engine.Checkpoints(t); c != nil {
		return namedCheckpoints{queue: q.name, inner: c}
	}
	return nil
}

// unopened are the checkpoints of a queue without an engine.
type unopened struct{ err error }

func (u unopened) Load(context.Context, string, any) (bool, error) { return false, u.err }
func (u unopened) Save(context.Context, string, any) error         { return u.err }
func (u unopened) Forget(context.Context, string) error            { return u.err }
func (u unopened) List(context.Context, string) ([]string, error)  { return nil, u.err }

// namedCheckpoints checks paths and puts the queue's name in front of errors.
type namedCheckpoints struct {
	queue string
	inner task.Checkpoints
}

func (c namedCheckpoints) Load(ctx context.Context, path string, into any) (bool, error) {
	if !plain(path) { // nothing can have been saved there
		return false, nil
	}
	found, err := c.inner.Load(ctx, path, into)
	return found, named(c.queue, err)
}

func (c namedCheckpoints) Save(ctx context.Context, path string, v any) error {
	if path == "" || !plain(path) {
		return named(c.queue, fmt.Errorf("%w: checkpoint path %q", ErrInvalid, path))
	}
	return named(c.queue, c.inner.Save(ctx, path, v))
}

func (c namedCheckpoints) Forget(ctx context.Context, prefix string) error {
	if !plain(prefix) {
		return nil
	}
	return named(c.queue, c.inner.Forget(ctx, prefix))
}

func (c namedCheckpoints) List(ctx context.Context, prefix string) ([]string, error) {
	if !plain(prefix) {
		return nil, nil
	}
	paths, err := c.inner.List(ctx, prefix)
	return paths, named(c.queue, err)
}

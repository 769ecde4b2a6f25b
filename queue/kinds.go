package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/plba/plba/task/encodable"
)

// Message is what a queue of several kinds carries: a Queue[Message]. It is made and read by a [Kind].
type Message struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Kind is one of the kinds of a Queue[Message]: its name, and the type T of its payload, encoded as JSON whatever the engine. Publisher and
// handler share it, so they cannot disagree.
type Kind[T any] struct{ name string }

// KindOf makes the kind of that name with payloads of T. It never fails, so that a kind can stand in a variable of a package; [Kind.Check]
// tells its faults.
func KindOf[T any](name string) Kind[T] { return Kind[T]{name} }

// Name is the kind's name.
func (k Kind[T]) Name() string { return k.name }

// Check finds the faults of the kind: a bad name, and every part of T that cannot be encoded.
func (k Kind[T]) Check() error {
	var name error
	if !validName(k.name) {
		name = fmt.Errorf("kind %q: %s", k.name, nameRule)
	}
	return errors.Join(name, encodable.Check(reflect.TypeFor[T]()))
}

// Message encodes v, to be published to a Queue[Message].
func (k Kind[T]) Message(v T) (Message, error) {
	body, err := json.Marshal(&v)
	if err != nil {
		return Message{}, fmt.Errorf("kind %s: %T cannot be encoded: %w", k.name, v, err)
	}
	return Message{k.name, body}, nil
}

// Publish adds one task of this kind to q; see [Queue.Publish].
func (k Kind[T]) Publish(ctx context.Context, q *Queue[Message], v T) error {
	_, err := k.Send(ctx, q, v)
	return err
}

// Send is [Kind.Publish] with options and a receipt.
func (k Kind[T]) Send(ctx context.Context, q *Queue[Message], v T, opts ...SendOption) (Receipt, error) {
	m, err := k.Message(v)
	if err != nil {
		return Receipt{}, named(q.name, err)
	}
	return q.Send(ctx, m, opts...)
}

// Value decodes a message of this kind. One of another kind is [ErrUnknownKind].
func (k Kind[T]) Value(m Message) (T, error) {
	var v, zero T
	if m.Kind != k.name {
		return zero, fmt.Errorf("%w %q, this is %q", ErrUnknownKind, m.Kind, k.name)
	}
	if err := json.Unmarshal(m.Body, &v); err != nil {
		return zero, fmt.Errorf("kind %s: the payload cannot be decoded as %T: %w", k.name, v, err)
	}
	return v, nil
}

package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/plba/plba/task/encodable"
)

// Spec is what the author says of a queue; what operators say is in the section platform.queues. The zero value is a plain
// queue.
type Spec[T any] struct {
	// Kind names the payload's schema and is kept with each task. Default: the queue's name. A task of another kind is
	// delivered with [ErrUnknownKind].
	Kind string
	// Unique gives a value's unique key: while the key counts, publishing another value with it returns the task that
	// has it. "" means none. It must depend on the value alone. Default: no task is unique.
	Unique func(T) string
	// UniqueFor is how long a key counts from publishing on, also when its task has ended. Default 0: as long as the task
	// lives, which is the least in any case. A dead letter does not live.
	UniqueFor time.Duration
	// Group gives a value's group key: tasks with one key are limited and ordered among themselves, as Order and the setting group_running
	// say. "" means none. It must depend on the value alone. Default: no task belongs to a group. An engine that is not [Grouped] is then a fault at
	// registration.
	Group func(T) string
	// Order is how tasks of one group follow each other. Default: [Unordered].
	Order Order
	// Requires is what the engine must be able to do; that it cannot is a fault at registration.
	Requires Capabilities
	// Codec encodes payloads for engines that need it, and vouches that T can be encoded. Default: encoding/json, which For
	// checks T against.
	Codec Codec
	// Decode reads payloads that were published with an older Kind, by that kind; the worker is given the T that comes out. It is for engines that encode:
	// values that travel as they are have no older schema.
	Decode map[string]func([]byte) (T, error)
	// Publishing goes around publishing, the first outermost. Default: nothing, at no cost.
	Publishing []PublishMiddleware[T]
}

// Codec turns values into bytes and back. Its methods must be safe for concurrent use and keep no reference to their arguments.
type Codec interface {
	// Encode is given a T.
	Encode(v any) ([]byte, error)
	// Decode is given a pointer to a zero T.
	Decode(data []byte, into any) error
}

// jsonCodec is the default; publish gives it a pointer, so that methods on pointers are found.
type jsonCodec struct{}

func (jsonCodec) Encode(v any) ([]byte, error)    { return json.Marshal(v) }
func (jsonCodec) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// check finds all faults of the spec for T, in a queue whose kind is current.
func (s *Spec[T]) check(current string) error {
	var faults []error
	if s.Kind != "" && !validName(s.Kind) {
		faults = append(faults, fmt.Errorf("Spec.Kind %q: %s", s.Kind, nameRule))
	}
	if s.UniqueFor < 0 {
		faults = append(faults, fmt.Errorf("Spec.UniqueFor is %s: it must not be negative", s.UniqueFor))
	}
	if s.Order > Strict {
		faults = append(faults, fmt.Errorf("Spec.Order is %d: it must be Unordered or Strict", s.Order))
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Decode)) {
		switch {
		case !validName(kind):
			faults = append(faults, fmt.Errorf("Spec.Decode[%q]: %s", kind, nameRule))
		case s.Decode[kind] == nil:
			faults = append(faults, fmt.Errorf("Spec.Decode[%q] is nil", kind))
		case kind == current:
			faults = append(faults, fmt.Errorf("Spec.Decode[%q]: that is the queue's own kind, which Spec.Codec decodes", kind))
		}
	}
	if s.Codec == nil {
		faults = append(faults, encodable.Check(reflect.TypeFor[T]()))
	}
	return errors.Join(faults...)
}

const nameRule = "a name has 1 to 100 characters of a-z, 0-9, _, . and -, and begins with a letter or a digit"

func validName(name string) bool {
	if name == "" || len(name) > 100 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || c != '_' && c != '.' && c != '-') {
			return false
		}
	}
	return true
}

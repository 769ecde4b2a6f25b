package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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
	// Requires is what the engine must be able to do; that it cannot is a fault at registration.
	Requires Capabilities
	// Codec encodes payloads for engines that need it, and vouches that T can be encoded. Default: encoding/json, which For
	// checks T against.
	Codec Codec
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

// check finds all faults of the spec for T.
func (s *Spec[T]) check() error {
	var faults []error
	if s.Kind != "" && !validName(s.Kind) {
		faults = append(faults, fmt.Errorf("Spec.Kind %q: %s", s.Kind, nameRule))
	}
	if s.UniqueFor < 0 {
		faults = append(faults, fmt.Errorf("Spec.UniqueFor is %s: it must not be negative", s.UniqueFor))
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

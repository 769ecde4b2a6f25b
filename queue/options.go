package queue

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what a task carries. They are the same for all engines.
const (
	MaxPayload    = 1 << 20  // bytes of an encoded payload, unless the queue's configuration says otherwise
	MaxMetadata   = 16 << 10 // bytes of all metadata keys and values of a task
	MaxUniqueKey  = 512      // bytes
	MaxGroupKey   = 512      // bytes
	MaxCheckpoint = 1 << 20  // bytes of one encoded checkpoint
	MaxPriority   = 100      // priorities go from -MaxPriority to MaxPriority
)

// maxTraceValue is the longest trace header that is passed on; W3C asks for 512 at least.
const maxTraceValue = 512

// SendOption says more about one task. The last of several that contradict each other counts.
type SendOption interface{ send(*sending) }

// sending is what options and spec say about one task.
type sending struct {
	at       time.Time
	delay    time.Duration
	priority int
	metadata map[string]string
	key      string
	keyFor   time.Duration
	group    string
}

// with adds what options say. It is apart because what options are handed escapes to the heap, and most tasks have none.
func (s sending) with(opts []SendOption) sending {
	for _, o := range opts {
		o.send(&s)
	}
	return s
}

type sendFunc func(*sending)

func (f sendFunc) send(s *sending) { f(s) }

// At makes the task due at t, by the engine's clock. An instant in the past means now.
func At(t time.Time) SendOption {
	return sendFunc(func(s *sending) { s.at, s.delay = t, 0 })
}

// After makes the task due d after it is published. d <= 0 means now.
func After(d time.Duration) SendOption {
	return sendFunc(func(s *sending) { s.at, s.delay = time.Time{}, max(d, 0) })
}

// Priority lets the task go before those with a smaller one; the default is 0. Allowed is -[MaxPriority] to [MaxPriority].
func Priority(p int) SendOption {
	return sendFunc(func(s *sending) { s.priority = p })
}

// Metadata adds one entry that travels with the task and shows in task.Info. Keys and values are UTF-8 without NUL, together
// at most [MaxMetadata]. The W3C trace headers are for the platform: one that has a line break or more than 512 bytes is dropped.
func Metadata(key, value string) SendOption {
	return sendFunc(func(s *sending) {
		if s.metadata == nil {
			s.metadata = make(map[string]string, 4)
		}
		s.metadata[key] = value
	})
}

// UniqueKey replaces the key that Spec.Unique gives; "" means that this task is not unique.
func UniqueKey(key string) SendOption {
	return sendFunc(func(s *sending) { s.key = key })
}

// UniqueFor is how long this task's unique key counts from publishing on, in place of Spec.UniqueFor; it counts at least as long as the
// task lives. A negative d is [ErrInvalid].
func UniqueFor(d time.Duration) SendOption {
	return sendFunc(func(s *sending) { s.keyFor = d })
}

// GroupKey replaces the key that Spec.Group gives; "" means that this task belongs to no group. It is [ErrInvalid] for a queue whose spec neither has
// Group nor requires [Grouped].
func GroupKey(key string) SendOption {
	return sendFunc(func(s *sending) { s.group = key })
}

// check refuses what not every engine could keep as it is.
func (s *sending) check() error {
	if s.priority < -MaxPriority || s.priority > MaxPriority {
		return fmt.Errorf("%w: priority %d is not between -%d and %d", ErrInvalid, s.priority, MaxPriority, MaxPriority)
	}
	if s.keyFor < 0 {
		return fmt.Errorf("%w: a unique key cannot count for %s", ErrInvalid, s.keyFor)
	}
	if err := checkKey("unique key", s.key, MaxUniqueKey); err != nil {
		return err
	}
	if err := checkKey("group key", s.group, MaxGroupKey); err != nil {
		return err
	}
	return checkMetadata(s.metadata)
}

func checkKey(what, key string, most int) error {
	switch {
	case key == "":
		return nil
	case len(key) > most:
		return fmt.Errorf("%w: the %s has %d bytes, allowed are %d", ErrTooLarge, what, len(key), most)
	case !plain(key):
		return fmt.Errorf("%w: %s %q: not UTF-8, or with a NUL", ErrInvalid, what, key)
	default:
		return nil
	}
}

func checkMetadata(metadata map[string]string) error {
	if len(metadata) == 0 {
		return nil
	}
	size := 0
	for key, value := range metadata {
		if isTraceHeader(key) && (len(value) > maxTraceValue || strings.ContainsAny(value, "\r\n")) {
			delete(metadata, key)
			continue
		}
		switch {
		case key == "":
			return fmt.Errorf("%w: metadata with an empty key", ErrInvalid)
		case !plain(key):
			return fmt.Errorf("%w: metadata key %q: not UTF-8, or with a NUL", ErrInvalid, key)
		case !plain(value):
			return fmt.Errorf("%w: metadata %q: the value is not UTF-8, or has a NUL", ErrInvalid, key)
		}
		size += len(key) + len(value)
	}
	if size > MaxMetadata {
		return fmt.Errorf("%w: the metadata has %d bytes, allowed are %d", ErrTooLarge, size, MaxMetadata)
	}
	return nil
}

func isTraceHeader(key string) bool {
	switch strings.ToLower(key) {
	case "traceparent", "tracestate", "baggage":
		return true
	default:
		return false
	}
}

// plain is true for text that every engine keeps as it is.
func plain(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

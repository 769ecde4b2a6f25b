package queue

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MaxShown is how many bytes of a payload are shown to people.
const MaxShown = 64 << 10

// Shown is a payload as people see it.
type Shown struct {
	// JSON is always valid JSON: the payload, if it can be rendered so and is not too large; otherwise a string with its beginning.
	JSON json.RawMessage `json:"json"`
	// Bytes is the size of the whole.
	Bytes int `json:"bytes"`
	// Cut: JSON is a string with the first [MaxShown] bytes.
	Cut bool `json:"cut"`
	// Error says why the payload could not be read as the queue's type; "" if it could.
	Error string `json:"error,omitempty"`
}

// Show renders the payload of a task, as [Queue.Task] gave it: as JSON, whatever the codec, as far as it can be read. It never fails and never panics.
func (q *Queue[T]) Show(t Task) Shown {
	data, err := q.render(t)
	s := Shown{Bytes: len(data)}
	if err != nil {
		s.Error = err.Error()
	}
	if s.Cut = len(data) > MaxShown; s.Cut {
		data = data[:MaxShown]
	}
	if s.Cut || !json.Valid(data) {
		data, _ = json.Marshal(strings.ToValidUTF8(string(data), "\uFFFD")) // a string can always be encoded
	}
	s.JSON = data
	return s
}

// render gives the payload's bytes: those that are JSON as they are, everything else by way of the value.
func (q *Queue[T]) render(t Task) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = t.Payload.Bytes, fmt.Errorf("rendering %s panicked: %v", q.Type(), p)
		}
	}()
	encoded := t.Payload.Bytes != nil
	if encoded && json.Valid(t.Payload.Bytes) {
		return t.Payload.Bytes, nil
	}
	var v T
	if err := q.decode(&binding{Binding: Binding{Encode: encoded}}, t.Info.Kind, t.Payload, &v); err != nil {
		return t.Payload.Bytes, err
	}
	if data, err = json.Marshal(&v); err != nil {
		return fmt.Appendf(nil, "%+v", v), fmt.Errorf("%s cannot be shown as JSON: %w", q.Type(), err)
	}
	return data, nil
}

package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func TestValuesTravel(t *testing.T) {
	for name, encode := range map[string]bool{"as they are": false, "encoded": true} {
		t.Run(name, func(t *testing.T) {
			q, _ := bound[*mail](t, queue.Binding{Encode: encode})
			sent := &mail{"sales", 7}
			for _, v := range []*mail{sent, nil} {
				if err := q.Publish(t.Context(), v); err != nil {
					t.Fatal(err)
				}
			}
			d := receiveOne(t, q)
			if d.Err != nil || *d.Value != *sent || (d.Value == sent) == encode {
				t.Errorf("%+v, %v, the same pointer: %t", d.Value, d.Err, d.Value == sent)
			}
			if d.Info.Attempt != 1 || d.Info.ID != d.ID || d.Until != time.Minute || d.Info.Kind != "mails" {
				t.Errorf("delivery %+v", d)
			}
			if d := receiveOne(t, q); d.Err != nil || d.Value != nil {
				t.Errorf("nil came as %+v, %v", d.Value, d.Err)
			}
		})
	}
}

func TestInterfaceValuesTravel(t *testing.T) {
	q, _ := bound[any](t, queue.Binding{})
	for _, v := range []any{nil, 7} {
		if err := q.Publish(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if d := receiveOne(t, q); d.Err != nil || d.Value != v {
			t.Errorf("%v came as %v, %v", v, d.Value, d.Err)
		}
	}
}

// sealed is a codec that goes wrong when asked to.
type sealed struct{}

func (sealed) Encode(v any) ([]byte, error) { return fmt.Append(nil, "sealed:", v), nil }

func (sealed) Decode(data []byte, into any) error {
	text, ok := strings.CutPrefix(string(data), "sealed:")
	switch {
	case !ok:
		return errors.New("no seal")
	case text == "bomb":
		panic("boom")
	}
	*into.(*string) = text
	return nil
}

func TestUnreadablePayloads(t *testing.T) {
	for _, c := range []struct {
		name   string
		bend   func(*queue.Lease)
		encode bool
		text   string
		kind   bool
	}{
		{"no JSON", func(l *queue.Lease) { l.Payload.Bytes = []byte(`{"Account":`) }, true,
			"the payload cannot be decoded as queue_test.mail: unexpected end of JSON input", false},
		{"another type", func(l *queue.Lease) { l.Payload.Bytes = []byte(`{"UID":"x"}`) }, true,
			"the payload cannot be decoded as queue_test.mail: json: cannot unmarshal string into Go struct field mail.UID of type uint32", false},
		{"another value", func(l *queue.Lease) { l.Payload.Value = 7 }, false,
			"the payload is a int, this queue carries queue_test.mail", false},
		{"another kind", func(l *queue.Lease) { l.Info.Kind = "mail-v9" }, true,
			`unknown kind "mail-v9", this queue reads "mails"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, s := bound[mail](t, queue.Binding{Encode: c.encode})
			s.bend = c.bend
			if n, err := q.PublishAll(t.Context(), []mail{{"sales", 1}}); n != 1 || err != nil {
				t.Fatal(err)
			}
			d := receiveOne(t, q)
			if d.Err == nil || d.Err.Error() != "queue mails: task "+d.ID+": "+c.text || d.Value != (mail{}) {
				t.Errorf("value %+v, error %v", d.Value, d.Err)
			}
			if errors.Is(d.Err, queue.ErrUnknownKind) != c.kind {
				t.Errorf("%v is ErrUnknownKind: %t", d.Err, !c.kind)
			}
			lost, err := q.Complete(t.Context(), []queue.Completion{{Token: d.Token, Outcome: task.Retry, Counted: true}})
			if len(lost) != 0 || err != nil {
				t.Errorf("the task is not leased: %v, %v", lost, err)
			}
		})
	}
}

func TestCodec(t *testing.T) {
	q, s := bound(t, queue.Binding{Encode: true}, queue.Spec[string]{Codec: sealed{}})
	for _, v := range []string{"letter", "bomb"} {
		if err := q.Publish(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(s.records[0].Payload.Bytes); got != "sealed:letter" {
		t.Errorf("payload %q", got)
	}
	if d := receiveOne(t, q); d.Err != nil || d.Value != "letter" {
		t.Errorf("%q, %v", d.Value, d.Err)
	}
	if d := receiveOne(t, q); d.Err == nil || !strings.HasSuffix(d.Err.Error(), "decoding string panicked: boom") {
		t.Errorf("a panic in the codec: %v", d.Err)
	}
	// A codec vouches for its type, so For does not look at it.
	if _, err := queue.For("chans", queue.Spec[chan int]{Codec: sealed{}}); err != nil {
		t.Error(err)
	}
}

// pointed encodes itself with a method on the pointer.
type pointed struct{ text string }

func (p *pointed) MarshalText() ([]byte, error) { return []byte(p.text), nil }
func (p *pointed) UnmarshalText(b []byte) error { p.text = string(b); return nil }

func TestMethodsOnPointersAreFound(t *testing.T) {
	q, _ := bound[pointed](t, queue.Binding{Encode: true})
	if err := q.Publish(t.Context(), pointed{"abc"}); err != nil {
		t.Fatal(err)
	}
	if d := receiveOne(t, q); d.Err != nil || d.Value.text != "abc" {
		t.Errorf("%+v, %v", d.Value, d.Err)
	}
}

func TestCausesAreStorable(t *testing.T) {
	q, _ := bound[mail](t, queue.Binding{})
	long := strings.Repeat("é", 3000)
	causes := []string{"plain", "NUL \x00 and \xff", long}
	want := []string{"plain", "NUL \uFFFD and \uFFFD", long[:4096] + "…"}
	if err := q.Publish(t.Context(), mail{}); err != nil {
		t.Fatal(err)
	}
	var id string
	for i, cause := range causes {
		d := receiveOne(t, q)
		id = d.ID
		c := queue.Completion{Token: d.Token, Outcome: task.Retry, Counted: true, Cause: cause}
		if i == len(causes)-1 {
			c.Outcome = task.Dead
		}
		if lost, err := q.Complete(t.Context(), []queue.Completion{c}); len(lost) > 0 || err != nil {
			t.Fatal(lost, err)
		}
	}
	dead, err := q.Task(t.Context(), id)
	if err != nil || len(dead.Failures) != 3 {
		t.Fatalf("%+v, %v", dead, err)
	}
	for i, f := range dead.Failures {
		if f.Error != want[i] {
			t.Errorf("cause %d: %.60q…, %d bytes", i, f.Error, len(f.Error))
		}
	}
}

func TestRenewAndComplete(t *testing.T) {
	q, _ := bound[mail](t, queue.Binding{})
	if err := q.Publish(t.Context(), mail{}); err != nil {
		t.Fatal(err)
	}
	d := receiveOne(t, q)
	stale := queue.Token{ID: d.ID, Lease: d.Lease + 1}
	renewed, err := q.Renew(t.Context(), []queue.Token{d.Token, stale}, time.Hour)
	if err != nil || len(renewed.Lost) != 1 || renewed.Lost[0] != stale || len(renewed.Cancelled) > 0 {
		t.Errorf("Renew: %+v, %v", renewed, err)
	}
	lost, err := q.Complete(t.Context(), []queue.Completion{{Token: stale}, {Token: d.Token}})
	if err != nil || len(lost) != 1 || lost[0] != stale {
		t.Errorf("Complete: %v, %v", lost, err)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Completed != 1 || s.Unfinished() != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

package queue_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plba/plba/queue"
)

func TestKind(t *testing.T) {
	kind, other := queue.KindOf[mail]("mail"), queue.KindOf[mail]("letter")
	m, err := kind.Message(mail{"sales", 7})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := kind.Value(m); err != nil || v != (mail{"sales", 7}) {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := other.Value(m); !errors.Is(err, queue.ErrUnknownKind) || v != (mail{}) {
		t.Errorf("read as another kind: %+v, %v", v, err)
	}
	if _, err := kind.Value(queue.Message{Kind: "mail", Body: []byte(`{"UID":"x"}`)}); err == nil || !strings.Contains(err.Error(), "kind mail: the payload cannot be decoded") {
		t.Errorf("broken: %v", err)
	}
}

func TestKindCheck(t *testing.T) {
	if err := queue.KindOf[mail]("mail").Check(); err != nil {
		t.Error(err)
	}
	err := queue.KindOf[chan int]("Mail").Check()
	if err == nil || !strings.Contains(err.Error(), `kind "Mail"`) || !strings.Contains(err.Error(), "chan int") {
		t.Errorf("got %v", err)
	}
}

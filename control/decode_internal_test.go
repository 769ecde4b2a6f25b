package control

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/plba/plba/queue"
)

func TestDecodeInput(t *testing.T) {
	w, err := decodeInput[workerStopInput](json.RawMessage(`{"name":"a","mode":"force","timeout":"5s"}`))
	if err != nil || w.Name != "a" || w.Body == nil || w.Body.Mode != Forced || w.Body.Timeout != "5s" {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err = decodeInput[workerStopInput](json.RawMessage(`{"name":"a"}`)); err != nil || w.Body != nil {
		t.Errorf("%+v, %v", w, err)
	}
	l, err := decodeInput[tasksInput](json.RawMessage(`{"name":"mails","state":["dead","ready"]}`))
	if err != nil || l.Name != "mails" || l.Limit != 100 || len(l.State) != 2 || l.State[0] != queue.StateDead {
		t.Errorf("%+v, %v", l, err)
	}
	for _, none := range []string{"", " ", "null", "{}"} {
		if _, err := decodeInput[struct{}](json.RawMessage(none)); err != nil {
			t.Errorf("%q: %v", none, err)
		}
	}
}

func TestDecodeInputRefuses(t *testing.T) {
	for text, field := range map[string]string{
		`[]`: "", `"null"`: "", `7`: "", `{`: "", `{} {}`: "",
		`{"name":7}`: "name", `{"name":"secret","odd":"secret"}`: "odd", `{"Name":"secret"}`: "Name", `{"MODE":"secret"}`: "MODE", `{"mode":{"secret":1}}`: "mode",
		`{"` + strings.Repeat("k", 500) + `":1}`: strings.Repeat("k", 100) + "…",
	} {
		_, err := decodeInput[workerStopInput](json.RawMessage(text))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || e.Field != field || strings.Contains(e.Detail, "secret") {
			t.Errorf("%.50s: %v", text, err)
		}
	}
	if _, err := decodeInput[tasksInput](json.RawMessage(`{"name":"mails","limit":"ten"}`)); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// FuzzDecodeInput: whatever comes is an input or is refused.
func FuzzDecodeInput(f *testing.F) {
	for _, seed := range []string{`{"name":"a","states":["dead"]}`, `{"name":"a","limit":1e9}`, `{"name":null,"states":null}`, `[`, `{"a":{"a":{}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := decodeInput[purgeInput](text); err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

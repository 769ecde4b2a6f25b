package mailbox

import (
	"errors"
	"io"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"
)

func TestRedact(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&imap.Error{Type: "NO", Code: "secret", Text: "what is secret AG9yZGVycwBzZWNyZXQ="}, "imap: NO [***] what is *** ***"},
		{&smtp.SMTPError{Code: 535, Message: "what is c2VjcmV0"}, "SMTP error 535: what is ***"},
		{errors.New("not even IMAP: secret"), "not even IMAP: ***"},
		{io.EOF, "EOF"},
	} {
		if got := redact(tc.err, "orders", "secret"); got.Error() != tc.want {
			t.Errorf("%q became %q, want %q", tc.err, got, tc.want)
		}
	}
	if err := redact(io.EOF, "orders", "EOF!"); !errors.Is(err, io.EOF) {
		t.Errorf("an innocent error became %#v", err)
	}
	if redact(nil, "orders", "secret") != nil {
		t.Error("no error became one")
	}
}

package mailbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"
)

// What a caller may want to tell apart; errors.Is finds them in an *Error.
var (
	// ErrGone means that the mail is not in the folder any more: another client took it, or a move that was cut off did happen.
	ErrGone = errors.New("the mail is not in the folder any more")
	// ErrUIDValidity means that the folder was rebuilt since the UID was learned. It may be another mail's now: list again.
	ErrUIDValidity = errors.New("the folder was rebuilt since this UID was learned (UIDVALIDITY differs)")
	// ErrNoFolder means that there is no such folder. Folders named in IMAPConfig.Folders are created again by the next call.
	ErrNoFolder = errors.New("there is no such folder")
	// ErrTooLarge means that the server sends more than it announced; nothing of it was kept.
	ErrTooLarge = errors.New("the mail is larger than announced")
	// ErrUnsafe means that the server offers neither MOVE nor UIDPLUS, without which a mail cannot be moved safely.
	ErrUnsafe = errors.New("the server offers neither MOVE nor UIDPLUS: mails cannot be moved without the danger of losing them")
	// ErrNotOpen means that the Mailbox was not opened, or was closed meanwhile.
	ErrNotOpen = errors.New("the mailbox is not open")
)

// Error tells what an operation on an IMAP account failed at.
type Error struct {
	Server string // host:port
	Op     string // such as "fetch"
	Folder string // "" when none is concerned
	UID    uint32 // 0 when no single mail is concerned
	Target string // the folder of a move, else ""
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	what := e.Op
	switch {
	case e.UID != 0:
		what += fmt.Sprintf(" mail %d of %s", e.UID, e.Folder)
	case e.Folder != "":
		what += " " + e.Folder
	}
	if e.Target != "" {
		what += " to " + e.Target
	}
	return fmt.Sprintf("imap %s: %s: %v", e.Server, what, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// SendError tells why a mail was not sent, or perhaps not sent.
type SendError struct {
	Server string // host:port
	To     string
	Step   string // what failed, such as "log in" or "recipient"
	Code   int    // the server's answer, such as 550; 0 when there was none
	Err    error

	permanent bool
	uncertain bool
}

// Error implements error.
func (e *SendError) Error() string {
	s := fmt.Sprintf("smtp %s: mail to %s: %s: %v", e.Server, e.To, e.Step, e.Err)
	if e.uncertain {
		s += " (the mail may have been sent)"
	}
	return s
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// Permanent tells whether sending the same mail again is useless: the server refused this mail or its recipient for good.
// A refused login is not permanent, since the mail is not to blame.
func (e *SendError) Permanent() bool { return e.permanent }

// Uncertain tells whether the mail may have been sent: all of it was handed over, but the answer was lost.
func (e *SendError) Uncertain() bool { return e.uncertain }

// timeoutError is the cause of a call that took longer than its configuration allows.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string {
	return fmt.Sprintf("the server did not finish within %v", e.after)
}
func (e timeoutError) Timeout() bool { return true }

// redact takes the password out of what a server answered to the login, in the forms in which it was told.
func redact(err error, username, password string) error {
	if err == nil || password == "" {
		return err
	}
	hide := strings.NewReplacer(
		base64.StdEncoding.EncodeToString([]byte("\x00"+username+"\x00"+password)), "***",
		base64.StdEncoding.EncodeToString([]byte(password)), "***",
		password, "***",
	).Replace
	if hide(err.Error()) == err.Error() {
		return err
	}
	if answer, ok := errors.AsType[*imap.Error](err); ok {
		return &imap.Error{Type: answer.Type, Code: imap.ResponseCode(hide(string(answer.Code))), Text: hide(answer.Text)}
	}
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return &smtp.SMTPError{Code: answer.Code, EnhancedCode: answer.EnhancedCode, Message: hide(answer.Message)}
	}
	return errors.New(hide(err.Error()))
}

package domain

import (
	"cmp"
	"time"
)

// MailRef says where a mail is: enough to find it again, never the mail itself. It is what travels in a task.
type MailRef struct {
	Account     string `json:"account"`             // the mailbox it came to
	SHA256      string `json:"sha256"`              // of the raw bytes, in hex; with Account the identity of the mail
	UIDValidity uint32 `json:"uid_validity"`        // together with UID where it lies, as long as the mailbox is not rebuilt
	UID         uint32 `json:"uid"`                 // its number there
	Oversize    int64  `json:"oversize,omitempty"`  // its size in bytes when it was too large to fetch, else 0
	Duplicate   bool   `json:"duplicate,omitempty"` // the same bytes were received before under another UID
}

// Raw is a mail as it was fetched. When Ref.Oversize is set, Bytes holds the header alone.
type Raw struct {
	Ref   MailRef
	Bytes []byte
}

// Folder is where a mail goes when it has been dealt with. Each mail ends in exactly one.
type Folder string

// The folders.
const (
	FolderProcessed Folder = "Processed" // orders were taken, or were known already
	FolderRejected  Folder = "Rejected"  // nothing can be ordered by this mail; a trusted sender is told why
	FolderReview    Folder = "Review"    // somebody has to look at it
)

// Answer is what the sender is told. Automatic mail and senders who are unknown or not authenticated get AnswerNone, always.
type Answer uint8

// The answers.
const (
	AnswerNone            Answer = iota // silence
	AnswerConfirm                       // the orders as they were taken
	AnswerAlreadyReceived               // these orders were known before
	AnswerRejected                      // nothing was ordered, with the reason
)

// String names the answer.
func (a Answer) String() string {
	switch a {
	case AnswerConfirm:
		return "confirm"
	case AnswerAlreadyReceived:
		return "already received"
	case AnswerRejected:
		return "rejected"
	default:
		return "none"
	}
}

// Envelope is what the header says about a mail, decoded and cut to sane lengths.
type Envelope struct {
	Ref          MailRef
	From         string // the address, lower-cased; "" when it cannot be read
	Subject      string
	MessageID    string // with its angle brackets; "" when there is none that could be quoted
	Customer     string // the customer's number; "" when the sender is unknown
	CustomerName string
}

// Part is one file of a mail. Parse yields at least one for every mail: a mail without an order file yields a single
// part that carries nothing but a verdict.
type Part struct {
	Mail        Envelope
	Name        string // base name, unique within the mail; "" only when Verdict is set
	ContentType string // as the sender labelled it, with the charset
	Body        []byte // without its transfer encoding, in the sender's charset
	Verdict     *Verdict
}

// FileName is the part's key within its mail, never empty.
func FileName(p Part) string { return cmp.Or(p.Name, "(no file)") }

// Verdict is a decision about a file or a mail that yields no order.
type Verdict struct {
	Folder Folder
	Reason string
	Answer Answer
}

// Sheet is a part after reading: an order or a verdict.
type Sheet struct {
	Mail    Envelope
	File    string
	Order   *Order
	Notes   []string // lines left out of Order and why; only with Policy.Partial
	Verdict *Verdict
}

// Decision is what becomes of a mail.
type Decision struct {
	Mail    Envelope
	Folder  Folder
	Reason  string // "" when everything was taken as it was sent
	Answer  Answer
	Orders  []Order   // to be stored
	Repeats []string  // purchase-order numbers that were received before with the same lines; set by Against
	At      time.Time // when the decision was made, for the answer's Date; zero leaves the Date to the sender of the answer
}

package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"
)

// Reply writes the answer to the mail, as it goes over the wire, from the address given. ok is false when there is nobody
// to be answered. The same decision gives the same bytes, and the Message-ID depends on the mail alone: a copy that is sent
// again after a crash can be told for one. It goes to the authenticated From, whatever Reply-To says.
func (d Decision) Reply(from string) (msg []byte, ok bool) {
	from = plainAddress(from)
	if d.Answer == AnswerNone || d.Mail.From == "" || from == "" {
		return nil, false
	}
	var b bytes.Buffer
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	line("From", "<"+from+">")
	line("To", "<"+d.Mail.From+">")
	line("Subject", encodeHeader(replySubject(d.Mail.Subject)))
	if !d.At.IsZero() {
		line("Date", d.At.Format(time.RFC1123Z))
	}
	line("Message-ID", d.replyID(from))
	if d.Mail.MessageID != "" {
		line("In-Reply-To", d.Mail.MessageID)
		line("References", d.Mail.MessageID)
	}
	line("Auto-Submitted", "auto-replied")
	line("X-Auto-Response-Suppress", "All")
	line("MIME-Version", "1.0")
	line("Content-Type", "text/plain; charset=utf-8")
	line("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b) // into memory: it cannot fail
	fmt.Fprint(body, strings.ReplaceAll(d.replyText(), "\n", "\r\n"))
	_ = body.Close()
	return b.Bytes(), true
}

func (d Decision) replyID(from string) string {
	sum := sha256.Sum256([]byte(d.Mail.Ref.Account + "\x00" + d.Mail.Ref.SHA256))
	_, domain, _ := strings.Cut(from, "@")
	return "<answer." + hex.EncodeToString(sum[:16]) + "@" + domain + ">"
}

func replySubject(subject string) string {
	if subject == "" {
		return "Your order"
	}
	if len(subject) >= 3 && strings.EqualFold(subject[:3], "re:") {
		return subject
	}
	return "Re: " + subject
}

// encodeHeader encodes what is not ASCII and folds between the encoded words.
func encodeHeader(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", oneLine(s)), "?= =?", "?=\r\n =?")
}

func (d Decision) replyText() string {
	var b strings.Builder
	if d.Mail.CustomerName != "" {
		fmt.Fprintf(&b, "Dear %s,\n\n", d.Mail.CustomerName)
	}
	switch d.Answer {
	case AnswerNone: // Reply writes nothing
	case AnswerRejected:
		fmt.Fprintf(&b, "we could not take an order from your mail: %s.\nNothing was ordered. Please correct this and send the mail again.\n", d.Reason)
	case AnswerAlreadyReceived:
		fmt.Fprintf(&b, "nothing was ordered anew: %s.\n", d.Reason)
	case AnswerConfirm:
		b.WriteString("thank you for your order.\n")
		for _, o := range d.Orders {
			writeOrder(&b, o)
		}
		if d.Reason != "" {
			fmt.Fprintf(&b, "\nPlease note: %s.\n", d.Reason)
		}
	}
	b.WriteString("\nThis mail was written by a program. If something is wrong, please answer it: a person will read what you write.\n")
	return b.String()
}

func writeOrder(b *strings.Builder, o Order) {
	fmt.Fprintf(b, "\nPurchase order %s (%s)\n", o.PO, o.File)
	for _, l := range o.Lines {
		fmt.Fprintf(b, "  %6d x %-12s %10s\n", l.Quantity, l.Article, l.UnitPrice*Cents(l.Quantity))
	}
	fmt.Fprintf(b, "  %-21s %10s\n", "Total", o.Total())
}

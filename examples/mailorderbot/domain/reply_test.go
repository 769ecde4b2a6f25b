package domain_test

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s:\n%s", path, got)
	}
}

func TestReplies(t *testing.T) {
	from := domain.Envelope{
		Ref: domain.MailRef{Account: "orders", SHA256: "5d41402abc4b2a76b9719d911017c592"}, From: "einkauf@morgenrot.example",
		Subject: "Bestellung für März", MessageID: "<a1@morgenrot.example>", Customer: "1001", CustomerName: "Café Morgenrot",
	}
	at := time.Date(2025, 3, 4, 9, 30, 0, 0, time.UTC)
	orders := []domain.Order{order("a.csv", "MR-31", line("A-100", 24), line("4006381333931", 1000)), order("b.xlsx", "MR-32", line("B-200", 4))}
	for name, d := range map[string]domain.Decision{
		"confirm.golden":  {Mail: from, Answer: domain.AnswerConfirm, Orders: orders, At: at},
		"partial.golden":  {Mail: from, Answer: domain.AnswerConfirm, Orders: orders[:1], At: at, Reason: "a.csv row 3: unknown article \"Größe\""},
		"already.golden":  {Mail: from, Answer: domain.AnswerAlreadyReceived, At: at, Reason: "purchase order MR-31 was already received"},
		"rejected.golden": {Mail: from, Answer: domain.AnswerRejected, At: at, Reason: "b.pdf is a PDF file; please send XLSX or CSV"},
	} {
		t.Run(name, func(t *testing.T) {
			msg, ok := d.Reply("orders@nordwind.example")
			again, _ := d.Reply("orders@nordwind.example")
			if !ok || !bytes.Equal(msg, again) {
				t.Fatalf("ok %v, or not the same twice", ok)
			}
			golden(t, name, msg)
			readable(t, msg, d.Reason)
		})
	}
}

// readable reads a message with the standard library.
func readable(t *testing.T, msg []byte, reason string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"From", "To", "Date", "Message-Id", "Subject", "In-Reply-To"} {
		if m.Header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if got := m.Header.Get("Auto-Submitted"); got != "auto-replied" {
		t.Errorf("Auto-Submitted: %q", got)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !strings.Contains(string(body), reason) || !strings.Contains(string(body), "Café Morgenrot") {
		t.Errorf("body %q, %v", body, err)
	}
	for l := range strings.SplitSeq(string(msg), "\r\n") {
		if len(l) > 78 || strings.ContainsAny(l, "\r\n") {
			t.Errorf("a line of %d bytes: %q", len(l), l)
		}
	}
}

func TestNoReply(t *testing.T) {
	d := domain.Decision{Mail: domain.Envelope{From: "a@b.example"}, Answer: domain.AnswerConfirm}
	if _, ok := d.Reply("not an address"); ok {
		t.Error("a reply from nobody")
	}
	d.Answer = domain.AnswerNone
	if _, ok := d.Reply(ownAddress); ok {
		t.Error("a reply that nobody asked for")
	}
	d.Answer, d.Mail.From = domain.AnswerRejected, ""
	if _, ok := d.Reply(ownAddress); ok {
		t.Error("a reply to nobody")
	}
}

// TestReplyInjection: nothing in a mail can add a line to the header of the answer.
func TestReplyInjection(t *testing.T) {
	mail := trusted + "Content-Type: application/pdf; name=\"=?utf-8?Q?a=0D=0ABcc:_x@y.example=0D=0A.pdf?=\"\r\n\r\n%PDF-"
	mail = strings.Replace(mail, "PO 4711", "=?utf-8?Q?Hi=0D=0ABcc:_victim@y.example=0D=0A=0D=0Abody?=", 1)
	mail = strings.Replace(mail, "Subject", "Message-ID: <a@b>\x0bBcc: x@y\r\nSubject", 1)
	msg, ok := run(newDesk(t), domain.Raw{Bytes: []byte(mail)}).Reply(ownAddress)
	if !ok {
		t.Fatal("no reply")
	}
	head, _, _ := strings.Cut(string(msg), "\r\n\r\n")
	for l := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(strings.ToLower(l), "bcc") || strings.HasPrefix(l, "In-Reply-To") {
			t.Errorf("header line %q", l)
		}
	}
}

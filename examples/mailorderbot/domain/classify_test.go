package domain_test

import (
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

const passed = "Authentication-Results: mx.nordwind.example; dmarc=pass header.from=tiller.example\r\n"

func TestSender(t *testing.T) {
	for head, want := range map[string]string{
		"From: Office <Office@Tiller.example>":                        "office@tiller.example",
		"from : office@tiller.example":                                "office@tiller.example",
		"FROM: office@tiller.example (Office)":                        "office@tiller.example",
		"From: =?utf-8?Q?B=C3=BCro?= <office@tiller.example>":         "office@tiller.example",
		"From: \"Tiller, Sons\" <office@tiller.example>":              "office@tiller.example",
		"From: Tiller, Sons <office@tiller.example>":                  "office@tiller.example",
		"From: B\xfcro <office@tiller.example>":                       "office@tiller.example",
		"From:\r\n Office\r\n <office@tiller.example>":                "office@tiller.example",
		"X: 1\nFrom: office@tiller.example\nTo: x@y.example":          "office@tiller.example",
		"From: a@tiller.example, b@tiller.example":                    "",
		"From: a@tiller.example\r\nFrom: b@tiller.example":            "",
		"From: office@tiller.example <evil@bad.example>":              "",
		"From: <office@tiller.example> <evil@bad.example>":            "",
		"From: B\xfcro <office@tiller.example>, <evil@bad.example>":   "",
		"From: Team: a@tiller.example, b@tiller.example;":             "",
		"From: undisclosed":                                           "",
		"From: <>":                                                    "",
		"From: \"a b\"@tiller.example":                                "",
		"Sender: office@tiller.example":                               "",
		"\r\nFrom: office@tiller.example":                             "",
		"":                                                            "",
		"From: " + strings.Repeat("a", 300) + "@tiller.example":       "",
		strings.Repeat("X: y\r\n", 60_000) + "From: a@tiller.example": "",
	} {
		if got := domain.Sender([]byte(head)); got != want {
			t.Errorf("%.70q: %q, want %q", head, got, want)
		}
	}
}

// TestAtTheDoor: what the header decides. Each mail carries a good order file, which must not be taken.
func TestAtTheDoor(t *testing.T) {
	const (
		from = "From: office@tiller.example\r\n"
		pdf  = "PO-1.csv"
	)
	for name, c := range map[string]struct{ head, want string }{
		"good":                  {passed + from, "Processed: "},
		"not automatic":         {passed + from + "Auto-Submitted: no (a person)\r\nReturn-Path: <office@tiller.example>\r\n", "Processed: "},
		"read receipt":          {passed + from + "Content-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n", "Review: a delivery or read report about a mail of ours"},
		"mailer-daemon":         {passed + "From: MAILER-DAEMON@tiller.example\r\n", "Review: a delivery or read report about a mail of ours"},
		"empty return path":     {passed + from + "Return-Path: <>\r\n", "Review: an automatic mail: its return path is empty"},
		"automatic reply":       {passed + from + "Auto-Submitted: Auto-Replied; x=y\r\n", "Rejected: an automatic reply (Auto-Submitted: auto-replied)"},
		"generated":             {passed + from + "Auto-Submitted: auto-generated\r\n", "Review: an automatic mail (Auto-Submitted: auto-generated)"},
		"list":                  {passed + from + "List-Id: <x.example>\r\n", "Rejected: a mail of a mailing list"},
		"bulk":                  {passed + from + "Precedence: Bulk\r\n", "Rejected: a mail of a mailing list"},
		"own":                   {passed + "From: Orders@Nordwind.example\r\n", "Review: a mail from our own address"},
		"no sender":             {passed, "Review: the sender's address cannot be read"},
		"two senders":           {passed + from + from, "Review: the sender's address cannot be read"},
		"unknown":               {passed + "From: x@sub.tiller.example\r\n", "Review: the sender x@sub.tiller.example is not a known customer"},
		"no result":             {from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"no DMARC":              {"Authentication-Results: mx.nordwind.example; spf=pass; dkim=pass\r\n" + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"none":                  {"Authentication-Results: mx.nordwind.example; none\r\n" + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"failed":                {strings.Replace(passed, "pass", "fail", 1) + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"another server's word": {strings.Replace(passed, "mx.", "mx2.", 1) + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"a server in a comment": {"Authentication-Results: (mx.nordwind.example) bad.example; dmarc=pass\r\n" + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"a pass in a comment":   {"Authentication-Results: mx.nordwind.example; dmarc=fail (dmarc=pass; dmarc=pass)\r\n" + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"a forged pass below":   {strings.Replace(passed, "pass", "none", 1) + passed + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"another domain":        {strings.Replace(passed, "=tiller", "=bad", 1) + from, "Review: the sender office@tiller.example is not authenticated (no DMARC pass)"},
		"several results":       {"Authentication-Results: mx.nordwind.example 1;\r\n spf=fail (x; y) smtp.mailfrom=a;\r\n dmarc = pass header.from=\"tiller.example\"\r\nAuthentication-Results: mx.nordwind.example; dkim=pass\r\n" + from, "Processed: "},
		"bounce from a known": {passed + from + "Return-Path: <>\r\nAuto-Submitted: auto-replied\r\nContent-Type: multipart/report; boundary=x\r\n",
			"Review: a delivery or read report about a mail of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			mail := c.head + "Content-Type: text/csv; name=\"" + pdf + "\"\r\n\r\nPO;SKU;Qty\r\n1;A-100;6\r\n"
			got := run(newDesk(t), domain.Raw{Bytes: []byte(mail)})
			if text := string(got.Folder) + ": " + got.Reason; text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
			good := got.Folder == domain.FolderProcessed
			if (len(got.Orders) == 1) != good || (got.Answer == domain.AnswerConfirm) != good || !good && got.Answer != domain.AnswerNone {
				t.Errorf("orders %v, answer %s", got.Orders, got.Answer)
			}
		})
	}
}

// TestNoAuthserv: without a server to trust, nobody is authenticated, whatever the header says.
func TestNoAuthserv(t *testing.T) {
	desk := newDesk(t, func(p *domain.Policy) { p.AuthservID = "" })
	mail := "Authentication-Results: ; dmarc=pass\r\nFrom: office@tiller.example\r\nContent-Type: text/csv\r\n\r\nPO;SKU;Qty\r\n1;A-100;6\r\n"
	if got := run(desk, domain.Raw{Bytes: []byte(mail)}); got.Folder != domain.FolderReview || got.Answer != domain.AnswerNone {
		t.Errorf("%s, %s", got.Folder, got.Answer)
	}
}

func TestSizes(t *testing.T) {
	desk := newDesk(t, func(p *domain.Policy) { p.MaxMailBytes = 1000 })
	head := passed + "From: office@tiller.example\r\n\r\n"
	long := head + strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		raw    domain.Raw
		reason string
		answer domain.Answer
	}{
		"empty":                   {domain.Raw{}, "the mail is empty", domain.AnswerNone},
		"at the limit":            {domain.Raw{Bytes: []byte(long[:1000])}, "no order file is attached", domain.AnswerNone},
		"over it":                 {domain.Raw{Bytes: []byte(long[:1001])}, "the mail is larger than 1000 bytes", domain.AnswerRejected},
		"not fetched":             {domain.Raw{Ref: domain.MailRef{Oversize: 1001}, Bytes: []byte(head)}, "the mail is larger than 1000 bytes", domain.AnswerRejected},
		"not fetched, a stranger": {domain.Raw{Ref: domain.MailRef{Oversize: 1001}, Bytes: []byte("From: x@y.example\r\n")}, "the mail is larger than 1000 bytes", domain.AnswerNone},
		"not fetched, a list":     {domain.Raw{Ref: domain.MailRef{Oversize: 1001}, Bytes: []byte("List-Id: <x>\r\n" + head)}, "a mail of a mailing list", domain.AnswerNone},
		"known":                   {domain.Raw{Ref: domain.MailRef{Duplicate: true}, Bytes: []byte(long)}, "the same mail was received before", domain.AnswerNone},
	} {
		got := run(desk, c.raw)
		if got.Reason != c.reason || got.Answer != c.answer {
			t.Errorf("%s: %q, %s; want %q, %s", name, got.Reason, got.Answer, c.reason, c.answer)
		}
	}
}

package domain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// FuzzParse takes any bytes through all three steps, once as they are and once behind the header of a trusted sender.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("..", "testdata", "mails", "*.eml"))
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	desk := newDesk(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, desk, domain.Raw{Bytes: b})
		check(t, desk, domain.Raw{Bytes: append([]byte(trusted), b...)})
	})
}

func check(t *testing.T, desk *domain.Desk, raw domain.Raw) {
	t.Helper()
	parts := desk.Parse(raw)
	if len(parts) == 0 || len(parts) > 20 {
		t.Fatalf("%d parts", len(parts))
	}
	var sheets []domain.Sheet
	keys := map[string]bool{}
	for _, p := range parts {
		if key := domain.FileName(p); key == "" || keys[key] || strings.ContainsAny(key, "/\\\r\n") {
			t.Fatalf("key %q", key)
		} else {
			keys[key] = true
		}
		sheets = append(sheets, checkSheet(t, desk.Decode(p)))
	}
	d := desk.Decide(sheets)
	checkDecision(t, d)
	if d.Mail.Customer == "" && (len(d.Orders) > 0 || d.Answer != domain.AnswerNone) {
		t.Fatalf("a stranger gets %s", summary(d))
	}
	checkDecision(t, d.Against(d.Orders))
	if again := run(desk, raw); summary(again) != summary(d) {
		t.Fatalf("%s, the second time %s", summary(d), summary(again))
	}
}

func checkSheet(t *testing.T, s domain.Sheet) domain.Sheet {
	t.Helper()
	if (s.Order == nil) == (s.Verdict == nil) {
		t.Fatalf("a sheet with both or neither: %+v", s)
	}
	if s.Order != nil && (s.Order.PO == "" || len(s.Order.Lines) == 0) {
		t.Fatalf("an empty order: %+v", s.Order)
	}
	if s.Order != nil {
		for _, l := range s.Order.Lines {
			if l.Article == "" || l.Quantity < 1 || l.Row < 1 {
				t.Fatalf("line %+v", l)
			}
		}
	}
	return s
}

func checkDecision(t *testing.T, d domain.Decision) {
	t.Helper()
	switch d.Folder {
	case domain.FolderProcessed:
	case domain.FolderReview, domain.FolderRejected:
		if d.Reason == "" || len(d.Orders) > 0 {
			t.Fatalf("%s", summary(d))
		}
	default:
		t.Fatalf("folder %q", d.Folder)
	}
	if strings.ContainsAny(d.Reason, "\r\n\x00") {
		t.Fatalf("reason %q", d.Reason)
	}
	if msg, ok := d.Reply(ownAddress); ok != (d.Answer != domain.AnswerNone) || ok && !strings.HasPrefix(string(msg), "From: <"+ownAddress+">\r\n") {
		t.Fatalf("reply %q, %v", msg, ok)
	}
}

// FuzzDecode takes any file under any name and label.
func FuzzDecode(f *testing.F) {
	f.Add("o.csv", "text/csv; charset=utf-8", []byte("SKU;Qty\nA-100;6"))
	f.Add("o.txt", "text/plain; charset=windows-1251", []byte("\xc0\xf0\xf2\xe8\xea\xf3\xeb\tQty\nA-100\t6"))
	f.Add("o.csv", "text/csv", []byte("\xff\xfeS\x00K\x00U\x00;\x00Q\x00t\x00y\x00"))
	f.Add("o.csv", "", []byte("PO: 1\n\"SKU\",\"Qty\"\nA-100,\"6,0\"\n\"x"))
	f.Add("o.xlsx", "", handmade{}.build(f))
	f.Add("o.xlsx", "", workbook(f, [][]any{{"PO", "SKU", "Qty"}, {"1", "A-100", 6}}))
	f.Add("o.xls", "application/vnd.ms-excel", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	desk := newDesk(f)
	f.Fuzz(func(t *testing.T, name, contentType string, body []byte) {
		s := checkSheet(t, desk.Decode(domain.Part{Mail: domain.Envelope{From: "a@b.example", Customer: "1", Subject: "PO 4711"}, Name: name, ContentType: contentType, Body: body}))
		checkDecision(t, desk.Decide([]domain.Sheet{s}))
	})
}

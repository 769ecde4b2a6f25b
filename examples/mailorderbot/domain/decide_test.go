package domain_test

import (
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// order writes an order of customer 1001 in short: "4711: A-100×6; B-200×4".
func order(file, po string, lines ...domain.Line) domain.Order {
	return domain.Order{Customer: "1001", PO: po, File: file, Lines: lines}
}

func line(article string, quantity int) domain.Line {
	return domain.Line{Article: article, Quantity: quantity, UnitPrice: 240}
}

func good(o domain.Order) domain.Sheet { return domain.Sheet{File: o.File, Order: &o} }

func bad(folder domain.Folder, reason string) domain.Sheet {
	v := domain.Verdict{Folder: folder, Reason: reason}
	if folder == domain.FolderRejected {
		v.Answer = domain.AnswerRejected
	}
	return domain.Sheet{File: "x", Verdict: &v}
}

// summary writes a decision on one line.
func summary(d domain.Decision) string {
	s := string(d.Folder) + ", " + d.Answer.String() + ", " + d.Reason
	for _, o := range d.Orders {
		s += " | " + o.String()
	}
	return s
}

func TestDecide(t *testing.T) {
	a, b := order("a.csv", "1", line("A-100", 6)), order("b.csv", "2", line("B-200", 4))
	copyOfA := order("a.xlsx", "1", line("A-100", 2), line("A-100", 4))
	otherA := order("c.csv", "1", line("A-100", 12))
	review, rejected := bad(domain.FolderReview, "b.csv row 2: odd"), bad(domain.FolderRejected, "c.pdf is a PDF")
	for name, c := range map[string]struct {
		sheets []domain.Sheet
		want   string
	}{
		"one":                      {[]domain.Sheet{good(a)}, "Processed, confirm,  | 1: A-100×6"},
		"two":                      {[]domain.Sheet{good(a), good(b)}, "Processed, confirm,  | 1: A-100×6 | 2: B-200×4"},
		"good and doubtful":        {[]domain.Sheet{good(a), review}, "Review, none, b.csv row 2: odd"},
		"good and unreadable":      {[]domain.Sheet{rejected, good(a)}, "Review, none, c.pdf is a PDF"},
		"doubtful and unreadable":  {[]domain.Sheet{review, rejected}, "Review, none, b.csv row 2: odd; c.pdf is a PDF"},
		"unreadable":               {[]domain.Sheet{rejected}, "Rejected, rejected, c.pdf is a PDF"},
		"all unreadable":           {[]domain.Sheet{rejected, rejected}, "Rejected, rejected, c.pdf is a PDF; c.pdf is a PDF"},
		"the same in two formats":  {[]domain.Sheet{good(a), good(copyOfA)}, "Processed, confirm, a.xlsx repeats a.csv | 1: A-100×6"},
		"one number, two contents": {[]domain.Sheet{good(a), good(otherA)}, "Review, none, a.csv and c.csv have different lines under purchase order 1"},
		"nothing":                  {nil, "Review, none, nothing could be read from the mail"},
		"empty sheets":             {[]domain.Sheet{{}, {}}, "Review, none, nothing could be read from the mail"},
	} {
		if got := summary(newDesk(t).Decide(c.sheets)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestAgainst(t *testing.T) {
	a, b := order("a.csv", "Po-1", line("A-100", 6), line("B-200", 4)), order("b.csv", "2", line("B-200", 4))
	known := order("old.csv", "PO-1", line("B-200", 4), line("A-100", 6))
	changed := order("old.csv", "PO-1", line("A-100", 6))
	foreign := known
	foreign.Customer = "1002"
	for name, c := range map[string]struct {
		known []domain.Order
		want  string
	}{
		"nothing known":      {nil, "Processed, confirm, note | Po-1: A-100×6; B-200×4 | 2: B-200×4"},
		"another customer's": {[]domain.Order{foreign}, "Processed, confirm, note | Po-1: A-100×6; B-200×4 | 2: B-200×4"},
		"one known":          {[]domain.Order{known}, "Processed, confirm, purchase order Po-1 was already received; note | 2: B-200×4"},
		"both known":         {[]domain.Order{known, b}, "Processed, already received, purchase order Po-1 was already received; purchase order 2 was already received; note"},
		"changed":            {[]domain.Order{b, changed}, "Review, none, purchase order Po-1 was received before with other lines"},
	} {
		d := domain.Decision{Folder: domain.FolderProcessed, Answer: domain.AnswerConfirm, Reason: "note", Orders: []domain.Order{a, b}}
		got := d.Against(c.known)
		if summary(got) != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, summary(got), c.want)
		}
		if repeats := strings.Count(got.Reason, "already received"); len(got.Repeats) != repeats {
			t.Errorf("%s: repeats %v", name, got.Repeats)
		}
	}
	rejected := domain.Decision{Folder: domain.FolderRejected, Answer: domain.AnswerRejected, Reason: "r"}
	if got := summary(rejected.Against([]domain.Order{known})); got != "Rejected, rejected, r" {
		t.Errorf("without orders: %s", got)
	}
}

func TestTotal(t *testing.T) {
	o := order("a.csv", "1", line("A-100", 6), line("B-200", 4))
	if got := o.Total().String(); got != "24.00" {
		t.Errorf("total %s", got)
	}
}

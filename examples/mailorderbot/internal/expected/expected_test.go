package expected_test

import (
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/internal/expected"
)

const header = "mail,folder,reason,orders\n"

func TestRead(t *testing.T) {
	rows, err := expected.Read(strings.NewReader(header +
		"1.eml,Processed,,PO-1: A-100×10; B 2×5 | 2: C×1\n" +
		"2.eml,Review,\"row 2: \"\"x\"\", y\",\n"))
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	if got := rows[0].Notation(); got != "PO-1: A-100×10; B 2×5 | 2: C×1" {
		t.Errorf("notation %q", got)
	}
	if l := rows[0].Orders[0].Lines[1]; l != (expected.Line{Article: "B 2", Quantity: 5}) {
		t.Errorf("line %+v", l)
	}
	if r := rows[1]; r.Mail != "2.eml" || r.Folder != "Review" || r.Reason != `row 2: "x", y` || r.Notation() != "" {
		t.Errorf("row %+v", r)
	}
}

func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "expected.csv: the first line must be mail,folder,reason,orders",
		"mail,folder\n":               "expected.csv: record on line 1: wrong number of fields",
		"a,b,c,d\n":                   "expected.csv: the first line must be mail,folder,reason,orders",
		header + "1.eml,Review,\n":    "expected.csv: record on line 2: wrong number of fields",
		header + "1.eml,Inbox,,\n":    `expected.csv record 2 (1.eml): folder "Inbox" is none of Processed, Rejected, Review`,
		header + "1.eml,Review,,A×1":  `expected.csv record 2 (1.eml): order "A×1" is not of the form PO: article×quantity; …`,
		header + "1.eml,Review,,1: A": `expected.csv record 2 (1.eml): line "A" of order 1 is not of the form article×quantity`,
		header + "1,Review,,\n2,X,,\n1,Review,,\n": `expected.csv record 3 (2): folder "X" is none of Processed, Rejected, Review
expected.csv record 4 (1): the mail is there twice`,
		header + "1,Processed,,1: A×0": `expected.csv record 2 (1): line "A×0" of order 1 is not of the form article×quantity`,
	} {
		if _, err := expected.Read(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

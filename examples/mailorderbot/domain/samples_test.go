package domain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/internal/expected"
)

const (
	ownAddress = "orders@nordwind.example"
	authserv   = "mx.nordwind.example"
)

func open(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// newDesk is a desk with the sample catalogue and customers.
func newDesk(t testing.TB, change ...func(*domain.Policy)) *domain.Desk {
	t.Helper()
	catalogue, err := domain.ReadCatalogue(open(t, "catalogue.csv"))
	if err != nil {
		t.Fatal(err)
	}
	customers, err := domain.ReadCustomers(open(t, "customers.csv"))
	if err != nil {
		t.Fatal(err)
	}
	policy := domain.Policy{OwnAddress: ownAddress, AuthservID: authserv}
	for _, c := range change {
		c(&policy)
	}
	return domain.NewDesk(catalogue, customers, policy)
}

// run takes a mail through the three steps, as the pipeline does.
func run(d *domain.Desk, raw domain.Raw) domain.Decision {
	var sheets []domain.Sheet
	for _, p := range d.Parse(raw) {
		sheets = append(sheets, d.Decode(p))
	}
	return d.Decide(sheets)
}

// TestSamples takes all sample mails through the desk in the order of their delivery, beside the smallest store there can be, and
// compares everything with the table.
func TestSamples(t *testing.T) {
	rows, err := expected.Read(open(t, "expected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	desk := newDesk(t)
	seen := map[string]bool{}
	var orders []domain.Order
	count := map[string]int{}
	for _, row := range rows {
		raw := sample(t, row.Mail)
		raw.Ref.Duplicate = seen[raw.Ref.SHA256]
		seen[raw.Ref.SHA256] = true
		got := run(desk, raw).Against(orders)
		orders = append(orders, got.Orders...)
		count[row.Folder]++
		t.Run(row.Mail, func(t *testing.T) { compare(t, got, row) })
	}
	checkFiles(t, rows)
	if count["Processed"] < 14 || len(rows) < 27 {
		t.Errorf("%d rows, %v: the samples have become too few", len(rows), count)
	}
}

func sample(t testing.TB, name string) domain.Raw {
	t.Helper()
	if name == expected.Oversized {
		head := "From: einkauf@morgenrot.example\r\nSubject: Fotos\r\n\r\n"
		return domain.Raw{Ref: domain.MailRef{Account: "test", SHA256: "oversized", Oversize: 26 << 20}, Bytes: []byte(head)}
	}
	b, err := os.ReadFile(filepath.Join("..", "testdata", "mails", name))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return domain.Raw{Ref: domain.MailRef{Account: "test", SHA256: hex.EncodeToString(sum[:])}, Bytes: b}
}

func compare(t *testing.T, got domain.Decision, want expected.Row) {
	t.Helper()
	if string(got.Folder) != want.Folder || got.Reason != want.Reason {
		t.Errorf("got  %s, %q\nwant %s, %q", got.Folder, got.Reason, want.Folder, want.Reason)
	}
	var orders []string
	for _, o := range got.Orders {
		orders = append(orders, o.String())
		if o.Customer != got.Mail.Customer || o.Customer == "" || o.File == "" {
			t.Errorf("order %s: customer %q, file %q", o.PO, o.Customer, o.File)
		}
	}
	if all := strings.Join(orders, " | "); all != want.Notation() {
		t.Errorf("orders\ngot  %s\nwant %s", all, want.Notation())
	}
	if _, answered := got.Reply(ownAddress); answered != (got.Answer != domain.AnswerNone) {
		t.Errorf("answer %s, but a reply: %v", got.Answer, answered)
	}
	if got.Folder == domain.FolderReview && got.Answer != domain.AnswerNone {
		t.Errorf("a mail in Review is answered: %s", got.Answer)
	}
}

// checkFiles makes sure that table and folder name the same mails, in the same order.
func checkFiles(t *testing.T, rows []expected.Row) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("..", "testdata", "mails"))
	if err != nil {
		t.Fatal(err)
	}
	var files, named []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".eml") {
			files = append(files, e.Name())
		}
	}
	for _, r := range rows {
		if r.Mail != expected.Oversized {
			named = append(named, r.Mail)
		}
	}
	if a, b := strings.Join(files, "\n"), strings.Join(named, "\n"); a != b {
		t.Errorf("mails:\n%s\n\nbut expected.csv has:\n%s", a, b)
	}
}

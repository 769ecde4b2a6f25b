package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

var (
	errUnbalanced = errors.New("mails are left in the inbox, or the sum does not hold")
	errNeverSeen  = errors.New("the inbox was never seen")
)

// end is the last report. With -once a sum that does not hold is a fault of the stop, which the exit code shows.
func (m *module) end(ctx context.Context) error {
	m.mu.Lock()
	inbox := m.inbox
	m.mu.Unlock()
	if inbox < 0 { // it was never seen: nothing was begun
		if m.once {
			return errNeverSeen
		}
		return nil
	}
	n, err := m.shop.InboxCount(ctx)
	if err == nil {
		inbox = n
	} else {
		m.say("\nThe mails that are left cannot be counted now; at the last look there were %d. (%v)\n", inbox, err)
	}
	if reportErr := m.report(ctx, inbox); reportErr != nil || !m.once {
		return reportErr
	}
	return err
}

// report prints the mails since the program was started, the first time in tables, and their sum. inbox is how many are left.
func (m *module) report(ctx context.Context, inbox int) error {
	entries, err := m.shop.Ledger(ctx, m.began)
	if err != nil {
		return err
	}
	m.mu.Lock()
	first := !m.tabled
	m.tabled = true
	m.mu.Unlock()
	var b strings.Builder
	if first {
		writeTables(&b, entries)
	}
	s := m.sum(entries, inbox)
	m.say("%s\n%s\n\n", b.String(), s)
	if m.once && (s.inbox != 0 || !s.holds()) {
		return errUnbalanced
	}
	return nil
}

// sum is the account of all mails.
type sum struct{ in, processed, rejected, review, inbox, others int }

func (s sum) holds() bool { return s.in == s.processed+s.rejected+s.review+s.inbox+s.others }

// String is one line; mails that others took out of the inbox are named if there are any.
func (s sum) String() string {
	line := fmt.Sprintf("mails in %d = processed %d + rejected %d + review %d + inbox %d", s.in, s.processed, s.rejected, s.review, s.inbox)
	if s.others > 0 {
		line += fmt.Sprintf(" + taken out by others %d", s.others)
	}
	return line
}

// sum counts what came in (what the store saw arrive, and what lies in the inbox unseen; never less than what the demonstration delivered), where it
// went, and what is left.
func (m *module) sum(entries []shop.Entry, inbox int) sum {
	s := sum{in: len(entries), inbox: inbox}
	waiting := 0
	for _, e := range entries {
		switch {
		case !e.Left:
			waiting++
		case e.Folder == domain.FolderProcessed:
			s.processed++
		case e.Folder == domain.FolderRejected:
			s.rejected++
		case e.Folder == domain.FolderReview:
			s.review++
		default:
			s.others++
		}
	}
	s.in += max(inbox-waiting, 0)
	s.others += max(waiting-inbox, 0)
	if m.demo != nil {
		s.in = max(s.in, m.demo.delivered)
	}
	return s
}

// writeTables shows the orders, and beside them every mail that brought none, with the reason.
func writeTables(b *strings.Builder, entries []shop.Entry) {
	t := table{title: "ORDERS", head: "  mail\tcustomer\torder\tlines\t    total\tfrom"}
	for _, e := range entries {
		for _, o := range e.Orders {
			t.add("  %4d\t%s\t%s\t%5d\t%9s\t%s", e.Number, cell(o.Customer, 12), cell(o.PO, 24), len(o.Lines), o.Total(), cell(e.Sender, 40))
		}
	}
	t.write(b)
	for _, section := range []struct {
		title  string
		folder domain.Folder
	}{
		{"PROCESSED WITHOUT A NEW ORDER", domain.FolderProcessed},
		{"REJECTED", domain.FolderRejected},
		{"REVIEW", domain.FolderReview},
	} {
		t := table{title: section.title, head: "  mail\tfrom\treason"}
		for _, e := range entries {
			if e.Folder == section.folder && len(e.Orders) == 0 {
				t.add("  %4d\t%s\t%s", e.Number, cell(e.Sender, 40), cell(e.Reason, 120))
			}
		}
		t.write(b)
	}
}

// table is a table for the terminal. Without lines it is not shown.
type table struct {
	title, head string
	lines       []string
}

func (t *table) add(format string, cells ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, cells...))
}

func (t *table) write(b *strings.Builder) {
	if len(t.lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", t.title)
	w := tabwriter.NewWriter(b, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n%s\n", t.head, strings.Join(t.lines, "\n"))
	_ = w.Flush() // into a strings.Builder, which cannot fail
}

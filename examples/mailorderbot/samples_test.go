package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/examples/mailorderbot/internal/expected"
)

// inProcess runs the demonstration to its end, as -once does, without a control plane.
func inProcess(t *testing.T, m *module, opts ...plba.Option) (store string) {
	t.Helper()
	store = filepath.Join(t.TempDir(), "orders.db")
	m.once = true
	app, err := plba.New(m, slices.Concat(m.options(), []plba.Option{
		plba.WithSetting("mail_order_bot.store", store), plba.WithoutControlListener(), plba.WithOutput(t.Output()),
	}, opts)...)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := app.Run(ctx); err != nil {
		t.Fatalf("%v\n%v", err, app.Status().LastStop)
	}
	must(t, app.Close(ctx))
	return store
}

func wanted(t *testing.T) []expected.Row {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "expected.csv"))
	must(t, err)
	defer f.Close()
	rows, err := expected.Read(f)
	must(t, err)
	return rows
}

// TestSamples compares everything that can be seen of the demonstration with the table: the store, the folders, the answers and what it prints.
func TestSamples(t *testing.T) {
	rows := wanted(t)
	var out bytes.Buffer
	m := &module{out: &out}
	store := inProcess(t, m)

	count := map[string]int{}
	for _, r := range rows {
		count[r.Folder]++
	}
	if len(rows) < 25 || count["Processed"] < 12 {
		t.Errorf("%d samples, %v: there must be 24 and the oversized one, and 12 Processed", len(rows), count)
	}
	if m.demo.delivered != len(rows) {
		t.Fatalf("%d mails were delivered, the table has %d", m.demo.delivered, len(rows))
	}
	checkStore(t, rows, store)
	checkFolders(t, rows, m)
	checkAnswers(t, rows, m)
	checkOutput(t, rows, out.String(), fmt.Sprintf("\nmails in %d = processed %d + rejected %d + review %d + inbox 0\n",
		len(rows), count["Processed"], count["Rejected"], count["Review"]))
}

func checkStore(t *testing.T, rows []expected.Row, store string) {
	t.Helper()
	entries := ledger(t, store)
	if len(entries) != len(rows) {
		t.Fatalf("%d arrivals, the table has %d rows", len(entries), len(rows))
	}
	for i, row := range rows {
		e := entries[i]
		if string(e.Folder) != row.Folder || e.Reason != row.Reason || notation(e.Orders) != row.Notation() || !e.Left {
			t.Errorf("%s\n  got  %s, %q, %s\n  want %s, %q, %s", row.Mail, e.Folder, e.Reason, notation(e.Orders), row.Folder, row.Reason, row.Notation())
		}
		for _, o := range e.Orders {
			if o.Customer == "" || o.File == "" || o.Total() <= 0 {
				t.Errorf("%s: %+v", row.Mail, o)
			}
		}
	}
}

// sample gives the bytes of a row's mail.
func sample(t *testing.T, row expected.Row, m *module) []byte {
	t.Helper()
	if row.Mail == expected.Oversized {
		return oversized(m.cfg.MaxMailBytes)
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "mails", row.Mail))
	must(t, err)
	return raw
}

func checkFolders(t *testing.T, rows []expected.Row, m *module) {
	t.Helper()
	var got, want []string
	for folder, mails := range m.demo.server.Status().Folders {
		for _, mail := range mails {
			got = append(got, folder+" "+mail.SHA256)
		}
	}
	for _, row := range rows {
		want = append(want, row.Folder+" "+sha(sample(t, row, m)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the folders of the server:\n%s", diff(got, want))
	}
}

// unanswered are samples of people and programs that must never get an answer, although the folder alone would allow one.
var unanswered = map[string]bool{
	"10-same-mail-again.eml": true, // the first one was answered
	"18-auto-reply.eml":      true,
	"19-list-mail.eml":       true,
}

func checkAnswers(t *testing.T, rows []expected.Row, m *module) {
	t.Helper()
	answers := map[string]string{} // by the Message-ID of the mail that is answered
	ids := map[string]bool{}
	for _, s := range m.demo.server.Sent() {
		_, rest, _ := strings.Cut(string(s.Data), "\r\nIn-Reply-To: ")
		to, _, _ := strings.Cut(rest, "\r\n")
		id := messageID(t, s.Data)
		if ids[id] || answers[to] != "" {
			t.Errorf("two answers %s to the mail %s", id, to)
		}
		if s.From != "" || !strings.Contains(string(s.Data), "\r\nAuto-Submitted: auto-replied\r\n") {
			t.Errorf("an answer from %q, without the marks of one:\n%s", s.From, s.Data)
		}
		ids[id], answers[to] = true, s.To
	}
	for _, row := range rows {
		raw := sample(t, row, m)
		if row.Folder == "Review" || unanswered[row.Mail] {
			continue
		}
		id := messageID(t, raw)
		if !strings.Contains(string(raw), "<"+answers[id]+">") || answers[id] == "" {
			t.Errorf("%s (%s): the answer went to %q", row.Mail, id, answers[id])
		}
		delete(answers, id)
	}
	for id, to := range answers {
		t.Errorf("an answer to %s went to %s", id, to)
	}
}

func checkOutput(t *testing.T, rows []expected.Row, out, sum string) {
	t.Helper()
	if strings.Count(out, sum) != 1 {
		t.Errorf("the sum is not there once: %q", sum)
	}
	progress, tables, found := strings.Cut(out, "\nORDERS\n")
	if !found {
		t.Fatalf("no table of orders:\n%s", out)
	}
	if n := strings.Count(progress, "@"); n < len(rows) {
		t.Errorf("%d lines of progress, want %d:\n%s", n, len(rows), progress)
	}
	for i, row := range rows {
		for _, o := range row.Orders {
			want := fmt.Sprintf("\n  %4d  ", i+1)
			if !containsLine(tables, want, o.PO) {
				t.Errorf("%s: no line with %s in the table", row.Mail, o.PO)
			}
		}
		if row.Reason != "" && !containsLine(tables, fmt.Sprintf("\n  %4d  ", i+1), cell(row.Reason, 120)) {
			t.Errorf("%s: no line with %s in the table", row.Mail, row.Reason)
		}
	}
}

// containsLine looks for a line that begins and goes on so.
func containsLine(text, begin, part string) bool {
	for {
		_, rest, ok := strings.Cut(text, begin)
		if !ok {
			return false
		}
		if line, _, _ := strings.Cut(rest, "\n"); strings.Contains(line, part) {
			return true
		}
		text = "\n" + rest
	}
}

// Mails that are left when the application is stopped are worked on when it is started again in the same process.
func TestStopAndStartAgain(t *testing.T) {
	var out bytes.Buffer
	m := &module{out: &out}
	app, err := plba.New(m, slices.Concat(m.options(), []plba.Option{
		plba.WithSetting("mail_order_bot.store", filepath.Join(t.TempDir(), "orders.db")),
		plba.WithoutControlListener(), plba.WithOutput(t.Output()),
	})...)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, app.Start(ctx))
	first := m.demo.server
	forced, now := context.WithCancel(ctx)
	now()
	_, _ = app.Stop(forced) // not clean: what is queued is lost, and found again
	left := first.Counts()["INBOX"]
	if left == 0 {
		t.Skip("this machine was faster than the stop")
	}
	must(t, app.Start(ctx))
	second := m.demo.server
	for second.Counts()["INBOX"] > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d of %d mails are still in the inbox", second.Counts()["INBOX"], left)
		}
	}
	_, err = app.Stop(ctx)
	must(t, err)
	must(t, app.Close(ctx))
	total := 0
	for _, n := range []map[string]int{first.Counts(), second.Counts()} {
		total += n["Processed"] + n["Rejected"] + n["Review"]
	}
	if total != m.demo.delivered {
		t.Errorf("%d of %d mails were moved (%d in the second life)", total, m.demo.delivered, left)
	}
}

package shop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

// cases are mails that end in every way there is. Wanted are ledger and counts, undisturbed or not.
func cases() (mails [][]byte, ledger []string, counts string) {
	first := order(cafe, "PO-1", "A-100,12")
	mails = [][]byte{
		first,
		order(hotel, "PO-7", "A-100,6"),
		first,
		order(cafe, "PO-1", "A-100,6", "A-100,6"),
		order(cafe, "PO-1", "A-100,18"),
		order(hotel, "PO-8", "A-100,5"),
		[]byte("From: <" + cafe + ">\r\nSubject: forged\r\n\r\nHello\r\n"),
		[]byte(strings.Replace(string(order(hotel, "PO-9", "A-100,6")), "order.csv", "order.pdf", 2)),
	}
	return mails, []string{
		"Processed: ; PO-1: A-100×12",
		"Processed: ; PO-7: A-100×6",
		"Processed: the same mail was received before",
		"Processed: purchase order PO-1 was already received",
		"Review: purchase order PO-1 was received before with other lines",
		"Review: order.csv row 2: 5 of A-100 is not a multiple of its pack of 6",
		"Review: the sender " + cafe + " is not authenticated (no DMARC pass)",
		"Rejected: order.pdf is a PDF file; please send XLSX or CSV",
	}, "0 4 1 3 4"
}

func TestUndisturbed(t *testing.T) {
	mails, _, counts := cases()
	b := newBench(t)
	for _, m := range mails {
		b.server.Deliver(m)
	}
	b.finish()
	b.wantCounts(counts)
	checkAnswers(t, b, false)
}

// checkAnswers: each content is answered once, or again with the same bytes.
func checkAnswers(t *testing.T, b *bench, mayRepeat bool) {
	t.Helper()
	byID := map[string][]string{}
	for _, s := range b.server.Sent() {
		id := messageID(t, s.Data)
		byID[id] = append(byID[id], s.To+string(s.Data))
	}
	for id, copies := range byID {
		if len(copies) > 2 || len(copies) > 1 && !mayRepeat {
			t.Errorf("the answer %s was sent %d times", id, len(copies))
		}
		if len(slices.Compact(copies)) > 1 {
			t.Errorf("the answer %s was sent with different words:\n%s", id, strings.Join(copies, "\n---\n"))
		}
	}
	if len(byID) != 4 {
		t.Errorf("%d answers, want 4", len(byID))
	}
}

func messageID(t *testing.T, mail []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(mail), "\r\nMessage-ID: ")
	if !ok {
		t.Fatalf("no Message-ID:\n%s", mail)
	}
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

// Every mail loses its process after the same stage, and is found by a new one. Then the same with the process that died before it could note what it
// had done in the world.
func TestCrashes(t *testing.T) {
	for name, crash := range map[string]func(b *bench, ref domain.MailRef) error{
		"search":  func(*bench, domain.MailRef) error { return nil },
		"load":    until(store),
		"store":   until(confirm),
		"confirm": until(move),
		"move":    until(finished),
		"sent, not noted": func(b *bench, ref domain.MailRef) error {
			d, err := b.run(ref, confirm)
			if err != nil {
				return err
			}
			if _, err = b.Confirm(b.t.Context(), d); err == nil {
				err = b.Exec(`UPDATE outbox SET sent_at = NULL WHERE mail = (SELECT seq FROM mails WHERE sha256 = '` + ref.SHA256 + `')`)
			}
			return err
		},
		"moved, not noted": func(b *bench, ref domain.MailRef) error {
			d, err := b.run(ref, move)
			if err == nil {
				b.takeOut(ref, string(d.Folder))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			mails, ledger, counts := cases()
			b := newBench(t)
			for _, m := range mails {
				b.server.Deliver(m)
			}
			for _, ref := range b.search() {
				must(t, crash(b, ref))
				b.restart()
			}
			b.finish()
			b.wantLedger(ledger...)
			checkAnswers(t, b, name == "sent, not noted")
			n := len(b.server.Sent())
			if got, want := b.counts(), strings.TrimSuffix(counts, "4")+fmt.Sprint(n); got != want {
				t.Errorf("inbox, processed, rejected, review, sent: %s, want %s", got, want)
			}
		})
	}
}

// Contexts end at any moment, as they do when a stop is forced: between two statements, in the middle of a transaction, of a mail that is sent or moved.
func TestCancelledAnywhere(t *testing.T) {
	mails, ledger, counts := cases()
	b := newBench(t)
	for _, m := range mails {
		b.server.Deliver(m)
	}
	random := rand.New(rand.NewPCG(1, 2))
	cancelled := 0
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(3000))*time.Microsecond)
		b.refs = nil
		_, err := b.Search(ctx, b)
		for _, ref := range b.refs {
			if err == nil {
				b.ctx = ctx
				_, err = b.run(ref, finished)
			}
		}
		if err != nil {
			cancelled++
		}
		cancel()
		must(t, b.CheckStore(t.Context()))
	}
	if cancelled < 20 {
		t.Errorf("only %d calls were cut off", cancelled)
	}
	b.ctx = t.Context()
	b.finish()
	b.wantLedger(ledger...)
	if got := b.counts(); !strings.HasPrefix(got, strings.TrimSuffix(counts, "4")) {
		t.Errorf("inbox, processed, rejected, review, sent: %s, want %s or more sent", got, counts)
	}
}

func until(stage int) func(*bench, domain.MailRef) error {
	return func(b *bench, ref domain.MailRef) error { _, err := b.run(ref, stage); return err }
}

// The mailbox is rebuilt after each stage: all mails lie under other numbers.
func TestRebuilt(t *testing.T) {
	for stage, name := range map[int]string{load: "search", store: "load", confirm: "store", move: "confirm"} {
		t.Run(name, func(t *testing.T) {
			mails, ledger, counts := cases()
			b := newBench(t)
			for _, m := range mails {
				b.server.Deliver(m)
			}
			old := b.search()
			var decided []domain.Decision
			for _, ref := range old {
				d, err := b.run(ref, stage)
				must(t, err)
				decided = append(decided, d)
			}
			must(t, b.server.Rebuild("INBOX"))
			for _, d := range decided { // work that is under way
				if d.Folder == "" {
					continue
				}
				if moved, err := b.Move(t.Context(), d); moved || err != nil {
					t.Errorf("moved %v, %v", moved, err)
				}
			}
			b.finish()
			b.wantLedger(ledger...)
			b.wantCounts(counts)
			if _, err := b.run(old[0], finished); !errors.Is(err, shop.ErrLeft) {
				t.Errorf("a reference of before: %v", err)
			}
		})
	}
}

func TestRebuiltWithoutWhatWasTakenOut(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	b.server.Deliver(order(hotel, "PO-2", "A-100,6"))
	refs := b.search()
	_, err := b.run(refs[0], confirm)
	must(t, err)
	b.takeOut(refs[0], "Review")
	must(t, b.server.Rebuild("INBOX"))
	b.finish()
	b.wantLedger("Processed: ; PO-1: A-100×6", "Processed: ; PO-2: A-100×6")
	for _, e := range b.ledger() {
		if !e.Left {
			t.Errorf("%+v", e)
		}
	}
	if n := len(b.server.Sent()); n != 2 {
		t.Errorf("%d answers, want 2: one mail was taken out after its order was stored and before it was confirmed", n)
	}
}

// A list that leaves out a mail, as servers do in passing, changes nothing for long.
func TestListWithoutAMail(t *testing.T) {
	for _, stage := range []int{store, confirm, move} {
		b := newBench(t)
		b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
		ref := b.search()[0]
		_, err := b.run(ref, stage)
		must(t, err)
		must(t, b.SettleDepartures(t.Context(), nil))
		if !b.ledger()[0].Left {
			t.Fatal("the mail is not believed to have left")
		}
		b.SetClock(func() time.Time { return time.Now().Add(time.Second) })
		b.finish()
		b.wantLedger("Processed: ; PO-1: A-100×6")
		b.wantCounts("0 1 0 0 1")
	}
}

// The poller lists, a worker moves, and then the poller goes through its list.
func TestMovedWhileListed(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	b.server.Deliver(order(hotel, "PO-2", "A-100,6"))
	refs := b.search()
	seen := 0
	found, err := b.Search(t.Context(), intake(func(ref domain.MailRef) error {
		if seen++; ref == refs[0] {
			_, err := b.run(refs[1], finished)
			return err
		}
		return nil
	}))
	must(t, err)
	if seen != 1 || found.Inbox != 2 || found.New != 0 {
		t.Errorf("%d mails published, found %+v", seen, found)
	}
	if e := b.ledger()[1]; !e.Left {
		t.Errorf("%+v", e)
	}
}

type intake func(domain.MailRef) error

func (f intake) Publish(_ context.Context, ref domain.MailRef) error { return f(ref) }

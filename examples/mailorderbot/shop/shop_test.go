package shop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

func TestOneMail(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,12", "C-300,24"))
	b.finish()
	b.wantCounts("0 1 0 0 1")
	b.wantLedger("Processed: ; PO-1: A-100×12; C-300×24")
	e := b.ledger()[0]
	if !e.Left || !e.Answered || e.Duplicate || e.Sender != cafe || e.Subject != "Order PO-1" || e.UID != 1 {
		t.Errorf("%+v", e)
	}
	o := e.Orders[0]
	if o.Customer != "1001" || o.File != "order.csv" || o.Lines[1] != (domain.Line{Article: "C-300", Quantity: 24, UnitPrice: 85, Row: 3}) {
		t.Errorf("%+v", o)
	}
	sent := b.server.Sent()[0]
	if sent.From != "" || sent.To != cafe {
		t.Errorf("the envelope of the answer is %q to %q", sent.From, sent.To)
	}
	for _, line := range []string{"From: <" + own + ">", "Auto-Submitted: auto-replied", "Message-ID: <answer.", "In-Reply-To: <"} {
		if !strings.Contains(string(sent.Data), "\r\n"+line) && !strings.HasPrefix(string(sent.Data), line) {
			t.Errorf("the answer has no %q:\n%s", line, sent.Data)
		}
	}
	if n, err := b.Raw(); n != 0 || err != nil {
		t.Errorf("the bytes of %d mails are kept (%v)", n, err)
	}
}

func TestSearchPublishesWhatWaits(t *testing.T) {
	b := newBench(t)
	if refs := b.search(); len(refs) != 0 {
		t.Errorf("an empty inbox gives %v", refs)
	}
	for i := range 3 {
		b.server.Deliver(order(cafe, fmt.Sprint("PO-", i), "A-100,6"))
	}
	first, again := b.search(), b.search()
	if fmt.Sprint(first) != fmt.Sprint(again) || len(first) != 3 {
		t.Errorf("found %v, then %v", first, again)
	}
	for i, ref := range first {
		if ref.UID != uint32(i+1) || ref.Account != own || len(ref.SHA256) != 64 || ref.Duplicate || ref.Oversize != 0 {
			t.Errorf("reference %d is %+v", i, ref)
		}
	}
}

func TestSearchGoesOnAfterItsLimit(t *testing.T) {
	b := newBench(t)
	for i := range shop.SearchLimit + 5 {
		b.server.Deliver(order(cafe, fmt.Sprint("PO-", i), "A-100,6"))
	}
	for _, want := range []int{shop.SearchLimit, 5, 0} {
		found, err := b.Search(t.Context(), b)
		must(t, err)
		if found.New != want || found.Inbox != shop.SearchLimit+5 {
			t.Errorf("found %+v, want %d new ones", found, want)
		}
	}
	for _, e := range b.ledger() {
		if e.Left {
			t.Fatalf("mail %d lies in the inbox, but: %+v", e.UID, e)
		}
	}
}

func TestSameMailAgain(t *testing.T) {
	b := newBench(t)
	mail := order(cafe, "PO-1", "A-100,12")
	b.server.Deliver(mail)
	b.server.Deliver(mail)
	b.finish()
	b.server.Deliver(mail)
	b.finish()
	b.wantCounts("0 3 0 0 1")
	again := "Processed: the same mail was received before"
	b.wantLedger("Processed: ; PO-1: A-100×12", again, again)
}

// A copy must not take the order from the first mail, whichever worker is faster.
func TestCopyWaitsForTheFirst(t *testing.T) {
	b := newBench(t)
	mail := order(cafe, "PO-1", "A-100,12")
	b.server.Deliver(mail)
	b.server.Deliver(mail)
	refs := b.search()
	if _, err := b.run(refs[1], finished); !errors.Is(err, shop.ErrEarlierMail) {
		t.Fatalf("the copy first: %v", err)
	}
	b.finish()
	b.wantLedger("Processed: ; PO-1: A-100×12", "Processed: the same mail was received before")
}

// Of two copies, one is taken out of the inbox by a person before anything was decided: the other one is the order.
func TestCopyTakesThePlaceOfTheFirst(t *testing.T) {
	b := newBench(t)
	mail := order(cafe, "PO-1", "A-100,12")
	b.server.Deliver(mail)
	b.server.Deliver(mail)
	refs := b.search()
	b.takeOut(refs[0], "Review")
	if _, err := b.run(refs[1], finished); !errors.Is(err, shop.ErrEarlierMail) {
		t.Fatalf("before anybody saw that the first one is gone: %v", err)
	}
	b.finish()
	b.wantCounts("0 1 0 1 1")
	b.wantLedger(": ", "Processed: ; PO-1: A-100×12")
}

// takeOut moves a mail as a person does with a mail program.
func (b *bench) takeOut(ref domain.MailRef, folder string) {
	b.t.Helper()
	box := mailbox.New(b.cfg.IMAP)
	must(b.t, box.Open(b.t.Context()))
	must(b.t, box.Move(b.t.Context(), ref.UIDValidity, ref.UID, folder))
	must(b.t, box.Close(b.t.Context()))
}

func TestTakenOutByOthers(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,12"))
	ref := b.search()[0]
	d, err := b.decide(ref)
	must(t, err)
	b.takeOut(ref, "Rejected")
	b.search()
	if _, err := b.Store(t.Context(), d); !errors.Is(err, shop.ErrLeft) {
		t.Errorf("a mail that went while it was read: %v", err)
	}
	if _, err := b.run(ref, finished); !errors.Is(err, shop.ErrLeft) {
		t.Errorf("a mail that is gone: %v", err)
	}
	b.wantCounts("0 0 1 0 0")
	e := b.ledger()[0]
	if !e.Left || e.Folder != "" || len(e.Orders) != 0 {
		t.Errorf("%+v", e)
	}
	b.server.Deliver(order(cafe, "PO-1", "A-100,12")) // and back
	b.finish()
	b.wantCounts("0 1 1 0 1")
	b.wantLedger(": ", "Processed: ; PO-1: A-100×12")
}

func TestSamePurchaseOrder(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,12", "C-300,12"))
	b.server.Deliver(order(cafe, "PO-1", "C-300,12", "A-100,12"))
	b.server.Deliver(order(cafe, "PO-1", "A-100,18"))
	b.server.Deliver(order("chefin@morgenrot.example", "po-1", "A-100,12", "C-300,12")) // the same customer
	b.server.Deliver(order(hotel, "PO-1", "A-100,18"))                                  // another one
	b.finish()
	b.wantLedger(
		"Processed: ; PO-1: A-100×12; C-300×12",
		"Processed: purchase order PO-1 was already received",
		"Review: purchase order PO-1 was received before with other lines",
		"Processed: purchase order po-1 was already received",
		"Processed: ; PO-1: A-100×18",
	)
	b.wantCounts("0 4 0 1 4")
}

// SQLite folds ASCII only; a customer's numbers may be in any script.
func TestSamePurchaseOrderInCyrillic(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order("zakaz@prichal.example", "СП-1", "A-100,12"))
	b.server.Deliver(order("zakaz@prichal.example", "сп-1", "A-100,18"))
	b.finish()
	b.wantLedger("Processed: ; СП-1: A-100×12", "Review: purchase order сп-1 was received before with other lines")
}

func TestFoldIsEqualFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("aAkKK1-ßẞſsSсСпПıiIİ"))).Draw(t, "s")
		u := rapid.StringOf(rapid.RuneFrom([]rune("aAkKK1-ßẞſsSсСпПıiIİ"))).Draw(t, "t")
		if rapid.Bool().Draw(t, "swap") {
			u = strings.ToUpper(s)
		}
		if (shop.Fold(s) == shop.Fold(u)) != strings.EqualFold(s, u) {
			t.Errorf("%q and %q: folded %q and %q, but EqualFold says %v", s, u, shop.Fold(s), shop.Fold(u), strings.EqualFold(s, u))
		}
	})
}

func TestMovedBackFromReview(t *testing.T) {
	b := newBench(t, func(cfg *shop.Config, _ *mailserver.Config) {
		cfg.Catalogue = filepath.Join(t.TempDir(), "catalogue.csv")
		must(t, os.WriteFile(cfg.Catalogue, []byte("article,name,pack,price\nA-100,Cup,6,2.40\n"), 0o600))
	})
	mail := order(cafe, "PO-1", "A-100,12", "NEW-1,1")
	b.server.Deliver(mail)
	b.finish()
	b.server.Deliver(mail) // somebody moved it back too early
	b.finish()
	fault := `Review: order.csv row 3: unknown article "NEW-1"`
	b.wantLedger(fault, fault)

	must(t, os.WriteFile(b.cfg.Catalogue, []byte("article,name,pack,price\nA-100,Cup,6,2.40\nNEW-1,Jug,1,9.00\n"), 0o600))
	b.restart()
	b.server.Deliver(mail)
	b.finish()
	b.server.Deliver(mail) // the other copy from Review
	b.finish()
	b.wantLedger(fault, fault, "Processed: ; PO-1: A-100×12; NEW-1×1", "Processed: the same mail was received before")
	b.wantCounts("0 2 0 2 1")
}

// A copy waits until the first, which is decided but not moved, is in Review, and is decided anew then: whatever is killed in between, the same becomes of both.
func TestCopyOfAMailOnItsWayToReview(t *testing.T) {
	b := newBench(t)
	mail := order(cafe, "PO-1", "A-100,5")
	b.server.Deliver(mail)
	b.server.Deliver(mail)
	refs := b.search()
	first, err := b.run(refs[0], move)
	must(t, err)
	if _, err := b.run(refs[1], finished); !errors.Is(err, shop.ErrEarlierMail) {
		t.Fatalf("before the first is moved: %v", err)
	}
	_, err = b.Move(t.Context(), first)
	must(t, err)
	b.finish()
	fault := "Review: order.csv row 2: 5 of A-100 is not a multiple of its pack of 6"
	b.wantLedger(fault, fault)
}

func TestOrderOfArrival(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	b.server.Deliver(order(hotel, "PO-1", "A-100,6"))
	b.server.Deliver(order(cafe, "PO-1", "A-100,12"))
	refs := b.search()
	if _, err := b.run(refs[2], finished); !errors.Is(err, shop.ErrEarlierMail) {
		t.Errorf("before the first of its sender: %v", err)
	}
	if _, err := b.run(refs[1], finished); err != nil {
		t.Errorf("another sender: %v", err)
	}
	done := make(chan error)
	go func() { // waits for its turn, and has it
		_, err := b.run(refs[2], finished)
		done <- err
	}()
	_, err := b.run(refs[0], finished)
	must(t, err)
	must(t, <-done)
	b.wantLedger("Processed: ; PO-1: A-100×6", "Processed: ; PO-1: A-100×6", "Review: purchase order PO-1 was received before with other lines")
}

func TestUndecidedMailHoldsUpForAMinute(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	b.SetClock(func() time.Time { return now })
	for _, po := range []string{"PO-1", "PO-2", "PO-3"} {
		b.server.Deliver(order(cafe, po, "A-100,6"))
	}
	refs := b.search()
	for _, step := range []struct {
		after time.Duration
		mail  int
		want  error
	}{
		{0, 1, shop.ErrEarlierMail},
		{shop.TurnLimit - time.Second, 1, shop.ErrEarlierMail},
		{time.Second, 2, shop.ErrEarlierMail}, // now held up by mail 2, since now
		{0, 1, nil},
		{0, 2, nil},
		{0, 0, nil},
	} {
		now = now.Add(step.after)
		if _, err := b.run(refs[step.mail], finished); !errors.Is(err, step.want) {
			t.Fatalf("mail %d: %v, want %v", step.mail+1, err, step.want)
		}
	}
	b.wantCounts("0 3 0 0 3")
}

func TestStoreHonoursItsContext(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	b.server.Deliver(order(cafe, "PO-2", "A-100,6"))
	refs := b.search()
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause) // while it waits for mail 1
	defer cancel()
	_, err := b.Store(ctx, domain.Decision{Mail: domain.Envelope{Ref: refs[1]}, Folder: domain.FolderReview})
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestOversize(t *testing.T) {
	b := newBench(t, func(cfg *shop.Config, _ *mailserver.Config) { cfg.MaxMailBytes = 1 << 20 })
	big := append(order(cafe, "PO-1", "A-100,6"), make([]byte, 1<<20)...)
	b.server.Deliver(big)
	ref := b.search()[0]
	if ref.Oversize != int64(len(big)) {
		t.Errorf("%+v, want its size %d", ref, len(big))
	}
	raw, err := b.Load(t.Context(), ref)
	must(t, err)
	if len(raw.Bytes) > 1000 || !strings.Contains(string(raw.Bytes), "Message-ID") {
		t.Errorf("%d bytes were fetched", len(raw.Bytes))
	}
	if again := b.search()[0]; again != ref {
		t.Errorf("the next search says %+v, this one %+v", again, ref)
	}
	b.finish()
	b.server.Deliver(big)
	b.finish()
	b.wantLedger("Rejected: the mail is larger than 1 MB", "Processed: the same mail was received before")
}

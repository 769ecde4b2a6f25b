package shop_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const own = "orders@nordwind.example"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a shop beside its mail server, with an intake that keeps what it is given.
type bench struct {
	*shop.Shop
	t      testing.TB
	ctx    context.Context // of the stages
	server *mailserver.Server
	cfg    shop.Config
	refs   []domain.MailRef // published by the last search
}

func newBench(t testing.TB, change ...func(*shop.Config, *mailserver.Config)) *bench {
	t.Helper()
	var cfg shop.Config
	cfg.SetDefaults()
	cfg.Account, cfg.AuthservID, cfg.Store = own, "mx.nordwind.example", filepath.Join(t.TempDir(), "orders.db")
	var sc mailserver.Config
	for _, c := range change {
		c(&cfg, &sc)
	}
	server, err := mailserver.Start(sc)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	login := func(addr string) (string, string, string, string, time.Duration) {
		return addr, "orders", "orders", mailbox.TLSNone, 20 * time.Second
	}
	cfg.IMAP.Address, cfg.IMAP.Username, cfg.IMAP.Password, cfg.IMAP.TLS, cfg.IMAP.Timeout = login(server.IMAPAddr())
	cfg.SMTP.Address, cfg.SMTP.Username, cfg.SMTP.Password, cfg.SMTP.TLS, cfg.SMTP.Timeout = login(server.SMTPAddr())
	b := &bench{t: t, ctx: t.Context(), server: server, cfg: cfg}
	b.open()
	t.Cleanup(func() { must(t, b.Close(context.Background())) })
	return b
}

func (b *bench) open() {
	b.t.Helper()
	b.Shop = shop.New(b.cfg, os.DirFS("../testdata"))
	must(b.t, b.Open(b.t.Context()))
}

// restart is a new process on the same store.
func (b *bench) restart() {
	b.t.Helper()
	must(b.t, b.Close(b.t.Context()))
	b.open()
}

// Publish makes the bench an intake.
func (b *bench) Publish(_ context.Context, ref domain.MailRef) error {
	b.refs = append(b.refs, ref)
	return nil
}

func (b *bench) search() []domain.MailRef {
	b.t.Helper()
	b.refs = nil
	_, err := b.Search(b.t.Context(), b)
	must(b.t, err)
	return b.refs
}

// The stages, in their order.
const (
	load = iota
	store
	confirm
	move
	finished
)

// decide takes a mail up to the decision that is not final yet.
func (b *bench) decide(ref domain.MailRef) (d domain.Decision, err error) {
	b.t.Helper()
	raw, err := b.Load(b.ctx, ref)
	if err != nil {
		return d, err
	}
	parts, err := b.Parse(b.ctx, raw)
	must(b.t, err)
	var sheets []domain.Sheet
	for _, p := range parts {
		sheet, err := b.Decode(b.ctx, p)
		must(b.t, err)
		sheets = append(sheets, sheet)
	}
	return b.Decide(b.ctx, sheets)
}

// run takes a mail through the stages before stop.
func (b *bench) run(ref domain.MailRef, stop int) (d domain.Decision, err error) {
	b.t.Helper()
	if d, err = b.decide(ref); err != nil {
		return d, err
	}
	for stage, do := range []func() error{
		store:   func() error { d, err = b.Store(b.ctx, d); return err },
		confirm: func() error { d, err = b.Confirm(b.ctx, d); return err },
		move:    func() error { _, err = b.Move(b.ctx, d); return err },
	} {
		if do == nil || stage >= stop {
			continue
		}
		if err := do(); err != nil {
			return d, err
		}
	}
	return d, nil
}

// finish works until the inbox is empty.
func (b *bench) finish() {
	b.t.Helper()
	for range 5 {
		refs := b.search()
		if len(refs) == 0 {
			return
		}
		for _, ref := range refs {
			if _, err := b.run(ref, finished); err != nil && !errors.Is(err, shop.ErrLeft) {
				b.t.Fatal(err)
			}
		}
	}
	b.t.Fatalf("the inbox does not get empty: %v", b.server.Counts())
}

// counts writes how many mails are where: "inbox processed rejected review sent".
func (b *bench) counts() string {
	n := b.server.Counts()
	return fmt.Sprint(n["INBOX"], n["Processed"], n["Rejected"], n["Review"], len(b.server.Sent()))
}

func (b *bench) wantCounts(want string) {
	b.t.Helper()
	if got := b.counts(); got != want {
		b.t.Errorf("inbox, processed, rejected, review, sent: %s, want %s", got, want)
	}
}

func (b *bench) ledger() []shop.Entry {
	b.t.Helper()
	entries, err := b.Ledger(b.t.Context(), time.Time{})
	must(b.t, err)
	return entries
}

// wantLedger compares all arrivals, each as "folder: reason; orders".
func (b *bench) wantLedger(want ...string) {
	b.t.Helper()
	var got []string
	for _, e := range b.ledger() {
		line := string(e.Folder) + ": " + e.Reason
		for _, o := range e.Orders {
			line += "; " + o.String()
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("the ledger is\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const (
	cafe  = "einkauf@morgenrot.example"
	hotel = "buero@seeblick.example"
)

// order is the mail of an authenticated customer with one CSV file; lines are "article,quantity".
func order(from, po string, lines ...string) []byte {
	_, host, _ := strings.Cut(from, "@")
	body := "po,article,quantity\r\n"
	for _, l := range lines {
		body += po + "," + l + "\r\n"
	}
	id := sha256.Sum256([]byte(from + body))
	return []byte("Return-Path: <" + from + ">\r\n" +
		"Authentication-Results: mx.nordwind.example; dmarc=pass header.from=" + host + "\r\n" +
		"From: <" + from + ">\r\nTo: <" + own + ">\r\nSubject: Order " + po + "\r\n" +
		"Message-ID: <" + hex.EncodeToString(id[:8]) + "@" + host + ">\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/csv; charset=utf-8; name=order.csv\r\n" +
		"Content-Disposition: attachment; filename=order.csv\r\n\r\n" + body)
}

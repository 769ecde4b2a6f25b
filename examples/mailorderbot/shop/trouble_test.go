package shop_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

func TestAnswersPerHour(t *testing.T) {
	b := newBench(t, func(cfg *shop.Config, _ *mailserver.Config) { cfg.AnswersPerHour = 2 })
	now := time.Now()
	b.SetClock(func() time.Time { return now })
	b.server.Deliver(order(hotel, "PO-0", "A-100,6"))
	for i, step := range []struct {
		after    time.Duration
		answered bool
	}{
		{0, true},
		{30 * time.Minute, true},
		{time.Minute, false},
		{28 * time.Minute, false},
		{time.Minute, true}, // the first one is an hour ago; those that were not sent do not count
		{time.Minute, false},
	} {
		now = now.Add(step.after)
		b.server.Deliver(order(cafe, fmt.Sprint("PO-", i+1), "A-100,6"))
		b.finish()
		all := b.ledger()
		e := all[len(all)-1]
		if e.Answered != step.answered || (e.Unsent == "not sent: 2 answers in the last hour are the limit") == step.answered || len(e.Orders) != 1 {
			t.Errorf("mail %d: %+v", i+1, e)
		}
	}
	b.wantCounts("0 7 0 0 4")
}

func TestAnswerRefusedForGood(t *testing.T) {
	b := newBench(t, func(_ *shop.Config, sc *mailserver.Config) {
		sc.Accept = func(_, to string) error {
			if to == cafe {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			}
			return nil
		}
	})
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	b.server.Deliver(order(hotel, "PO-2", "A-100,6"))
	b.finish()
	b.wantCounts("0 2 0 0 1")
	if e := b.ledger()[0]; e.Answered || !strings.Contains(e.Unsent, "no such user") {
		t.Errorf("%+v", e)
	}
}

func TestMailServerSaysLater(t *testing.T) {
	busy := true
	b := newBench(t, func(_ *shop.Config, sc *mailserver.Config) {
		sc.Accept = func(string, string) error {
			if busy {
				return &smtp.SMTPError{Code: 451, Message: "try again later"}
			}
			return nil
		}
	})
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	ref := b.search()[0]
	for range 2 {
		if _, err := b.run(ref, finished); err == nil || !strings.Contains(err.Error(), "try again later") {
			t.Fatalf("%v", err)
		}
	}
	b.wantCounts("1 0 0 0 0")
	busy = false
	b.finish()
	b.wantCounts("0 1 0 0 1")
	b.wantLedger("Processed: ; PO-1: A-100×6")
}

// The answer stays to be sent when somebody moves the mail meanwhile.
func TestUnansweredIsFoundAgain(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	ref := b.search()[0]
	_, err := b.run(ref, confirm)
	must(t, err)
	b.takeOut(ref, "Processed")
	b.restart()
	b.finish()
	b.wantCounts("0 1 0 0 1")
}

func TestMailServerAway(t *testing.T) {
	b := newBench(t)
	address := b.cfg.IMAP.Address
	must(t, b.server.Close())
	b.restart() // the shop opens all the same
	if _, err := b.Search(t.Context(), b); err == nil || !strings.Contains(err.Error(), address) {
		t.Fatalf("no mail server: %v", err)
	}
	if _, err := b.Move(t.Context(), domain.Decision{Folder: domain.FolderReview}); err == nil {
		t.Fatal("moved without a mail server")
	}
	if _, err := b.InboxCount(t.Context()); err == nil {
		t.Fatal("counted without a mail server")
	}
	server, err := mailserver.Start(mailserver.Config{IMAPAddr: address, SMTPAddr: b.cfg.SMTP.Address})
	must(t, err)
	b.server = server
	t.Cleanup(func() { must(t, server.Close()) })
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	ref := b.search()[0]
	b.server.DropConnections()
	_, err = b.run(ref, finished)
	must(t, err)
	b.wantCounts("0 1 0 0 1")
}

// proxy passes lines of clients on, except that it hangs up when one contains the poison.
func proxy(t *testing.T, to, poison string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(t.Context(), client, to, poison) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func pass(ctx context.Context, client net.Conn, to, poison string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var answers sync.WaitGroup
	answers.Go(func() { io.Copy(client, server) })
	lines := bufio.NewScanner(client)
	for lines.Scan() && !strings.Contains(lines.Text(), poison) {
		io.WriteString(server, lines.Text()+"\r\n")
	}
	client.Close()
	server.Close()
	answers.Wait()
}

func TestMailThatCannotBeFetched(t *testing.T) {
	b := newBench(t)
	for _, po := range []string{"PO-1", "PO-2", "PO-3"} {
		b.server.Deliver(order(cafe, po, "A-100,6"))
	}
	b.cfg.IMAP.Address = proxy(t, b.server.IMAPAddr(), "UID FETCH 2 (UID BODY.PEEK")
	b.restart()
	found, err := b.Search(t.Context(), b)
	if err == nil || !strings.Contains(err.Error(), "mail 2 of the inbox") || strings.Contains(err.Error(), "mail 3") {
		t.Errorf("%v", err)
	}
	if len(b.refs) != 2 || found.New != 2 || found.Inbox != 3 {
		t.Errorf("found %+v, published %v", found, b.refs)
	}
	for _, ref := range b.refs {
		_, err := b.run(ref, finished)
		must(t, err)
	}
	b.wantCounts("1 2 0 0 2")
	if len(b.ledger()) != 2 {
		t.Errorf("%+v", b.ledger())
	}
}

// When the server goes away in the middle, the search ends instead of asking in vain for each mail that is left.
func TestMailServerGoesAwayDuringSearch(t *testing.T) {
	b := newBench(t)
	for _, po := range []string{"PO-1", "PO-2", "PO-3"} {
		b.server.Deliver(order(cafe, po, "A-100,6"))
	}
	found, err := b.Search(t.Context(), intake(func(domain.MailRef) error { return b.server.Close() }))
	if err == nil || found.New != 1 || strings.Count(err.Error(), "imap") != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestIntakeThatIsFull(t *testing.T) {
	b := newBench(t)
	b.server.Deliver(order(cafe, "PO-1", "A-100,6"))
	full := errors.New("full")
	if _, err := b.Search(t.Context(), intake(func(domain.MailRef) error { return full })); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	b.finish()
	b.wantCounts("0 1 0 0 1")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	must(t, os.WriteFile(bad, []byte("article,name,pack,price\nA-100,Cup,six,2.40\n"), 0o600))
	notDB := filepath.Join(dir, "orders.txt")
	must(t, os.WriteFile(notDB, []byte(strings.Repeat("no database\n", 100)), 0o600))
	for name, tc := range map[string]struct {
		change func(*shop.Config)
		want   []string
	}{
		"catalogue missing": {func(c *shop.Config) { c.Catalogue = filepath.Join(dir, "none.csv") }, []string{"none.csv"}},
		"catalogue broken":  {func(c *shop.Config) { c.Catalogue = bad }, []string{bad, "2", "six"}},
		"customers missing": {func(c *shop.Config) { c.Customers = filepath.Join(dir, "nobody.csv") }, []string{"nobody.csv"}},
		"store in no place": {func(c *shop.Config) { c.Store = filepath.Join(dir, "none", "orders.db") }, []string{filepath.Join(dir, "none", "orders.db")}},
		"store is no store": {func(c *shop.Config) { c.Store = notDB }, []string{notDB}},
	} {
		t.Run(name, func(t *testing.T) {
			var cfg shop.Config
			cfg.SetDefaults()
			cfg.Store = filepath.Join(dir, "orders.db")
			tc.change(&cfg)
			s := shop.New(cfg, os.DirFS("../testdata"))
			err := s.Open(t.Context())
			if err == nil {
				t.Fatal("it opens")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error is %q, without %q", err, w)
				}
			}
			t.Log(err)
			must(t, s.Close(t.Context()))
		})
	}
}

func TestStoreNames(t *testing.T) {
	for _, name := range []string{"with space.db", "q?uery.db", "h#ash.db", "per%20cent.db", "bestellungen-ü.db"} {
		b := newBench(t, func(cfg *shop.Config, _ *mailserver.Config) { cfg.Store = filepath.Join(filepath.Dir(cfg.Store), name) })
		if _, err := os.Stat(b.cfg.Store); err != nil {
			t.Error(err)
		}
		must(t, b.CheckStore(t.Context()))
	}
}

func TestConfig(t *testing.T) {
	var demo shop.Config
	demo.SetDefaults()
	must(t, demo.Validate())
	demo.Complete()
	if demo.Account != own || demo.IMAP.TLS != mailbox.TLSNone || demo.PollEvery != 500*time.Millisecond {
		t.Errorf("%+v", demo)
	}
	real := shop.Config{PollEvery: -1, MaxMailBytes: -1, AnswersPerHour: -1, IMAP: mailbox.IMAPConfig{Address: "mail.example.com:993"}}
	wantFaults(t, real.Validate(), "poll_every", "max_mail_bytes", "answers_per_hour", "give_up_after",
		"smtp.address", "account", "authserv_id", "store", "catalogue", "customers")
	half := shop.Config{MaxMailBytes: 1, GiveUpAfter: 1, SMTP: mailbox.SMTPConfig{Address: "mail.example.com:465"}}
	wantFaults(t, half.Validate(), "imap.address")

	real.PollEvery, real.IMAP.TLS = 0, mailbox.TLSImplicit
	real.Complete()
	if real.Account != "" || real.IMAP.Password != "" || real.IMAP.TLS != mailbox.TLSImplicit || real.PollEvery != 15*time.Second {
		t.Errorf("a real account is completed with what the demonstration uses: %+v", real)
	}
}

func wantFaults(t *testing.T, err error, keys ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no fault")
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(keys) {
		t.Errorf("%d faults, want %d:\n%v", len(lines), len(keys), err)
	}
	for _, key := range keys {
		if !strings.Contains(err.Error(), key+" ") {
			t.Errorf("nothing about %s: %v", key, err)
		}
	}
}

package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// oddMails are mails that mail programs change, complete or refuse.
func oddMails() map[string][]byte {
	junk := make([]byte, 300_000)
	rng := rand.NewChaCha8([32]byte{2})
	_, _ = rng.Read(junk)
	return map[string][]byte{
		"ordinary":             []byte("From: a@b.test\r\nSubject: order\r\n\r\nhello\r\n"),
		"empty":                {},
		"no header":            []byte("\r\nhello"),
		"only a header":        []byte("Subject: order"),
		"no final newline":     []byte("Subject: order\r\n\r\nhello"),
		"bare line feeds":      []byte("Subject: order\n\nhello\nworld"),
		"8 bit":                []byte("Subject: f\xfcr M\xfcller\r\n\r\n\xc4\xd6\xdc\x80\xff"),
		"binary":               bytes.ReplaceAll(junk, []byte{0}, []byte{1}),
		"a huge line":          []byte("Subject: order\r\n\r\n" + strings.Repeat("x", 2<<20)),
		"what looks like IMAP": []byte(")\r\n* 1 EXISTS\r\nT5 OK done {10}\r\n"),
	}
}

func TestFetchReturnsTheBytesOfTheServer(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	for name, raw := range oddMails() {
		t.Run(name, func(t *testing.T) {
			uid := s.Deliver(raw)
			items, err := m.List(t.Context(), mailbox.Inbox)
			must(t, err)
			item := items[len(items)-1]
			if item.UID != uid || item.Size != int64(len(raw)) || item.UIDValidity == 0 || item.Folder != "" {
				t.Fatalf("listed %+v, want UID %d and %d bytes", item, uid, len(raw))
			}
			got, err := m.Fetch(t.Context(), item)
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("fetched %d bytes, %v, want %d bytes", len(got), err, len(raw))
			}
			header, err := m.Header(t.Context(), item)
			if err != nil || !bytes.HasPrefix(raw, header) {
				t.Errorf("the header is %.80q, %v", header, err)
			}
		})
	}
}

func TestHeaderIsBounded(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	s.Deliver([]byte("Subject: order\r\n\r\nhello"))
	s.Deliver(bytes.Repeat([]byte("X-Header: x\r\n"), 100_000))
	items := list(t, m, 2)
	header, err := m.Header(t.Context(), items[0])
	if err != nil || string(header) != "Subject: order\r\n\r\n" {
		t.Errorf("header %q, %v", header, err)
	}
	if header, err = m.Header(t.Context(), items[1]); err != nil || len(header) != 256<<10 {
		t.Errorf("the long header is %d bytes, %v", len(header), err)
	}
}

func TestListAndCount(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	ctx := t.Context()
	list(t, m, 0)
	for range 300 {
		s.Deliver([]byte("Subject: order\r\n\r\n"))
	}
	items := list(t, m, 300)
	for i, item := range items {
		if item.UID != uint32(i+1) {
			t.Fatalf("item %d has UID %d", i, item.UID)
		}
	}
	must(t, m.Move(ctx, items[7].UIDValidity, items[7].UID, "Review"))
	for folder, want := range map[string]int{mailbox.Inbox: 299, "Review": 1, "Processed": 0} {
		if n, err := m.Count(ctx, folder); err != nil || n != want {
			t.Errorf("%s counts %d, %v, want %d", folder, n, err, want)
		}
	}
	review, err := m.List(ctx, "Review")
	must(t, err)
	if len(review) != 1 || review[0].Folder != "Review" {
		t.Fatalf("Review lists %+v", review)
	}
	if raw, err := m.Fetch(ctx, review[0]); err != nil || string(raw) != "Subject: order\r\n\r\n" {
		t.Errorf("fetched %q, %v from Review", raw, err)
	}
	_, err = m.List(ctx, "Nowhere")
	wantError(t, err, mailbox.ErrNoFolder, s.IMAPAddr(), "list Nowhere")
	_, err = m.Count(ctx, "Nowhere")
	wantError(t, err, mailbox.ErrNoFolder, s.IMAPAddr(), "count Nowhere")
}

func TestMove(t *testing.T) {
	for name, hidden := range map[string][]imap.Cap{
		"with MOVE and UIDPLUS": nil,
		"with MOVE":             {imap.CapUIDPlus},
		"with UIDPLUS":          {imap.CapMove},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, mailserver.Config{Hide: hidden})
			m := open(t, plain(s.IMAPAddr()))
			ctx := t.Context()
			for _, raw := range []string{"one", "two", "three"} {
				s.Deliver([]byte(raw))
			}
			items := list(t, m, 3)
			validity := items[0].UIDValidity
			must(t, m.Move(ctx, validity, items[1].UID, "Processed"))
			if got := s.Folders(); string(bytes.Join(got[mailbox.Inbox], []byte(" "))) != "one three" || string(got["Processed"][0]) != "two" {
				t.Errorf("folders hold %q", got)
			}

			wantError(t, m.Move(ctx, validity, items[1].UID, "Processed"), mailbox.ErrGone,
				s.IMAPAddr(), "move mail 2 of INBOX to Processed")
			wantError(t, m.Move(ctx, validity+1, items[0].UID, "Processed"), mailbox.ErrUIDValidity, fmt.Sprint(validity))
			wantError(t, m.Move(ctx, validity, items[0].UID, "Nowhere"), mailbox.ErrNoFolder, "to Nowhere")
			for _, bad := range []error{
				m.Move(ctx, 0, items[0].UID, "Processed"),
				m.Move(ctx, validity, 0, "Processed"), // 0 would be the last mail
				m.Move(ctx, validity, items[0].UID, "inbox"),
				m.Move(ctx, validity, items[0].UID, ""),
			} {
				wantError(t, bad, nil, s.IMAPAddr(), "move")
			}
			wantCounts(t, s, map[string]int{mailbox.Inbox: 2, "Processed": 1})
		})
	}
}

func TestServerThatCannotMoveIsRefused(t *testing.T) {
	s := serve(t, mailserver.Config{Hide: []imap.Cap{imap.CapMove, imap.CapUIDPlus}})
	m := mailbox.New(plain(s.IMAPAddr()))
	wantError(t, m.Open(t.Context()), mailbox.ErrUnsafe, s.IMAPAddr())
	wantError(t, m.Ping(t.Context()), mailbox.ErrNotOpen)
}

func TestFoldersAreCreated(t *testing.T) {
	s := serve(t, mailserver.Config{Folders: []string{"Review"}})
	cfg := plain(s.IMAPAddr())
	cfg.Folders = []string{"Review", "Done/2025", "Übrig"}
	m := open(t, cfg)
	s.Deliver([]byte("mail"))
	item := list(t, m, 1)[0]
	must(t, m.Move(t.Context(), item.UIDValidity, item.UID, "Übrig"))
	wantCounts(t, s, map[string]int{"Übrig": 1})
}

func TestGoneMail(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	other := open(t, plain(s.IMAPAddr()))
	s.Deliver([]byte("mail"))
	item := list(t, m, 1)[0]
	must(t, other.Move(t.Context(), item.UIDValidity, item.UID, "Review"))
	_, err := m.Fetch(t.Context(), item)
	wantError(t, err, mailbox.ErrGone, s.IMAPAddr(), "fetch mail 1 of INBOX")
	_, err = m.Header(t.Context(), item)
	wantError(t, err, mailbox.ErrGone, "fetch the header of mail 1 of INBOX")
	list(t, m, 0)
}

func TestRebuiltFolder(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	s.Deliver([]byte("one"))
	s.Deliver([]byte("two"))
	items := list(t, m, 2)
	must(t, m.Move(t.Context(), items[0].UIDValidity, items[0].UID, "Review"))
	must(t, s.Rebuild(mailbox.Inbox)) // "two" has UID 1 now
	_, err := m.Fetch(t.Context(), items[0])
	wantError(t, err, mailbox.ErrUIDValidity)
	wantError(t, m.Move(t.Context(), items[0].UIDValidity, 1, "Review"), mailbox.ErrUIDValidity)
	wantCounts(t, s, map[string]int{mailbox.Inbox: 1, "Review": 1})
	item := list(t, m, 1)[0]
	if raw, err := m.Fetch(t.Context(), item); err != nil || string(raw) != "two" {
		t.Errorf("fetched %q, %v", raw, err)
	}
}

// A connection that broke while nobody used it is no reason for a call to fail.
func TestReconnectsWithinACall(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	s.Deliver([]byte("mail"))
	item := list(t, m, 1)[0]
	s.DropConnections()
	if _, err := m.Fetch(t.Context(), item); err != nil {
		t.Error(err)
	}
	s.DropConnections()
	must(t, m.Move(t.Context(), item.UIDValidity, item.UID, "Review"))
	s.DropConnections()
	must(t, m.Ping(t.Context()))
}

func TestServerIsDownForAWhile(t *testing.T) {
	first := serve(t, mailserver.Config{})
	addr := first.IMAPAddr()
	m := open(t, plain(addr))
	must(t, first.Close())
	for range 2 {
		_, err := m.Count(t.Context(), mailbox.Inbox)
		wantError(t, err, nil, addr, "connect")
	}
	serve(t, mailserver.Config{IMAPAddr: addr, Folders: []string{}})
	n, err := m.Count(t.Context(), "Processed") // created by the new connection
	if err != nil || n != 0 {
		t.Errorf("counted %d, %v", n, err)
	}
}

func TestOpenAndClose(t *testing.T) {
	s := serve(t, mailserver.Config{})
	m := mailbox.New(plain(s.IMAPAddr()))
	ctx := t.Context()
	must(t, m.Close(ctx))
	_, err := m.List(ctx, mailbox.Inbox)
	wantError(t, err, mailbox.ErrNotOpen, "list INBOX")
	for range 3 {
		must(t, m.Open(ctx))
		list(t, m, 0)
		wantError(t, m.Open(ctx), nil, "open already")
		must(t, m.Close(ctx))
		wantError(t, m.Ping(ctx), mailbox.ErrNotOpen)
	}

	cfg := plain(s.IMAPAddr())
	cfg.Password = "a wrong secret"
	err = mailbox.New(cfg).Open(ctx)
	wantError(t, err, nil, s.IMAPAddr(), `log in as "orders"`, "AUTHENTICATIONFAILED")
	if strings.Contains(err.Error(), cfg.Password) {
		t.Errorf("the error tells the password: %v", err)
	}
	if answer := new(imap.Error); !errors.As(err, &answer) {
		t.Errorf("the server's answer is not in %v", err)
	}
	wantError(t, mailbox.New(mailbox.IMAPConfig{}).Open(ctx), nil, "address")
	wantError(t, mailbox.New(mailbox.IMAPConfig{Address: "h:1", TLS: "ssl"}).Open(ctx), nil, `"ssl"`)
}

func TestManyCallersShareTheConnection(t *testing.T) {
	const mails, callers = 40, 8
	s := serve(t, mailserver.Config{})
	m := open(t, plain(s.IMAPAddr()))
	for i := range mails {
		s.Deliver(fmt.Appendf(nil, "mail %d", i+1))
	}
	items := list(t, m, mails)
	var running sync.WaitGroup
	moved := make(chan uint32, mails*callers)
	for n := range callers {
		running.Go(func() {
			for i := range items {
				item := items[(i+n*5)%mails]
				if i%16 == n {
					s.DropConnections()
				}
				raw, err := m.Fetch(t.Context(), item)
				if err == nil && string(raw) != fmt.Sprintf("mail %d", item.UID) {
					t.Errorf("mail %d is %q", item.UID, raw)
				}
				if err := m.Move(t.Context(), item.UIDValidity, item.UID, "Processed"); err == nil {
					moved <- item.UID
				}
				_, _ = m.Count(t.Context(), "Processed") // a dropped connection may fail any call
			}
		})
	}
	running.Wait()
	close(moved)
	once := make(map[uint32]bool)
	for uid := range moved {
		if once[uid] {
			t.Errorf("mail %d was moved twice", uid)
		}
		once[uid] = true
	}
	wantCounts(t, s, map[string]int{"Processed": mails})
}

func TestWaitingForTheTurnEndsWithTheContext(t *testing.T) {
	hanging := make(chan struct{})
	addr := play(t, func(p *peer) {
		p.login(capabilities)
		p.hear("NOOP")
		close(hanging)
		p.hang()
	})
	m := open(t, bare(addr))
	ctx, cancel := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() { _ = m.Ping(ctx) })
	<-hanging
	waiting, stop := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	stop(reason)
	wantError(t, m.Ping(waiting), reason)
	cancel()
	first.Wait()
}

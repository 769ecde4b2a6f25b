package mailserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

func TestAddressInUse(t *testing.T) {
	s := start(t, Config{})
	for _, cfg := range []Config{{IMAPAddr: s.IMAPAddr()}, {SMTPAddr: s.SMTPAddr()}, {Implicit: true}} {
		if other, err := Start(cfg); err == nil {
			_ = other.Close()
			t.Errorf("started with %+v", cfg)
		}
	}
}

func TestSMTP(t *testing.T) {
	refused := &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "later"}
	s := start(t, Config{Address: "shop@example.test", Accept: func(_, to string) error {
		if strings.HasPrefix(to, "later@") {
			return refused
		}
		return nil
	}})
	c, err := smtp.Dial(s.SMTPAddr())
	must(t, err)
	defer func() { _ = c.Close() }()
	var answer *smtp.SMTPError
	if err := c.Auth(sasl.NewPlainClient("", "orders", "wrong")); !errors.As(err, &answer) || answer.Code != 535 {
		t.Errorf("a wrong password gives %v", err)
	}
	must(t, c.Auth(sasl.NewPlainClient("", "orders", "orders")))
	raw := "Subject: hi\r\n\r\n.dots\r\n..\r\n\xff" + strings.Repeat("x", 5000) + "\r\n"
	must(t, c.SendMail("", []string{"ann@a.test", "Shop@Example.Test", "bob@b.test"}, strings.NewReader(raw)))
	if err := c.SendMail("", []string{"later@a.test"}, strings.NewReader(raw)); !errors.As(err, &answer) || answer.Code != 450 {
		t.Errorf("the refused recipient gives %v", err)
	}
	sent := s.Sent()
	if len(sent) != 2 || sent[0].To != "ann@a.test" || sent[1].To != "bob@b.test" || sent[0].From != "" || string(sent[1].Data) != raw {
		t.Errorf("sent %.200q", fmt.Sprint(sent))
	}
	if got := s.Folders()[inbox]; len(got) != 1 || string(got[0]) != raw {
		t.Errorf("INBOX holds %.200q", got)
	}
}

// A mail that breaks off on its way in must not be stored as if it ended there.
func TestMailsThatBreakOffAreNotStored(t *testing.T) {
	s := start(t, Config{Address: "shop@example.test"})
	c := plain(t, s.IMAPAddr())
	expect(t, c, "", "* OK")
	expect(t, c, "a LOGIN orders orders", "a OK")
	expect(t, c, "b APPEND INBOX {1000}", "+ ")
	vanish(t, c, "Subject: half a mail\r\n")

	c = plain(t, s.SMTPAddr())
	expect(t, c, "", "220 ")
	expect(t, c, "EHLO localhost", "250 ")
	expect(t, c, "MAIL FROM:<>", "250 ")
	expect(t, c, "RCPT TO:<shop@example.test>", "250 ")
	expect(t, c, "DATA", "354 ")
	vanish(t, c, "Subject: half a mail\r\n\r\nhello\r\n")

	wantCounts(t, s, map[string]int{})
	if sent := s.Sent(); len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}
}

// The answer to a move may find nobody; the move has happened then.
func TestMoveOfAClientThatVanishes(t *testing.T) {
	s := start(t, Config{})
	deliver(s, 1)
	c := plain(t, s.IMAPAddr())
	expect(t, c, "", "* OK")
	expect(t, c, "a LOGIN orders orders", "a OK")
	expect(t, c, "b SELECT INBOX", "b OK")
	_, err := c.Write([]byte("c UID MOVE 1 Processed\r\n"))
	must(t, err)
	must(t, c.(*net.TCPConn).CloseWrite())
	expect(t, c, "", "c OK")
	wantCounts(t, s, map[string]int{"Processed": 1})
}

func TestClientThatDoesNotReadStopsNobody(t *testing.T) {
	s := start(t, Config{})
	s.Deliver(bytes.Repeat([]byte("x"), 64<<20)) // more than the network buffers
	c := plain(t, s.IMAPAddr())
	must(t, c.(*net.TCPConn).SetReadBuffer(4096))
	expect(t, c, "", "* OK")
	expect(t, c, "a LOGIN orders orders", "a OK")
	expect(t, c, "b SELECT INBOX", "b OK")
	expect(t, c, "c UID FETCH 1 BODY.PEEK[]", "FETCH")

	other := dial(t, s, nil)
	_, err := other.Move(imap.UIDSetNum(1), "Review").Wait()
	must(t, err)
	deliver(s, 1)
	must(t, s.Close())
	wantCounts(t, s, map[string]int{inbox: 1, "Review": 1})
}

// At any moment every mail is in one folder, however many clients move it at once.
func TestNoMailIsLostOrDoubledByManyClients(t *testing.T) {
	const mails, clients = 60, 6
	s := start(t, Config{})
	all := deliver(s, mails)
	watching, stop := context.WithCancel(t.Context())
	var watcher, movers sync.WaitGroup
	watcher.Go(func() {
		for watching.Err() == nil {
			seen := make(map[string]bool)
			for name, folder := range s.Status().Folders {
				for _, m := range folder {
					if seen[m.SHA256] {
						t.Errorf("a mail of %s is there twice", name)
						return
					}
					seen[m.SHA256] = true
				}
			}
			if len(seen) != mails {
				t.Errorf("there are %d mails, want %d", len(seen), mails)
				return
			}
		}
	})
	targets := []string{"Processed", "Rejected", "Review"}
	for n := range clients {
		c := dial(t, s, nil)
		movers.Go(func() {
			for i := range all {
				uid := all[(i*7+n*11)%len(all)]
				if _, err := c.Move(imap.UIDSetNum(uid), targets[(i+n)%3]).Wait(); err != nil {
					t.Error(err)
					return
				}
				if i%20 == n { // vanish now and then
					_ = c.Close()
					fresh, err := imapclient.DialInsecure(s.IMAPAddr(), nil)
					if err == nil {
						err = errors.Join(fresh.Login("orders", "orders").Wait())
					}
					if err == nil {
						_, err = fresh.Select(inbox, nil).Wait()
					}
					if err != nil {
						t.Error(err)
						return
					}
					c = fresh
				}
			}
			_ = c.Close()
		})
	}
	movers.Wait()
	stop()
	watcher.Wait()
	if n := s.Counts()[inbox]; n != 0 {
		t.Errorf("%d mails are left in INBOX", n)
	}
}

func TestDropConnections(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	s.DropConnections()
	<-c.Closed()
	dial(t, s, nil)
	must(t, s.Close())
	must(t, s.Close()) // again: nothing
	if _, err := net.Dial("tcp", s.IMAPAddr()); err == nil {
		t.Error("the closed server accepts a connection")
	}
}

func TestReadFiles(t *testing.T) {
	files, err := ReadFiles(fstest.MapFS{
		"b.eml": {Data: []byte("two")}, "a.EML": {Data: []byte("one")}, "c.txt": {Data: []byte("no")}, "d.eml/e.eml": {Data: []byte("no")},
	})
	if err != nil || len(files) != 2 || files[0].Name != "a.EML" || string(files[1].Raw) != "two" {
		t.Errorf("read %v, %v", files, err)
	}
	if _, err := ReadFiles(fstest.MapFS{"c.txt": {}}); err == nil {
		t.Error("a folder without mails is no error")
	}
}

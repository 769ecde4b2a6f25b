package mailbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks what an error is and that its text says what a reader of a log needs.
func wantError(t testing.TB, err, is error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v %q", is, parts)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("error is %v, want %v", err, is)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want %q in it", err, part)
		}
	}
}

// serve runs the embedded server until the end of the test.
func serve(t testing.TB, cfg mailserver.Config) *mailserver.Server {
	t.Helper()
	s, err := mailserver.Start(cfg)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return s
}

func plain(addr string) mailbox.IMAPConfig {
	return mailbox.IMAPConfig{Address: addr, Username: "orders", Password: "orders", TLS: mailbox.TLSNone, Timeout: 20 * time.Second}
}

// open returns a Mailbox that is open until the end of the test.
func open(t testing.TB, cfg mailbox.IMAPConfig) *mailbox.Mailbox {
	t.Helper()
	m := mailbox.New(cfg)
	must(t, m.Open(t.Context()))
	closeAtEnd(t, m)
	return m
}

func closeAtEnd(t testing.TB, m *mailbox.Mailbox) {
	t.Helper()
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the mailbox: %v", err)
		}
	})
}

// list returns the items of INBOX, of which there must be n.
func list(t testing.TB, m *mailbox.Mailbox, n int) []mailbox.Item {
	t.Helper()
	items, err := m.List(t.Context(), mailbox.Inbox)
	must(t, err)
	if len(items) != n {
		t.Fatalf("INBOX lists %v, want %d mails", items, n)
	}
	return items
}

func wantCounts(t testing.TB, s *mailserver.Server, want map[string]int) {
	t.Helper()
	for folder, got := range s.Counts() {
		if got != want[folder] {
			t.Errorf("%s holds %d mails, want %d", folder, got, want[folder])
		}
	}
}

// peer is the server's end of a connection in a test that plays the server by hand.
type peer struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// play listens and gives every connection to f, one after the other; it returns the address. When f is done with a connection, it
// is closed.
func play(t testing.TB, f func(p *peer)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var mu sync.Mutex
	var current net.Conn
	var playing sync.WaitGroup
	playing.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			current = c
			mu.Unlock()
			func() {
				defer func() {
					_ = c.Close()
					if r := recover(); r != nil && r != errGone {
						panic(r)
					}
				}()
				f(&peer{Conn: c, t: t, r: bufio.NewReader(c)})
			}()
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		if current != nil {
			_ = current.Close()
		}
		mu.Unlock()
		playing.Wait()
	})
	return ln.Addr().String()
}

// errGone ends the play of a connection that the client closed.
var errGone = errors.New("the client is gone")

func (p *peer) say(format string, args ...any) {
	if _, err := fmt.Fprintf(p, format+"\r\n", args...); err != nil {
		panic(errGone)
	}
}

// hear reads a command, which must contain a text, and returns its tag.
func (p *peer) hear(want string) string {
	line, err := p.r.ReadString('\n')
	if err != nil {
		panic(errGone)
	}
	if !strings.Contains(line, want) {
		p.t.Errorf("the client says %q, want %q", line, want)
		panic(errGone)
	}
	tag, _, _ := strings.Cut(line, " ")
	return tag
}

// hang says nothing more; it returns when the client is gone.
func (p *peer) hang() { _, _ = io.Copy(io.Discard, p.r) }

func (p *peer) goodbye() { p.say("* BYE\r\n%s OK", p.hear("LOGOUT")) }

const capabilities = "IMAP4rev1 MOVE UIDPLUS"

// login plays the beginning of a conversation.
func (p *peer) login(caps string) {
	p.say("* OK [CAPABILITY %s] hello", caps)
	p.say("%s OK [CAPABILITY %s] welcome", p.hear("LOGIN"), caps)
}

func (p *peer) selected() {
	tag := p.hear("SELECT")
	p.say("* 1 EXISTS\r\n* OK [UIDVALIDITY 9] valid\r\n%s OK [READ-WRITE] done", tag)
}

// bare is a configuration for servers that are played: they need not know about folders.
func bare(addr string) mailbox.IMAPConfig {
	cfg := plain(addr)
	cfg.Folders = []string{}
	return cfg
}

package mailserver

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server until the end of the test.
func start(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// dial returns a client that is logged in and has INBOX selected.
func dial(t testing.TB, s *Server, opts *imapclient.Options) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(s.IMAPAddr(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Login("orders", "orders").Wait())
	choose(t, c, inbox)
	return c
}

func choose(t testing.TB, c *imapclient.Client, folder string) *imap.SelectData {
	t.Helper()
	data, err := c.Select(folder, nil).Wait()
	must(t, err)
	return data
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fetch returns one section of one mail.
func fetch(t testing.TB, c *imapclient.Client, uid imap.UID, section *imap.FetchItemBodySection) []byte {
	t.Helper()
	msgs, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	must(t, err)
	if len(msgs) != 1 || len(msgs[0].BodySection) != 1 {
		t.Fatalf("mail %d: got %d answers", uid, len(msgs))
	}
	return msgs[0].BodySection[0].Bytes
}

func uids(t testing.TB, c *imapclient.Client, criteria *imap.SearchCriteria) []imap.UID {
	t.Helper()
	data, err := c.UIDSearch(criteria, nil).Wait()
	must(t, err)
	return data.AllUIDs()
}

func wantUIDs(t testing.TB, got []imap.UID, want ...imap.UID) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got UIDs %v, want %v", got, want)
	}
}

func wantCode(t testing.TB, err error, code imap.ResponseCode) {
	t.Helper()
	answer, ok := err.(*imap.Error)
	if !ok || answer.Type != imap.StatusResponseTypeNo || answer.Code != code {
		t.Errorf("got %v, want NO [%s]", err, code)
	}
}

// plain speaks the protocols by hand, to vanish where a library would not.
func plain(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// vanish writes half of something, ends the connection and waits until the server has noticed.
func vanish(t testing.TB, c net.Conn, half string) {
	t.Helper()
	_, err := c.Write([]byte(half))
	must(t, err)
	must(t, c.(*net.TCPConn).CloseWrite())
	_, err = io.Copy(io.Discard, c)
	must(t, err)
}

// expect writes a line and reads until the answer contains a text.
func expect(t testing.TB, c net.Conn, line, want string) {
	t.Helper()
	if line != "" {
		_, err := c.Write([]byte(line + "\r\n"))
		must(t, err)
	}
	var got []byte
	for buf := make([]byte, 4096); !bytes.Contains(got, []byte(want)); {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("after %q: %v; got %q, want %q", line, err, got, want)
		}
	}
}

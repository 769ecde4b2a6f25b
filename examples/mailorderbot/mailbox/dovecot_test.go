package mailbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// The tests in this file run against a real mail server, Dovecot, if it is installed (in Debian: dovecot-imapd). They need root, as
// Dovecot does, and are skipped otherwise, unless PLBA_TEST_REQUIRE, a comma-separated list, contains "dovecot".

// missing skips a test that needs Dovecot, or fails it where Dovecot is required.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("PLBA_TEST_REQUIRE"), ","), "dovecot") {
		t.Fatalf("PLBA_TEST_REQUIRE: "+format, args...)
	}
	t.Skipf(format, args...)
}

// dovecotConfig has one user with any name and the password "secret". Dovecot refuses to deliver mail as root, so the mails
// belong to nobody.
const dovecotConfig = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
protocols = imap
listen = 127.0.0.1
ssl = no
auth_failure_delay = 0
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:%[1]s/mail/%%u
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
protocol imap {
%[3]s
}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s
}
service imap-login {
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = 0
  }
}
`

type dovecot struct {
	dir  string
	addr string
}

// startDovecot runs a Dovecot of its own, in a private directory, until the end of the test. The settings are for its IMAP
// protocol.
func startDovecot(t testing.TB, settings string) *dovecot {
	t.Helper()
	binary, err := exec.LookPath("dovecot")
	if err != nil {
		missing(t, "dovecot is not installed (Debian package dovecot-imapd): %v", err)
	}
	if os.Geteuid() != 0 {
		missing(t, "dovecot has to be started by root")
	}
	version, err := exec.CommandContext(t.Context(), binary, "--version").Output()
	must(t, err)
	if !strings.HasPrefix(string(version), "2.3.") {
		missing(t, "this test configures dovecot 2.3, the installed one is %s", version)
	}
	d := &dovecot{addr: freeAddress(t)}
	d.dir, err = os.MkdirTemp("", "dovecot") //nolint:usetesting // the user nobody cannot enter what t.TempDir makes
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(d.dir) })
	must(t, os.Chmod(d.dir, 0o755))
	mails := filepath.Join(d.dir, "mail")
	must(t, os.Mkdir(mails, 0o700))
	must(t, os.Chown(mails, 65534, 65534))
	config := filepath.Join(d.dir, "dovecot.conf")
	_, port, _ := net.SplitHostPort(d.addr)
	must(t, os.WriteFile(config, fmt.Appendf(nil, dovecotConfig, d.dir, port, settings), 0o600))

	cmd := exec.Command(binary, "-F", "-c", config)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("dovecot: %v", err)
		}
	})
	d.await(t, &output)
	return d
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, ln.Close()) }()
	return ln.Addr().String()
}

// await waits until Dovecot accepts connections.
func (d *dovecot) await(t testing.TB, output *bytes.Buffer) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := net.Dial("tcp", d.addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-retry.C:
		case <-deadline.C:
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			t.Fatalf("dovecot does not listen: %v\n%s\n%s", err, output, log)
		}
	}
}

// client returns a plain client, for what the tests do to the account behind the Mailbox's back.
func (d *dovecot) client(t testing.TB, user string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(d.addr, nil)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Login(user, "secret").Wait())
	return c
}

func deliver(t testing.TB, c *imapclient.Client, raw []byte) {
	t.Helper()
	cmd := c.Append(mailbox.Inbox, int64(len(raw)), nil)
	_, err := cmd.Write(raw)
	must(t, errors.Join(err, cmd.Close()))
	_, err = cmd.Wait()
	must(t, err)
}

func (d *dovecot) config(user string) mailbox.IMAPConfig {
	cfg := plain(d.addr)
	cfg.Username, cfg.Password = user, "secret"
	return cfg
}

func wantCount(t testing.TB, m *mailbox.Mailbox, folder string, want int) {
	t.Helper()
	if n, err := m.Count(t.Context(), folder); err != nil || n != want {
		t.Errorf("%s counts %d, %v, want %d", folder, n, err, want)
	}
}

func TestDovecot(t *testing.T) {
	d := startDovecot(t, "")
	t.Run("bytes", func(t *testing.T) { testDovecotBytes(t, d) })
	t.Run("move", func(t *testing.T) { testDovecotMove(t, d) })
	t.Run("rebuilt folder", func(t *testing.T) { testDovecotRebuilt(t, d) })
	t.Run("login", func(t *testing.T) { testDovecotLogin(t, d) })
	t.Run("two clients", func(t *testing.T) { testDovecotTwoClients(t, d) })
}

func TestDovecotWithoutMove(t *testing.T) {
	testDovecotMove(t, startDovecot(t, "imap_capability = IMAP4rev1 SASL-IR LITERAL+ UIDPLUS"))
}

// testDovecotBytes compares mails whose line ends are those that Dovecot keeps.
func testDovecotBytes(t *testing.T, d *dovecot) {
	m, other := open(t, d.config("bytes")), d.client(t, "bytes")
	list(t, m, 0)
	for name, raw := range oddMails() {
		if len(raw) == 0 || bytes.Contains(bytes.ReplaceAll(raw, []byte("\r\n"), nil), []byte("\n")) {
			continue // Dovecot refuses empty mails and completes line ends
		}
		deliver(t, other, raw)
		items, err := m.List(t.Context(), mailbox.Inbox)
		must(t, err)
		item := items[len(items)-1]
		got, err := m.Fetch(t.Context(), item)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: fetched %d bytes, %v, want %d bytes", name, len(got), err, len(raw))
		}
		if header, err := m.Header(t.Context(), item); err != nil || !bytes.HasPrefix(raw, header) {
			t.Errorf("%s: the header is %.60q, %v", name, header, err)
		}
	}
}

func testDovecotMove(t *testing.T, d *dovecot) {
	m, other := open(t, d.config("move")), d.client(t, "move")
	ctx := t.Context()
	deliver(t, other, []byte("Subject: one\r\n\r\n"))
	deliver(t, other, []byte("Subject: two\r\n\r\n"))
	items := list(t, m, 2)
	validity, uid := items[0].UIDValidity, items[0].UID

	wantError(t, m.Move(ctx, validity, uid, "Nowhere"), mailbox.ErrNoFolder, "to Nowhere")
	wantError(t, m.Move(ctx, validity, uid+100, "Review"), mailbox.ErrGone)
	wantError(t, m.Move(ctx, validity+1, uid, "Review"), mailbox.ErrUIDValidity)
	wantCount(t, m, mailbox.Inbox, 2)
	must(t, m.Move(ctx, validity, uid, "Review"))
	wantError(t, m.Move(ctx, validity, uid, "Review"), mailbox.ErrGone)
	_, err := m.Fetch(ctx, items[0])
	wantError(t, err, mailbox.ErrGone)
	wantCount(t, m, mailbox.Inbox, 1)
	wantCount(t, m, "Review", 1)
	review, err := m.List(ctx, "Review")
	must(t, err)
	if raw, err := m.Fetch(ctx, review[0]); err != nil || string(raw) != "Subject: one\r\n\r\n" {
		t.Errorf("moved %q, %v", raw, err)
	}
	_, err = m.Count(ctx, "Nowhere")
	wantError(t, err, mailbox.ErrNoFolder)
	_, err = m.List(ctx, "Nowhere")
	wantError(t, err, mailbox.ErrNoFolder)
}

// Dovecot keeps UIDVALIDITY in files of its own; a restored backup brings others.
func testDovecotRebuilt(t *testing.T, d *dovecot) {
	m, other := open(t, d.config("rebuilt")), d.client(t, "rebuilt")
	deliver(t, other, []byte("Subject: one\r\n\r\n"))
	before := list(t, m, 1)[0]
	must(t, m.Close(t.Context()))
	_ = other.Close()
	mails := filepath.Join(d.dir, "mail", "rebuilt")
	files, err := filepath.Glob(filepath.Join(mails, "dovecot*"))
	must(t, err)
	for _, name := range files {
		must(t, os.Remove(name))
	}
	uids := filepath.Join(mails, "dovecot-uidlist")
	must(t, os.WriteFile(uids, []byte("3 V4711 N2\n"), 0o600))
	must(t, os.Chown(uids, 65534, 65534))

	must(t, m.Open(t.Context()))
	_, err = m.Fetch(t.Context(), before)
	wantError(t, err, mailbox.ErrUIDValidity, "4711")
	wantError(t, m.Move(t.Context(), before.UIDValidity, before.UID, "Review"), mailbox.ErrUIDValidity)
	list(t, m, 1)
}

func testDovecotLogin(t *testing.T, d *dovecot) {
	cfg := d.config("shop")
	cfg.Password = "a wrong secret"
	err := mailbox.New(cfg).Open(t.Context())
	wantError(t, err, nil, d.addr, `log in as "shop"`, "AUTHENTICATIONFAILED")
	if strings.Contains(err.Error(), cfg.Password) {
		t.Errorf("the error tells the password: %v", err)
	}
}

// Two clients that compete for the same mails lose none; Dovecot lets both move a mail now and then, which each of them is told.
func testDovecotTwoClients(t *testing.T, d *dovecot) {
	const mails = 30
	boxes := []*mailbox.Mailbox{open(t, d.config("two")), open(t, d.config("two"))}
	other := d.client(t, "two")
	for i := range mails {
		deliver(t, other, fmt.Appendf(nil, "Subject: mail %d\r\n\r\n", i))
	}
	items := list(t, boxes[0], mails)
	moved := make([]int, len(boxes))
	var moving sync.WaitGroup
	for n, m := range boxes {
		moving.Go(func() {
			for _, item := range items {
				switch err := m.Move(t.Context(), item.UIDValidity, item.UID, "Processed"); {
				case err == nil:
					moved[n]++
				case !errors.Is(err, mailbox.ErrGone):
					t.Error(err)
				}
			}
		})
	}
	moving.Wait()
	wantCount(t, boxes[0], mailbox.Inbox, 0)
	wantCount(t, boxes[0], "Processed", moved[0]+moved[1])
	processed, err := boxes[0].List(t.Context(), "Processed")
	must(t, err)
	distinct := make(map[string]bool)
	for _, item := range processed {
		raw, err := boxes[0].Fetch(t.Context(), item)
		must(t, err)
		distinct[string(raw)] = true
	}
	if len(distinct) != mails {
		t.Errorf("%d different mails arrived, want %d", len(distinct), mails)
	}
}

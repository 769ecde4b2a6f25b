package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// asProgram makes the test binary the program itself, so that a test can start and signal it as another process.
const asProgram = "MAILSERVER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, args ...string) (*exec.Cmd, announcement, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-imap", "127.0.0.1:0", "-smtp", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		_ = cmd.Wait()
		t.Fatalf("no first line: %v; stderr: %s", err, stderr)
	}
	var hello announcement
	if err := json.Unmarshal(line, &hello); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	return cmd, hello, stderr
}

func status(t *testing.T, addr string) mailserver.Status {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var st mailserver.Status
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestServesAnotherProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM on windows")
	}
	dir := t.TempDir()
	mails := map[string]string{"b.eml": "Subject: two\r\n\r\nx\xff", "a.eml": "Subject: one\r\n\r\n", "c.txt": "no mail"}
	for name, content := range mails {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd, hello, stderr := start(t, "-mails", dir, "-status", "127.0.0.1:0")
	if hello.Mails != 2 {
		t.Errorf("announced %d mails, want 2", hello.Mails)
	}

	ctx := t.Context()
	box := mailbox.New(mailbox.IMAPConfig{Address: hello.IMAP, Username: "orders", Password: "orders", TLS: mailbox.TLSNone})
	if err := box.Open(ctx); err != nil {
		t.Fatal(err)
	}
	items, err := box.List(ctx, mailbox.Inbox)
	if err != nil || len(items) != 2 {
		t.Fatalf("listed %v, %v", items, err)
	}
	if err := box.Move(ctx, items[0].UIDValidity, items[0].UID, "Processed"); err != nil {
		t.Fatal(err)
	}
	if err := box.Close(ctx); err != nil {
		t.Fatal(err)
	}
	sender := mailbox.NewSender(mailbox.SMTPConfig{Address: hello.SMTP, TLS: mailbox.TLSNone})
	if err := sender.Send(ctx, "buyer@example.test", []byte("Subject: thanks\r\n\r\n")); err != nil {
		t.Fatal(err)
	}

	st := status(t, hello.Status)
	sum := sha256.Sum256([]byte(mails["a.eml"]))
	if got := st.Folders["Processed"]; len(got) != 1 || got[0].SHA256 != hex.EncodeToString(sum[:]) || got[0].Size != len(mails["a.eml"]) {
		t.Errorf("Processed holds %+v, want the mail of a.eml", got)
	}
	if got := st.Folders["INBOX"]; len(got) != 1 || got[0].UID != items[1].UID {
		t.Errorf("INBOX holds %+v, want the mail with UID %d", got, items[1].UID)
	}
	if len(st.Sent) != 1 || st.Sent[0].To != "buyer@example.test" || st.Sent[0].From != "" || string(st.Sent[0].Data) != "Subject: thanks\r\n\r\n" {
		t.Errorf("sent %+v", st.Sent)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v; stderr: %s", err, stderr)
	}
}

func TestFailures(t *testing.T) {
	empty := t.TempDir()
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such flag", []string{"-nonsense"}, 2, "-nonsense"},
		{"an argument", []string{"mails"}, 2, `unexpected argument "mails"`},
		{"a folder without mails", []string{"-mails", empty}, 1, empty + ": there is no *.eml file"},
		{"a folder that is missing", []string{"-mails", filepath.Join(empty, "gone")}, 1, "gone"},
		{"an address that is none", []string{"-imap", "nowhere"}, 1, "IMAP cannot listen"},
		{"a status address that is none", []string{"-imap", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-status", "nowhere"}, 1, "-status"},
		{"help", []string{"-help"}, 0, "Usage of mailserver"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var stderr strings.Builder
			if code := run(ctx, tc.args, io.Discard, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit code %d and %q, want %d and %q", code, stderr.String(), tc.code, tc.want)
			}
		})
	}
}

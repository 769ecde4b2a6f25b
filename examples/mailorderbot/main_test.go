package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/shop"
)

var programs struct {
	dir  string
	once sync.Once
	err  error
}

func TestMain(m *testing.M) {
	var err error
	if programs.dir, err = os.MkdirTemp("", "mailorderbot-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(programs.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

// program builds the bot and the mail server, once for all tests, and gives the path of one of them.
func program(t testing.TB, name string) string {
	t.Helper()
	programs.once.Do(func() {
		build := exec.Command("go", "build", "-o", programs.dir+string(filepath.Separator), ".", "./mailserver")
		if out, err := build.CombinedOutput(); err != nil {
			programs.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	must(t, programs.err)
	path := filepath.Join(programs.dir, name)
	if _, err := os.Stat(path); err != nil {
		path += ".exe"
	}
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// process is a program under test.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	exited chan struct{}
	err    error // of Wait; valid once exited is closed
}

// start runs a program with nothing of this machine in its environment. It is killed at the end of the test if it still runs.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program(t, name), args...), stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{})}
	p.cmd.Env = []string{"TMPDIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	must(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		p.stdout.close()
		p.stderr.close()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%s %s\nstdout:\n%s\nstderr:\n%s", name, strings.Join(args, " "), tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// exit waits for the end and gives the exit code, -1 after a signal.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end within %s", patience)
	}
	if failed := (*exec.ExitError)(nil); p.err != nil && !errors.As(p.err, &failed) {
		p.t.Fatal(p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) wantExit(code int) {
	p.t.Helper()
	if got := p.exit(); got != code {
		p.t.Fatalf("exit code %d, want %d", got, code)
	}
}

// output is what a program has written so far.
type output struct {
	mu     sync.Mutex
	grown  *sync.Cond
	text   bytes.Buffer
	closed bool
}

func newOutput() *output {
	o := &output{}
	o.grown = sync.NewCond(&o.mu)
	return o
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.grown.Broadcast()
	return o.text.Write(p)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.grown.Broadcast()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until enough has been written; false when the program ended before.
func (o *output) await(t testing.TB, what string, enough func(text string) bool) bool {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		late = true
		o.grown.Broadcast()
	})
	defer timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !enough(o.text.String()) {
		if o.closed {
			return false
		}
		if late {
			t.Fatalf("no %s within %s", what, patience)
		}
		o.grown.Wait()
	}
	return true
}

// ledger reads what a bot has left in its store.
func ledger(t testing.TB, store string) []shop.Entry {
	t.Helper()
	s := shop.New(shop.Config{Store: store, Account: account}, samples())
	must(t, s.Open(t.Context()))
	defer func() { must(t, s.Close(t.Context())) }()
	entries, err := s.Ledger(t.Context(), time.Time{})
	must(t, err)
	return entries
}

const account = "orders@nordwind.example"

func notation(orders []domain.Order) string {
	texts := make([]string, len(orders))
	for i, o := range orders {
		texts[i] = o.String()
	}
	return strings.Join(texts, " | ")
}

func sha(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// messageID is the value of the header of that name.
func messageID(t testing.TB, mail []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(mail), "\r\nMessage-ID: ")
	if !ok {
		t.Fatalf("no Message-ID:\n%s", mail)
	}
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

// diff shows what only one of two lists has.
func diff(got, want []string) string {
	var b strings.Builder
	for _, g := range got {
		if !slices.Contains(want, g) {
			fmt.Fprintf(&b, "  got  %s\n", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			fmt.Fprintf(&b, "  want %s\n", w)
		}
	}
	return b.String()
}

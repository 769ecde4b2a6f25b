//go:build !windows

package plba

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/workers"
)

// manager stands in for systemd: it listens on a socket and passes on what is said.
type manager struct {
	socket string
	said   chan string
}

func newManager(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{socket: name, said: make(chan string, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		text := make([]byte, 4096)
		for {
			n, err := conn.Read(text)
			if err != nil {
				return
			}
			m.said <- string(text[:n])
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return m
}

// inDir is a socket in a directory with a short path: those of sockets may not be long.
func inDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") //nolint:usetesting // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// next waits for the next text that is not for the watchdog.
func (m *manager) next(t *testing.T) string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case text := <-m.said:
			if text != "WATCHDOG=1" {
				return text
			}
		case <-deadline:
			t.Fatal("nothing is said")
		}
	}
}

// waitForWatchdog waits until the watchdog was fed n times.
func (m *manager) waitForWatchdog(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for n > 0 {
		select {
		case text := <-m.said:
			if text != "WATCHDOG=1" {
				t.Fatalf("%q", text)
			}
			n--
		case <-deadline:
			t.Fatalf("the watchdog still wants to be fed %d times", n)
		}
	}
}

func loop(ready <-chan struct{}) testModule {
	return func(r *Registry) error {
		r.Worker(workers.Loop("w", func(_ context.Context, s *workers.Session) error {
			<-ready
			s.Ready()
			<-s.Stopping()
			return nil
		}))
		return nil
	}
}

// The whole conversation: nothing before the start is done, the watchdog all the while, and the end.
func TestSystemd(t *testing.T) {
	sockets := map[string]string{"path": inDir(t)}
	if goruntime.GOOS == "linux" {
		sockets["abstract"] = fmt.Sprintf("@plba-test-%d", os.Getpid())
	}
	for name, socket := range sockets {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, socket)
			p := newProgram()
			p.environ = []string{"NOTIFY_SOCKET=/nowhere", "NOTIFY_SOCKET=" + m.socket, "WATCHDOG_USEC=20000", fmt.Sprintf("WATCHDOG_PID=%d", os.Getpid())}
			ready, code := make(chan struct{}), make(chan int)
			go func() { code <- p.run(loop(ready), []Option{WithoutControlListener()}) }()
			m.waitForWatchdog(t, 2) // a start may take long
			close(ready)
			if text := m.next(t); text != "READY=1\nSTATUS=running" {
				t.Errorf("%q", text)
			}
			m.waitForWatchdog(t, 3)
			p.signals <- syscall.SIGTERM
			if text := m.next(t); text != "STOPPING=1\nSTATUS=stopping: signal terminated" {
				t.Errorf("%q", text)
			}
			if c := <-code; c != ExitClean {
				t.Errorf("code %d\n%s", c, p.err.String())
			}
		})
	}
}

// What is not for this process, or not to be read, feeds no watchdog; no socket at all is no systemd.
func TestSystemdEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		environ  []string
		watchdog time.Duration
		warns    bool
	}{
		"no watchdog":     {nil, 0, false},
		"ours":            {[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=7"}, 30 * time.Second, false},
		"anybody's":       {[]string{"WATCHDOG_USEC=30000000"}, 30 * time.Second, false},
		"another's":       {[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=77"}, 0, false},
		"not a number":    {[]string{"WATCHDOG_USEC=30s"}, 0, true},
		"nothing":         {[]string{"WATCHDOG_USEC=0"}, 0, true},
		"more than fits":  {[]string{"WATCHDOG_USEC=9223372036854775807"}, 0, true},
		"similar names":   {[]string{"XWATCHDOG_USEC=1", "WATCHDOG_USECS=1"}, 0, false},
		"the last counts": {[]string{"WATCHDOG_USEC=1", "WATCHDOG_USEC=2000000"}, 2 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log syncBuffer
			n := newNotifier(append(slices.Clone(c.environ), "NOTIFY_SOCKET=/run/x"), 7, slog.New(slog.NewTextHandler(&log, nil)))
			if n.watchdog != c.watchdog || strings.Contains(log.String(), "WATCHDOG_USEC") != c.warns {
				t.Errorf("the watchdog waits %s; log %q", n.watchdog, log.String())
			}
			if newNotifier(c.environ, 7, nil) != nil {
				t.Error("without a socket there is nobody to talk to")
			}
		})
	}
}

// A manager that is not there does not keep the application from working.
func TestSystemdIsGone(t *testing.T) {
	p := newProgram()
	p.environ = []string{"NOTIFY_SOCKET=" + inDir(t)}
	code := p.run(testModule(func(r *Registry) error {
		r.Worker(workers.Poll("p", time.Millisecond, func(context.Context) (int, error) { r.RequestStop("done"); return 0, nil }))
		return nil
	}), []Option{WithoutControlListener()})
	if code != ExitClean || strings.Count(p.err.String(), "systemd could not be notified") != 2 {
		t.Errorf("code %d\n%s", code, p.err.String())
	}
}

// A reason with line breaks is one message.
func TestSystemdReasonIsOneLine(t *testing.T) {
	m := newManager(t, inDir(t))
	newNotifier([]string{"NOTIFY_SOCKET=" + m.socket}, 1, nil).stopping("first\nREADY=1\r\n second")
	if text := m.next(t); text != "STOPPING=1\nSTATUS=stopping: first READY=1 second" {
		t.Errorf("%q", text)
	}
}

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// user is the superuser of the servers. There are no passwords: only this machine can connect.
const user = "plba"

// patience is how long a server may take to come up or go down.
const patience = 60 * time.Second

// Server is a PostgreSQL server of a test. Its methods fail the test that started it; they are to be called by one goroutine at a time, Database by many.
type Server struct {
	tb        testing.TB
	binary    string
	dir       string
	port      string
	settings  []string
	databases atomic.Int64

	process *exec.Cmd
	log     *buffer
	exited  chan struct{} // closed when the process has ended
}

// Start runs a server until the end of the test. settings are added to its configuration, for instance "max_connections=300". Unless they say otherwise it does
// not sync its files, because nothing is to survive the machine; "fsync=on" is for tests that measure.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, settings: settings}
	s.binary = installed(tb, "postgres")
	var err error
	s.dir, err = os.MkdirTemp("", "pgtest") //nolint:usetesting // the user nobody cannot enter what t.TempDir makes
	s.must(err)
	tb.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	s.must(own(s.dir))
	s.initialise(installed(tb, "initdb"))
	s.port = freePort(tb)
	tb.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Restart starts the server after Stop, Kill or Crash, with the data that it had, on the same port.
func (s *Server) Restart() {
	s.tb.Helper()
	for s.launch(); !s.await(); s.launch() { // a process of the crashed one still holds on to its memory
		s.process = nil
	}
}

func (s *Server) launch() {
	s.tb.Helper()
	args := []string{
		"-D", s.data(), "-p", s.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "log_min_messages=warning",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.process, s.log, s.exited = s.command(s.binary, args...), new(buffer), make(chan struct{})
	s.process.Stdout, s.process.Stderr = s.log, s.log
	s.must(s.process.Start())
	go func(process *exec.Cmd, exited chan<- struct{}) {
		_ = process.Wait() // a killed one says so
		close(exited)
	}(s.process, s.exited)
}

// Stop ends the server at once but in order, as an administrator does: open connections are cut.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

// Kill ends the server without a checkpoint: it recovers from its log when it starts again. It is fine when the server does not run.
func (s *Server) Kill() { s.end(syscall.SIGQUIT) }

// Crash ends the server with kill -9: it has no time to do anything.
func (s *Server) Crash() { s.end(os.Kill) }

// CrashPart ends one process of the server with kill -9, any one: the server ends all others, recovers, and goes on by itself. It returns when connections are
// taken again.
func (s *Server) CrashPart() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	s.must(err)
	defer func() { _ = c.Close(ctx) }()
	var pid int
	s.must(c.QueryRow(ctx, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY random() LIMIT 1").Scan(&pid))
	part, err := os.FindProcess(pid)
	s.must(err)
	_ = part.Kill() // it may have ended by itself
	_, err = c.Exec(ctx, "SELECT pg_sleep(60)")
	if err == nil {
		s.tb.Errorf("the server goes on although its process %d was killed\n%s", pid, s.log)
	}
	s.await()
}

func (s *Server) end(signal os.Signal) {
	s.tb.Helper()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(signal) // it may have ended by itself
	select {
	case <-s.exited:
	case <-time.After(patience):
		_ = s.process.Process.Kill()
		<-s.exited
		s.tb.Errorf("postgres did not end within %s\n%s", patience, s.log)
	}
	s.process = nil
}

// Database creates an empty database and gives the connection string for it.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err == nil {
		_, err = c.Exec(ctx, "CREATE DATABASE "+name)
		err = errors.Join(err, c.Close(ctx))
	}
	if err != nil {
		tb.Fatalf("a database for the test: %v\n%s", err, s.log)
	}
	return s.DSN(name)
}

// DSN is the connection string for a database.
func (s *Server) DSN(database string) string {
	return "postgres://" + user + "@" + s.Addr() + "/" + database + "?sslmode=disable"
}

// Addr is where the server listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// PID is the process of the running server: its parent process, the postmaster.
func (s *Server) PID() int { return s.process.Process.Pid }

// await waits until the server takes connections; false: it ended, because a process of the one before has not.
func (s *Server) await() bool {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			s.must(c.Close(ctx))
			return true
		}
		select {
		case <-retry.C:
		case <-s.exited:
			if strings.Contains(s.log.String(), "pre-existing shared memory block") {
				return false
			}
			s.tb.Fatalf("postgres ended: %v\n%s", err, s.log)
		case <-ctx.Done():
			s.tb.Fatalf("postgres takes no connections: %v\n%s", err, s.log)
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is one that runs in the server's directory, as a user that PostgreSQL accepts.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	unprivileged(cmd)
	return cmd
}

func (s *Server) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

// installed finds a program of PostgreSQL: on the path, or where Debian puts it, the newest version first.
func installed(tb testing.TB, program string) string {
	tb.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(versions) > 0 {
		slices.SortFunc(versions, func(a, b string) int {
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			return strings.Compare(a, b)
		})
		return versions[len(versions)-1]
	}
	const problem = "PostgreSQL is not installed (Debian package postgresql): %v"
	if slices.Contains(strings.Split(os.Getenv("PLBA_TEST_REQUIRE"), ","), "postgres") {
		tb.Fatalf("PLBA_TEST_REQUIRE: "+problem, err)
	}
	tb.Skipf(problem, err)
	return ""
}

func freePort(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// buffer is what the server says, for messages; it may be read while the server writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is all of it.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

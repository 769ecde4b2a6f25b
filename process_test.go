package plba

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var update = flag.Bool("update", false, "rewrite golden files")

// programEnv names the program that the test's own binary is to be, instead of a test.
const programEnv = "PLBA_TEST_PROGRAM"

// programs are applications for real processes. Each says "working" on standard output when a task is in flight.
var programs = map[string]testModule{
	"patient": working(func(context.Context) error { // works until a line comes on standard input
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return err
	}),
	"stubborn": working(func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }),
	"reckless": working(func(context.Context) error {
		go func() { panic("where nobody can catch it") }()
		select {}
	}),
	"deaf": working(func(context.Context) error { select {} }),
	"forgetful": func(r *Registry) error { // leaves a task that is not due
		tasks := Queue[string](r, "tasks")
		r.Worker(workers.Consume("consumer", tasks, workers.Func(func(context.Context, string) error { return nil })))
		r.Resource("source", func(ctx context.Context) error {
			_, err := tasks.Send(ctx, "tomorrow", queue.After(24*time.Hour))
			return err
		}, nil)
		r.Worker(workers.Loop("other", func(_ context.Context, s *workers.Session) error {
			s.Ready()
			fmt.Fprintln(os.Stdout, "working")
			<-s.Stopping()
			return nil
		}))
		return nil
	},
	"slow to start": func(r *Registry) error {
		r.Resource("store", func(ctx context.Context) error {
			fmt.Fprintln(os.Stdout, "starting")
			<-ctx.Done()
			return context.Cause(ctx)
		}, nil)
		return nil
	},
	"idle": func(r *Registry) error { // a queue and its consumer, a poll, and the control plane, with nothing to do
		r.Worker(workers.Consume("consumer", Queue[string](r, "tasks"), workers.Func(func(context.Context, string) error { return nil }), workers.Concurrency(3)))
		r.Worker(workers.Poll("poll", time.Hour, func(context.Context) (int, error) { return 0, nil }))
		r.Worker(workers.Loop("last", func(_ context.Context, s *workers.Session) error {
			s.Ready()
			fmt.Fprintln(os.Stdout, "working")
			<-s.Stopping()
			return nil
		}))
		return nil
	},
	"satisfied": func(r *Registry) error { // stops by itself
		r.Worker(workers.Poll("poll", time.Hour, func(context.Context) (int, error) { r.RequestStop("all is done"); return 0, nil }))
		return nil
	},
	"unlucky": func(r *Registry) error {
		r.Resource("database", func(context.Context) error { return errors.New("no route to host") }, nil)
		return nil
	},
	"following": following,
	"crashing": func(r *Registry) error {
		r.Worker(workers.Loop("feed", func(_ context.Context, s *workers.Session) error { s.Ready(); return errors.New("no feed") }), Critical(), Restart(Never))
		return nil
	},
}

// working is an application with one task in flight that takes as long as work does.
func working(work func(context.Context) error) testModule {
	return func(r *Registry) error {
		tasks := Queue[string](r, "tasks")
		r.Worker(workers.Consume("consumer", tasks, workers.Func(func(ctx context.Context, _ string) error {
			fmt.Fprintln(os.Stdout, "working")
			return work(ctx)
		})))
		r.Resource("source", func(ctx context.Context) error { return tasks.Publish(ctx, "task") }, nil)
		return nil
	}
}

// becomeProgram is called first in TestMain; true: this process was a program, and has run.
func becomeProgram() bool {
	switch name := os.Getenv(programEnv); name {
	case "":
	case "bare": // no application at all, to compare with
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Fprintln(os.Stdout, "working")
		<-signals
		return true
	default:
		Main(programs[name], WithSetting("platform.control.listen", "127.0.0.1:0"), WithSetting("log.level", "error"), WithRuntime(runtime.WithOutput(io.Discard)))
	}
	return false
}

// child is a program that runs in a process of its own.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu      sync.Mutex
	said    bytes.Buffer // on both outputs
	changed chan struct{}
	readers sync.WaitGroup
}

func startChild(t testing.TB, program string, args []string, env ...string) *child {
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("there are no signals to send")
	}
	c := &child{t: t, cmd: exec.Command(os.Args[0], args...), changed: make(chan struct{}, 1)}
	c.cmd.Env = append(os.Environ(), append(env, programEnv+"="+program)...)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []func() (io.ReadCloser, error){c.cmd.StdoutPipe, c.cmd.StderrPipe} {
		r, err := pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.readers.Go(func() { c.listen(r) })
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *child) listen(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		c.mu.Lock()
		c.said.Write(buf[:n])
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

// await waits until the program has said something.
func (c *child) await(what string) {
	c.t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for !strings.Contains(c.text(), what) {
		select {
		case <-c.changed:
		case <-timeout.C:
			_ = c.cmd.Process.Kill()
			c.t.Fatalf("it has not said %q, but\n%s", what, c.text())
		}
	}
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// exit waits for the end of the process and gives its code.
func (c *child) exit() int {
	c.t.Helper()
	stuck := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer stuck.Stop()
	c.readers.Wait()
	err := c.cmd.Wait()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		c.t.Fatal(err)
	}
	return c.cmd.ProcessState.ExitCode()
}

var seconds = regexp.MustCompile(`\d+\.\ds`)

// receipt is what the program printed of its stop, "" when there is nothing; times are left out.
func (c *child) receipt() string {
	_, receipt, ok := strings.Cut(c.text(), "stopped in ")
	if !ok {
		return ""
	}
	return seconds.ReplaceAllString("stopped in "+receipt, "N.Ns")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; see with -update and git diff. Got:\n%s", path, got)
	}
}

package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/task"
)

// roles are what the processes do that tests start.
var roles = map[string]func() error{
	"work":     workUntilKilled,
	"handle":   handleUntilTold,
	"hold":     holdOn,
	"instance": beInstance,
	"reckless": beReckless,
}

// childURL tells a child where the database is.
const childURL = "PLBA_POSTGRES_URL"

// child is a process of its own.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser

	mu    sync.Mutex
	said  []string      // all that it has said
	heard int           // how much of that line gave
	more  chan struct{} // it has said something
	gone  chan struct{} // closed when it can say nothing any more
}

// startChild starts one; it is killed at the end of the test, if not before.
func startChild(t *testing.T, role, url string, env ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0]), more: make(chan struct{}, 1), gone: make(chan struct{})}
	c.Env = append(append(os.Environ(), childRole+"="+role, childURL+"="+url), env...)
	c.Stderr = t.Output()
	stdin, in := c.StdinPipe()
	stdout, out := c.StdoutPipe()
	if err := errors.Join(in, out, c.Start()); err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	go c.listen(stdout)
	t.Cleanup(c.end)
	return c
}

func (c *child) listen(stdout io.Reader) {
	defer close(c.gone)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		c.mu.Lock()
		c.said = append(c.said, lines.Text())
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
	}
}

// line is what it says next.
func (c *child) line(t *testing.T) string {
	t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		c.mu.Lock()
		if c.heard < len(c.said) {
			c.heard++
			defer c.mu.Unlock()
			return c.said[c.heard-1]
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-c.gone:
			t.Fatalf("the process ended: %v", c.Wait())
		case <-patience.C:
			t.Fatal("the process says nothing for a minute")
		}
	}
}

// count is how many lines it has said with that word.
func (c *child) count(word string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.said {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

// expect wants it to say that next.
func (c *child) expect(t *testing.T, want string) {
	t.Helper()
	if got := c.line(t); got != want {
		t.Fatalf("the process said %q, expected %q", got, want)
	}
}

// kill kills it as kill -9 does, and gives all that it has said.
func (c *child) kill(t *testing.T) []string {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.end()
	return c.said
}

// end makes sure that it has ended.
func (c *child) end() {
	_ = c.Process.Kill() // it may have ended by itself
	<-c.gone
	_ = c.Wait() // it was killed
}

// say writes a line at once: what has been said survives the process.
func say(what ...any) error {
	_, err := os.Stdout.WriteString(fmt.Sprintln(what...))
	return err
}

// openChild opens the queue of a child.
func openChild(name, url string) (queue.Engine, error) {
	s := postgres.Driver().Settings().(*postgres.Settings)
	s.URL, s.Poll, s.Timeout = url, 200*time.Millisecond, 5*time.Second
	return postgres.Driver().Open(context.Background(), queue.Opening{Queue: name, Settings: s})
}

// openTest opens a queue of a child in this process, until the end of the test.
func openTest(t *testing.T, name, url string) queue.Engine {
	t.Helper()
	e, err := openChild(name, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// receiveOne claims a task for a minute.
func receiveOne(t *testing.T, e queue.Engine) queue.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ls, err := e.Receive(ctx, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return ls[0]
}

func newRecord() queue.Record {
	return queue.Record{
		Info:    task.Info{ID: uuid.Must(uuid.NewV7()).String(), Queue: "tests", Kind: "tests", MaxAttempts: 1000},
		Payload: queue.Payload{Bytes: []byte(`{"order":17}`)},
	}
}

// persist calls f until the database is there.
func persist(f func() error) error {
	for {
		if err := f(); err == nil || !errors.Is(err, postgres.ErrUnavailable) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

//go:build unix

package postgres_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// stop stops a process for a while and lets it go on; false where that cannot be done.
func stop(t *testing.T, c *child, length time.Duration) bool {
	t.Helper()
	over := time.After(length)
	signal(t, c, syscall.SIGSTOP)
	<-over
	signal(t, c, syscall.SIGCONT)
	return true
}

func signal(t *testing.T, c *child, s syscall.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestStoppedProcess stops an application for twice the length of its leases while it holds two tasks, one in a handler of a worker, one without. Another process gets both.
// When the application goes on, the handler is told that its lease is lost, and the answer for the other task changes nothing.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).Database(t)
	engines := map[string]queue.Engine{}
	for _, name := range []string{"tests", "raw"} {
		engines[name] = openTest(t, name, url)
		if _, err := engines[name].Publish(t.Context(), []queue.Record{newRecord()}, true); err != nil {
			t.Fatal(err)
		}
	}
	c := startChild(t, "hold", url)
	c.expect(t, "began attempt 1")
	over := time.After(2 * shortLease)
	signal(t, c, syscall.SIGSTOP)
	taken := map[string]queue.Lease{}
	for name, e := range engines {
		taken[name] = receiveOne(t, e)
	}
	<-over
	signal(t, c, syscall.SIGCONT)
	if _, err := fmt.Fprintln(c.stdin, "go on"); err != nil {
		t.Fatal(err)
	}
	got := []string{c.line(t), c.line(t)}
	slices.Sort(got)
	if want := []string{"answered, 1 lost, <nil>", "ended, " + task.ErrLeaseLost.Error()}; !slices.Equal(got, want) {
		t.Errorf("the process said %q, expected %q", got, want)
	}
	for name, l := range taken {
		if l.Info.Attempt != 2 || l.Lease != 2 {
			t.Errorf("queue %s: attempt %d with token %d, expected 2 and 2", name, l.Info.Attempt, l.Lease)
		}
		if lost, err := engines[name].Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}}); err != nil || len(lost) > 0 {
			t.Errorf("queue %s: the answer of the one that has the task: lost %v, %v", name, lost, err)
		}
	}
}

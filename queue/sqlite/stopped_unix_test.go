//go:build unix

package sqlite

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestStoppedProcess stops a process for twice the length of its lease. What it answers then is late: it changes nothing, and the task is handed out anew.
func TestStoppedProcess(t *testing.T) {
	c := startChild(t, "late", filepath.Join(t.TempDir(), "queue.db"))
	for _, want := range []string{"open", "claimed"} {
		if got := c.line(t); got != want {
			t.Fatalf("the process said %q, expected %q", got, want)
		}
	}
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * childLease)
	if _, err := fmt.Fprintln(c.stdin, "go on"); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := c.line(t); got != "1 2 1" {
		t.Errorf("lost answers, attempt and growth of the fence are %q, expected 1 2 1", got)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

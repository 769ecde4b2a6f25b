package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/sqlite"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// childDir is the environment variable that makes a process of this test one that handles the task in that directory.
const childDir = "PLBA_PIPELINE_TEST_CHILD"

// ledger is what a task does to the world: lines in a file, which outlives whoever wrote them. Its process is killed where a line is
// written that is deadly, the first time.
type ledger struct {
	file   string
	deadly []string
}

func (l ledger) lines() []string {
	b, _ := os.ReadFile(l.file) // none yet
	return strings.Fields(string(b))
}

func (l ledger) write(line string) error {
	first := !slices.Contains(l.lines(), line)
	f, err := os.OpenFile(l.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		return err
	}
	if first && slices.Contains(l.deadly, line) {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Kill(); err != nil {
			return err
		}
		select {}
	}
	return f.Close()
}

// order reserves, charges, and ships, which is declined: then all of it is undone.
func (l ledger) order() *pipeline.Pipeline[int, int] {
	stage := func(name string) *pipeline.Step[int, int] {
		return pipeline.Map(name, func(_ context.Context, v int) (int, error) { return v + 1, l.write(name) }).
			Compensate(func(_ context.Context, in, out int, cause error) error {
				return l.write(fmt.Sprintf("undo-%s-%d-%d-%s", name, in, out, strings.ReplaceAll(cause.Error(), " ", "-")))
			})
	}
	return pipeline.New[int, int]("order").
		Stage(stage("reserve")).
		Stage(stage("charge")).
		Stage(pipeline.Tap("ship", func(context.Context, int) error {
			if err := l.write("ship"); err != nil {
				return err
			}
			return task.Permanent(errDeclined)
		})).
		MustBuild()
}

// handleAsChild handles the task until it has ended, or the process.
func handleAsChild(dir string) error {
	l := ledger{filepath.Join(dir, "ledger"), []string{"ship", "undo-charge-2-3-order/ship:-card-declined"}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := sqlite.Driver().Open(ctx, queue.Opening{Queue: "orders", Settings: &sqlite.Settings{Path: filepath.Join(dir, "queue.db")}})
	if err != nil {
		return err
	}
	q, err := queue.For[int]("orders")
	if err != nil {
		return err
	}
	q.Bind(e, queue.Binding{Encode: true})
	if len(l.lines()) == 0 {
		if _, err := q.Send(ctx, 1); err != nil {
			return err
		}
	}
	w := workers.Consume("w", q, l.order())
	if err := w.(workers.Equipped).Equip(workers.Env{}); err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	for {
		s, err := q.Stats(ctx)
		if err != nil {
			return err
		}
		if s.Dead == 1 {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	w.Stop(ctx, ctx)
	return e.Close(ctx)
}

// A process that is killed in the middle of a task, and one that is killed in the middle of undoing it, leave nothing undone and
// nothing done twice that is on record.
func TestCompensationAfterTheProcessWasKilled(t *testing.T) {
	dir := t.TempDir()
	for life := 1; ; life++ {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.CombinedOutput()
		if killed := life < 3; killed != (err != nil) || len(out) > 0 {
			t.Fatalf("process %d: %v\n%s\nledger: %s", life, err, out, ledger{file: filepath.Join(dir, "ledger")}.lines())
		}
		if err == nil {
			break
		}
	}
	const cause = "order/ship:-card-declined"
	want := []string{
		"reserve", "charge", "ship", // the first process is killed
		"ship", "undo-charge-2-3-" + cause, // the second one goes on from there, gives up, and is killed
		"undo-charge-2-3-" + cause, "undo-reserve-1-2-" + cause,
	}
	if got := (ledger{file: filepath.Join(dir, "ledger")}).lines(); !slices.Equal(got, want) {
		t.Errorf("what happened:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

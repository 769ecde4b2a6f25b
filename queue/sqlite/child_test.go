package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// child is a process of its own that works on a file.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner // what it says
	stdin io.WriteCloser
}

func startChild(t *testing.T, role, path string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0], path)}
	c.Env = append(os.Environ(), childRole+"="+role)
	c.Stderr = os.Stderr
	stdin, in := c.StdinPipe()
	stdout, out := c.StdoutPipe()
	if err := errors.Join(in, out, c.Start()); err != nil {
		t.Fatal(err)
	}
	c.lines, c.stdin = bufio.NewScanner(stdout), stdin
	return c
}

// line is what it says next.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the process ended: %v", c.Wait())
	}
	return c.lines.Text()
}

// kill kills it as kill -9 does, and reads what it has said until then.
func (c *child) kill(t *testing.T) (rest []string) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.lines.Scan() {
		rest = append(rest, c.lines.Text())
	}
	_ = c.Wait() // it was killed
	return rest
}

// say writes a line at once: what has been said survives the process.
func say(what ...any) error {
	_, err := os.Stdout.WriteString(fmt.Sprintln(what...))
	return err
}

const childLease = 400 * time.Millisecond

func runChild(role, path string) error {
	e, err := Driver().Open(context.Background(), queue.Opening{Queue: "tests", Settings: &Settings{Path: path}})
	if err != nil {
		return err
	}
	if err := say("open"); err != nil {
		return err
	}
	switch role {
	case "hold":
		_, err = io.Copy(io.Discard, os.Stdin)
	case "work":
		err = workUntilKilled(e)
	case "late":
		err = answerLate(e)
	}
	return errors.Join(err, e.Close(context.Background()))
}

// workUntilKilled publishes and handles, and says all it was told: "published ID", "claimed ID ATTEMPT", "done ID".
func workUntilKilled(e queue.Engine) error {
	ctx := context.Background()
	failed := make(chan error, 6)
	for range 4 {
		go func() {
			for {
				rs := []queue.Record{newRecord(), newRecord()}
				if _, err := e.Publish(ctx, rs, true); err != nil {
					failed <- err
					return
				}
				for _, r := range rs {
					if err := say("published", r.Info.ID); err != nil {
						failed <- err
						return
					}
				}
			}
		}()
	}
	for range 2 {
		go func() { failed <- handleUntilKilled(ctx, e) }()
	}
	return <-failed
}

// inFlight is how many tasks a child handles at once.
const inFlight = 2 * 3

func handleUntilKilled(ctx context.Context, e queue.Engine) error {
	for {
		ls, err := e.Receive(ctx, 3, time.Minute)
		if err != nil {
			return err
		}
		for _, l := range ls {
			if err := say("claimed", l.ID, l.Info.Attempt); err != nil {
				return err
			}
			if err := e.Checkpoints(l.Token).Save(ctx, "stage", l.Info.Attempt); err != nil {
				return err
			}
			lost, err := e.Complete(ctx, []queue.Completion{{Token: l.Token, Outcome: task.Done}})
			if err != nil || len(lost) > 0 {
				return fmt.Errorf("completing %s: lost %v, %w", l.ID, lost, errors.Join(err))
			}
			if err := say("done", l.ID); err != nil {
				return err
			}
		}
	}
}

// answerLate claims a task, waits until it is told to go on, and then answers.
func answerLate(e queue.Engine) error {
	ctx := context.Background()
	if _, err := e.Publish(ctx, []queue.Record{newRecord()}, true); err != nil {
		return err
	}
	ls, err := e.Receive(ctx, 1, childLease)
	if err != nil {
		return err
	}
	if err := say("claimed"); err != nil {
		return err
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	lost, err := e.Complete(ctx, []queue.Completion{{Token: ls[0].Token, Outcome: task.Done}})
	if err != nil {
		return err
	}
	again, err := e.Receive(ctx, 1, time.Minute)
	if err != nil {
		return err
	}
	return say(len(lost), again[0].Info.Attempt, again[0].Lease-ls[0].Lease)
}

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// shortLease is that of the processes that are killed and stopped.
const shortLease = time.Second

// handleUntilTold handles tasks until its standard input ends, and says when it asked for each, when it began and how it ended: "asked begin ID TOKEN", in
// nanoseconds of the clock that all processes of this machine have, and "ended ID TOKEN done" or "ended ID TOKEN late".
func handleUntilTold() error {
	e, err := openChild("tests", os.Getenv(childURL))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	for ctx.Err() == nil {
		asked := time.Now()
		ls, err := e.Receive(ctx, 100, shortLease)
		if err == nil {
			err = handle(e, ls, asked)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return e.Close(context.Background())
}

func handle(e queue.Engine, ls []queue.Lease, asked time.Time) error {
	var began, ended strings.Builder
	var cs []queue.Completion
	for _, l := range ls {
		fmt.Fprintln(&began, "began", l.ID, l.Lease, asked.UnixNano(), time.Now().UnixNano())
		cs = append(cs, queue.Completion{Token: l.Token, Outcome: task.Done})
	}
	if err := say(began.String()); err != nil {
		return err
	}
	<-time.After(rand.N(10 * time.Millisecond)) // the work
	lost, err := e.Complete(context.Background(), cs)
	if err != nil {
		return err
	}
	for _, c := range cs {
		how := "done"
		if slices.Contains(lost, c.Token) {
			how = "late"
		}
		fmt.Fprintln(&ended, "ended", c.ID, c.Lease, how)
	}
	return say(ended.String())
}

// claim is one lease, as the process that had it tells.
type claim struct {
	token        int64
	asked, began int64
	answer       string // "done", "late", or none
}

// TestLeasesDoNotOverlap lets four processes handle many tasks, and kills one of them with kill -9 again and again, or stops it for twice the lease. By what the processes
// wrote down, and not the database, no task was under two leases at once, tokens grew, nothing was handed out after it was acknowledged as done, and the answers of
// those who had been stopped were refused.
func TestLeasesDoNotOverlap(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).Database(t)
	e := openTest(t, "tests", url)
	n, kills := volume(3000, 100_000), volume(4, 24)
	fill(t, e, n)
	gang := make([]*child, 4)
	for i := range gang {
		gang[i] = startChild(t, "handle", url)
	}
	var said []string
	killed, late := 0, 0
	for round := range kills {
		await(t, e, n-n*(round+1)/(kills+2))
		c := gang[round%len(gang)]
		if round%4 == 1 {
			more, answers := stopHolding(t, e, c)
			n, late = n+more, late+answers
		}
		said = append(said, c.kill(t)...)
		killed++
		gang[round%len(gang)] = startChild(t, "handle", url)
	}
	await(t, e, 0)
	for _, c := range gang {
		if err := c.stdin.Close(); err != nil {
			t.Error(err)
		}
		<-c.gone
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		said = append(said, c.said...)
	}
	judge(t, said, n, killed, late)
}

// stopHolding stops a process for twice its lease while it has tasks, until answers of it come too late: it says how many did, and how many tasks were added for that.
func stopHolding(t *testing.T, e queue.Engine, c *child) (added, late int) {
	t.Helper()
	for late == 0 {
		const more = 500
		fill(t, e, more)
		added += more
		from := 0
		until(t, "it has begun something", func() bool {
			if from = c.count("began"); from > c.count("ended") {
				return true
			}
			if s, err := e.Stats(t.Context()); err == nil && s.Unfinished() == 0 { // the others were faster
				fill(t, e, more)
				added += more
			}
			return false
		})
		if !stop(t, c, 2*shortLease) {
			return added, 0
		}
		until(t, "it has answered for what it had", func() bool { return c.count("ended") >= from })
		late = c.count("late")
	}
	return added, late
}

func fill(t *testing.T, e queue.Engine, n int) {
	t.Helper()
	for n > 0 {
		rs := make([]queue.Record, min(n, 1000))
		for i := range rs {
			rs[i] = newRecord()
		}
		if _, err := e.Publish(t.Context(), rs, true); err != nil {
			t.Fatal(err)
		}
		n -= len(rs)
	}
}

// await waits until no more than so many tasks are left.
func await(t *testing.T, e queue.Engine, left int) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for begin := time.Now(); ; <-look.C {
		s, err := e.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Unfinished() <= int64(left) {
			return
		}
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("after two minutes not only %d tasks are left: %+v", left, s)
		}
	}
}

// judge holds what the processes said to what a lease is.
func judge(t *testing.T, said []string, n, killed, expected int) {
	t.Helper()
	tasks := map[string][]*claim{}
	for _, line := range said {
		if err := record(tasks, line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	repeated, late := 0, 0
	for id, cs := range tasks {
		slices.SortFunc(cs, func(a, b *claim) int { return int(a.token - b.token) })
		for i, c := range cs {
			if c.answer == "late" {
				late++
			}
			if i == 0 {
				continue
			}
			repeated++
			switch before := cs[i-1]; {
			case c.token == before.token:
				t.Errorf("task %s was handed out twice with token %d", id, c.token)
			case before.answer == "done":
				t.Errorf("task %s was handed out with token %d, although it was done with %d", id, c.token, before.token)
			case c.began-before.asked < int64(shortLease):
				t.Errorf("task %s was handed out %s after somebody asked for it who had it for %s", id, time.Duration(c.began-before.asked), shortLease)
			}
		}
	}
	t.Logf("%d tasks, %d kills: %d claims were repeated, %d late answers refused", len(tasks), killed, repeated, late)
	if len(tasks) < n-100*killed { // those whose process was killed before it could say so may have ended unheard
		t.Errorf("only %d of %d tasks were handled", len(tasks), n)
	}
	if late < expected || repeated < expected {
		t.Errorf("%d claims were repeated and %d answers refused, expected at least %d", repeated, late, expected)
	}
}

// record enters one line.
func record(tasks map[string][]*claim, line string) error {
	var id, how string
	var c claim
	if _, err := fmt.Sscanf(line, "began %s %d %d %d", &id, &c.token, &c.asked, &c.began); err == nil {
		tasks[id] = append(tasks[id], &c)
		return nil
	}
	if line == "" {
		return nil
	}
	if _, err := fmt.Sscanf(line, "ended %s %d %s", &id, &c.token, &how); err != nil {
		return err
	}
	for _, known := range tasks[id] {
		if known.token == c.token {
			known.answer = how
			return nil
		}
	}
	return errors.New("an answer of nobody")
}

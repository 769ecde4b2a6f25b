package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

const (
	publishers = 3
	handlers   = 2
	together   = 3 // tasks that a handler claims at once
	inFlight   = handlers * together
	workLease  = 2 * time.Second
)

// workUntilKilled publishes and handles, and says all it was told: "published ID", "claimed ID TOKEN", "done ID", "late ID". While the server is away it
// goes on trying.
func workUntilKilled() error {
	var e queue.Engine
	if err := persist(func() (err error) { e, err = openChild("tests", os.Getenv(childURL)); return err }); err != nil {
		return err
	}
	if err := say("open"); err != nil {
		return err
	}
	failed := make(chan error, publishers+handlers)
	for range publishers {
		go func() { failed <- publishUntilKilled(e) }()
	}
	for range handlers {
		go func() { failed <- handleUntilKilled(e) }()
	}
	return <-failed
}

func publishUntilKilled(e queue.Engine) error {
	for {
		rs := []queue.Record{newRecord(), newRecord()}
		err := persist(func() error { _, err := e.Publish(context.Background(), rs, true); return err }) // with the same IDs
		if err != nil {
			return err
		}
		for _, r := range rs {
			if err := say("published", r.Info.ID); err != nil {
				return err
			}
		}
	}
}

func handleUntilKilled(e queue.Engine) error {
	ctx := context.Background()
	for {
		var ls []queue.Lease
		if err := persist(func() (err error) { ls, err = e.Receive(ctx, together, workLease); return err }); err != nil {
			return err
		}
		var cs []queue.Completion
		for _, l := range ls {
			if err := say("claimed", l.ID, l.Lease); err != nil {
				return err
			}
			cs = append(cs, queue.Completion{Token: l.Token, Outcome: task.Done})
		}
		var lost []queue.Token
		if err := persist(func() (err error) { lost, err = e.Complete(ctx, cs); return err }); err != nil {
			return err
		}
		late := map[queue.Token]bool{}
		for _, tok := range lost {
			late[tok] = true
		}
		for _, c := range cs {
			what := "done"
			if late[c.Token] { // or done by an answer whose acknowledgement was lost
				what = "late"
			}
			if err := say(what, c.ID); err != nil {
				return err
			}
		}
	}
}

// diary is what was said of one task.
type diary struct {
	published, done bool
	maybe           bool // it may be done: it was at work when its process or its server was killed
	late            int  // answers that came too late, or twice
	token           int64
}

// diaries are all tasks.
type diaries map[string]*diary

func (ds diaries) of(id string) *diary {
	if ds[id] == nil {
		ds[id] = &diary{}
	}
	return ds[id]
}

// note writes what a process has said into the diaries, up to its end.
func (ds diaries) note(t *testing.T, said []string) {
	t.Helper()
	working := map[string]bool{}
	for _, line := range said {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		d := ds.of(words[1])
		switch words[0] {
		case "published":
			d.published = true
		case "claimed":
			token, _ := strconv.ParseInt(words[2], 10, 64)
			ds.claimed(t, words[1], token)
			working[words[1]] = true
		case "done":
			d.done = true
			delete(working, words[1])
		case "late":
			d.maybe = true
			d.late++
			delete(working, words[1])
		default:
			t.Errorf("the process said %q", line)
		}
	}
	for id := range working {
		ds[id].maybe = true
	}
	if len(working) > inFlight {
		t.Errorf("%d tasks were at work at once, at most %d can be", len(working), inFlight)
	}
}

// claimed notes that a task was handed out.
func (ds diaries) claimed(t *testing.T, id string, token int64) {
	t.Helper()
	d := ds.of(id)
	if d.done {
		t.Errorf("task %s was handed out again; that it is done was acknowledged", id)
	}
	if token <= d.token {
		t.Errorf("task %s was handed out with token %d, after %d", id, token, d.token)
	}
	d.token = token
}

// TestKilledProcess kills a process that publishes and handles, again and again, at any moment, and in every third round the server before that: with kill -9, all of
// it or one of its parts. No acknowledged task may be lost, or handed out again after it was acknowledged as done, and only those are handed out again that were in
// flight at a kill.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	url := s.Database(t)
	rounds, crashes, tasks := volume(6, 120), 0, diaries{}
	seed := uint64(time.Now().UnixNano())
	for round := range rounds {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		c := startChild(t, "work", url)
		if round%8 == 7 { // it is killed while it opens the queue
			<-time.After(time.Duration(random.IntN(100)) * time.Millisecond)
			tasks.note(t, c.kill(t))
			continue
		}
		hear(t, c, 1+random.IntN(200))
		if round%3 == 2 {
			crashes++
			if round%2 == 0 {
				s.Crash()
				s.Restart()
			} else {
				s.CrashPart()
			}
			hear(t, c, 1+random.IntN(200))
		}
		tasks.note(t, c.kill(t))
	}
	left := drain(t, url, tasks)
	published, done, again, late := 0, 0, 0, 0
	for id, d := range tasks {
		if d.published {
			published++
		}
		if d.done {
			done++
		}
		again += max(0, int(d.token)-1)
		late += d.late
		if d.published && !d.done && !d.maybe && !left[id] {
			t.Errorf("task %s was acknowledged and is lost", id)
		}
	}
	t.Logf("seed %d: %d kills, %d crashes of the server: %d tasks acknowledged, %d of them as done, %d claims were repeated, %d answers were late", seed, rounds, crashes,
		published, done, again, late)
	if most := (rounds+crashes)*inFlight + late; again > most {
		t.Errorf("%d claims were repeated; at most %d were in flight when something was killed, or late", again, most)
	}
	if published < rounds*20 || done < rounds*5 || crashes < rounds/4 {
		t.Errorf("in %d rounds with %d crashes only %d tasks were acknowledged, %d of them as done", rounds, crashes, published, done)
	}
}

// hear lets a process say so many lines.
func hear(t *testing.T, c *child, lines int) {
	t.Helper()
	for range lines {
		c.line(t)
	}
}

// drain handles what is left.
func drain(t *testing.T, url string, tasks diaries) map[string]bool {
	t.Helper()
	e := openTest(t, "tests", url)
	left := map[string]bool{}
	for {
		s, err := e.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Unfinished() == 0 {
			return left
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		ls, err := e.Receive(ctx, 1000, time.Minute)
		cancel()
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		var cs []queue.Completion
		for _, l := range ls {
			tasks.claimed(t, l.ID, l.Lease)
			left[l.ID] = true
			cs = append(cs, queue.Completion{Token: l.Token, Outcome: task.Done})
		}
		if lost, err := e.Complete(t.Context(), cs); err != nil || len(lost) > 0 {
			t.Fatal(fmt.Errorf("lost %v: %w", lost, err))
		}
	}
}

package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/queue"
)

// TestSecondProcess opens a file that another process has, and then, when that is killed, at once.
func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	c := startChild(t, "hold", path)
	c.line(t)
	opening := queue.Opening{Queue: "tests", Settings: &Settings{Path: path}}
	_, err := Driver().Open(t.Context(), opening)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("opening a file that another process has: %v, expected ErrInUse and the file's name", err)
	}
	c.kill(t)
	e, err := Driver().Open(t.Context(), opening)
	if err != nil {
		t.Fatalf("opening it when that process is killed: %v", err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// diary is what was said of one task.
type diary struct {
	published bool
	claims    int
	killed    int // how often its process was killed while it was handled
	done      bool
}

// TestKilledProcess kills a process that publishes and handles, again and again, at any moment. No acknowledged task may be lost or handled again after it was
// acknowledged as done, and only those are handled twice that were at work when their process was killed.
func TestKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	tasks := map[string]*diary{}
	rounds, duplicates := volume(10, 250), 0
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 1))
		c := startChild(t, "work", path)
		var said []string
		if round%8 != 7 { // otherwise it is killed while it opens the file
			for range 1 + random.IntN(300) {
				said = append(said, c.line(t))
			}
		}
		atWork := map[string]bool{}
		for _, line := range append(said, c.kill(t)...) {
			note(t, tasks, atWork, line)
		}
		if len(atWork) > inFlight {
			t.Errorf("round %d: %d tasks were at work at once, at most %d can be", round, len(atWork), inFlight)
		}
		duplicates += len(atWork)
		for id := range atWork {
			tasks[id].killed++
		}
	}
	left := drain(t, path)
	published, done := 0, 0
	for id, d := range tasks {
		published += int(number(d.published))
		done += int(number(d.done))
		switch {
		case d.done && left[id]:
			t.Errorf("task %s is there again; that it is done was acknowledged", id)
		case d.published && !d.done && !left[id] && d.killed == 0:
			t.Errorf("task %s was acknowledged and is lost", id)
		case d.claims > 1+d.killed:
			t.Errorf("task %s was handed out %d times, and its process was killed %d times", id, d.claims, d.killed)
		}
	}
	t.Logf("%d kills: %d tasks acknowledged, %d of them as done, %d were at work", rounds, published, done, duplicates)
	if published < rounds*20 || done < rounds*5 {
		t.Errorf("in %d rounds only %d tasks were acknowledged, %d of them as done", rounds, published, done)
	}
}

// note writes a line into the diaries.
func note(t *testing.T, tasks map[string]*diary, atWork map[string]bool, line string) {
	t.Helper()
	words := strings.Fields(line)
	if line == "open" || len(words) < 2 {
		return
	}
	id := words[1]
	d := tasks[id]
	if d == nil {
		d = &diary{}
		tasks[id] = d
	}
	switch words[0] {
	case "published":
		d.published = true
	case "claimed":
		d.claims++
		if d.done {
			t.Errorf("task %s was handed out again; that it is done was acknowledged", id)
		}
		atWork[id] = true
	case "done":
		d.done = true
		delete(atWork, id)
	default:
		t.Errorf("the process said %q", line)
	}
}

// drain handles what is left.
func drain(t *testing.T, path string) map[string]bool {
	t.Helper()
	e := openQueue(t, Driver(), path)
	defer func() {
		if err := e.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	s, err := e.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for int64(len(left)) < s.Unfinished() {
		var cs []queue.Completion
		for _, l := range receive(t, e, 100) {
			left[l.ID] = true
			cs = append(cs, queue.Completion{Token: l.Token})
		}
		complete(t, e, cs...)
	}
	return left
}

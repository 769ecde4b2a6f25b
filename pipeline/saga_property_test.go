package pipeline_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plba/plba/task"
)

// Random pipelines with checkpoints and compensations, whose stages and compensations fail, and whose process is killed at any
// moment, on a queue: no stage that is on record runs again, nothing is undone while the task goes on, and when it is given
// up everything that is on record is undone, in the reverse order of its completion.
func TestTasksAreDoneOrUndoneWhateverHappens(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		name := map[bool]string{false: "run mode", true: "stream mode"}[streamed]
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			rapid.Check(t, func(t *rapid.T) {
				whole := drawGang(t, 2, "p")
				h := &history{shelf: newShelf(), calls: map[string]int{}, effects: map[string]*deed{}, seen: seen}
				h.shelf.before = func() error {
					h.mu.Lock()
					defer h.mu.Unlock()
					if !h.happens() {
						return task.ErrLeaseLost
					}
					return nil
				}
				l := life{t: t, h: h, whole: whole, streamed: streamed, in: rapid.IntRange(0, 9).Draw(t, "value")}
				l.live()
				if len(h.wrong) > 0 {
					t.Fatal(strings.Join(h.wrong, "\n"))
				}
			})
			for _, what := range []string{"done", "resumed", "killed", "forced", "undone", "undo failed", "several undone", "requeued"} {
				if seen[what] < 20 {
					t.Errorf("%q was met only %d times: the test has lost its point", what, seen[what])
				}
			}
			t.Logf("%v", seen)
		})
	}
}

// life is that of one task on its queue.
type life struct {
	t        *rapid.T
	h        *history
	whole    *gang
	streamed bool
	in       int
}

// lease has a new process handle the task once. It does not come back when that is killed meanwhile.
func (l *life) lease(info task.Info) (out int, err error, killed bool) {
	h := l.h
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	h.lease++
	h.dead, h.undoing, h.fuse, h.force = false, info.Undo, 0, nil
	switch rapid.IntRange(0, 5).Draw(l.t, "end") {
	case 0, 1:
		h.fuse = rapid.IntRange(1, 30).Draw(l.t, "fuse")
	case 2:
		h.fuse = rapid.IntRange(1, 30).Draw(l.t, "fuse")
		h.force = func() { cancel(task.ErrForced) }
	}
	p := l.whole.pipeline(h)
	if l.streamed {
		p = p.Streamed(map[string]int{"s0": 2}, 1)
		detach, err := p.Attach(&slots{size: 1})
		if err != nil {
			l.t.Fatal(err)
		}
		defer detach(context.Background())
	}
	info.ID = "t1"
	out, err = p.Run(task.With(ctx, info, h.shelf, nil), l.in)
	if !h.dead {
		h.audit()
	}
	return out, err, h.dead
}

// live handles the task until it has ended.
func (l *life) live() {
	const attempts = 5
	for n := 1; n <= attempts; n++ {
		if len(l.h.shelf.kept("")) > 0 {
			l.h.seen["resumed"]++
		}
		out, err, killed := l.lease(task.Info{Attempt: n, MaxAttempts: attempts})
		if killed {
			continue
		}
		if err == nil {
			l.done(out)
			return
		}
		if outcome, _ := task.Classify(err); outcome == task.Dead {
			n = attempts
		}
	}
	l.giveUp()
}

func (l *life) done(out int) {
	l.h.seen["done"]++
	if want := l.whole.gives(l.in); out != want {
		l.t.Fatalf("it gives %d, want %d", out, want)
	}
	for path, d := range l.h.effects {
		if !d.standing {
			l.t.Fatalf("the task is done, and %s is not", path)
		}
	}
}

// giveUp has the effects undone, unless an operator has the task begin again before that has come to its end.
func (l *life) giveUp() {
	h := l.h
	h.undone = nil
	want := l.toUndo()
	for n := 1; len(h.shelf.kept(task.UndoPrefix)) > 0; n++ {
		if n > 200 {
			l.t.Fatalf("nothing ends the undoing of %v", h.shelf.places())
		}
		_, err, killed := l.lease(task.Info{Attempt: n, Undo: true, Cause: "over"})
		if outcome, _ := task.Classify(err); !killed && outcome == task.Dead {
			l.t.Fatalf("undoing: %v", err)
		}
		if (killed || err != nil) && rapid.IntRange(0, 3).Draw(l.t, "requeue") == 0 {
			h.seen["requeued"]++
			l.live()
			return
		}
	}
	if !slices.Equal(h.undone, want) {
		l.t.Fatalf("undone %v, want %v", h.undone, want)
	}
	if len(want) > 0 {
		h.seen["undone"]++
	}
	if len(want) > 1 {
		h.seen["several undone"]++
	}
	for path, d := range h.effects {
		if d.standing && slices.ContainsFunc(want, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") }) {
			l.t.Fatalf("%s still stands", path)
		}
	}
}

// toUndo lists what is on record, the latest first, without what is inside of another one.
func (l *life) toUndo() (paths []string) {
	for _, key := range slices.Backward(l.h.shelf.kept(task.UndoPrefix)) {
		if strings.HasSuffix(key, "!") {
			continue // the mark of one that is being undone
		}
		path := key[len(task.UndoPrefix)+len("00000001/") : strings.LastIndexByte(key, '@')]
		if !slices.ContainsFunc(paths, func(around string) bool { return strings.HasPrefix(path, around+"/") }) {
			paths = append(paths, path)
		}
	}
	return paths
}

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func checkpointsTests() []test {
	return []test{
		{"kept over attempts", 1, checkpointsKept},
		{"each task has its own", 2, checkpointsOwn},
		{"saved again and forgotten", 1, checkpointsForget},
		{"a copy, not the value", 1, checkpointsCopy},
		{"fenced", 1, checkpointsFenced},
		{"what cannot be kept", 1, checkpointsRefused},
		{"from several goroutines", 1, checkpointsTogether},
		{"listed", 2, checkpointsListed},
		{"kept when it is dead, gone when it is done", 1, checkpointsRequeued},
	}
}

type order struct {
	Number int
	Lines  []string
}

func (r *rig) save(l queue.Lease, path string, v any) {
	r.Helper()
	if err := r.engine.Checkpoints(l.Token).Save(r.Context(), path, v); err != nil {
		r.Fatalf("Save %q: %v", path, err)
	}
}

func (r *rig) forget(l queue.Lease, prefix string) {
	r.Helper()
	if err := r.engine.Checkpoints(l.Token).Forget(r.Context(), prefix); err != nil {
		r.Fatalf("Forget %q: %v", prefix, err)
	}
}

// kept demands that exactly these paths of a number of them are kept.
func (r *rig) kept(when string, l queue.Lease, want map[string]bool) {
	r.Helper()
	for path, expected := range want {
		var v any
		found, err := r.engine.Checkpoints(l.Token).Load(r.Context(), path, &v)
		if err != nil || found != expected {
			r.Errorf("%s: Load %q: found %t, %v; expected %t", when, path, found, err, expected)
		}
	}
}

func checkpointsKept(r *rig) {
	id := r.publish()
	l := r.task(id, ample)
	saved := order{7, []string{"a", "é"}}
	r.save(l, "orders/parse", saved)
	for _, end := range []func(){
		func() { r.complete(retry(l.Token, 0, "again")) },
		func() { r.complete(snooze(l.Token, 0)) },
		func() { r.complete(giveBack(l.Token)) },
		func() { r.renew(brief, l.Token) },
	} {
		end()
		l = r.task(id, ample)
		var got order
		found, err := r.engine.Checkpoints(l.Token).Load(r.Context(), "orders/parse", &got)
		if err != nil || !found || got.Number != 7 || len(got.Lines) != 2 || got.Lines[1] != "é" {
			r.Errorf("attempt %d: Load gave %+v, %t, %v; saved was %+v", l.Info.Attempt, got, found, err, saved)
		}
	}
}

func checkpointsOwn(r *rig) {
	first, second := r.task(r.publish(), ample), r.task(r.publish(), ample)
	r.save(first, "a", 1)
	r.kept("the task that saved it", first, map[string]bool{"a": true, "b": false})
	r.kept("another task", second, map[string]bool{"a": false})
}

func checkpointsForget(r *rig) {
	l := r.task(r.publish(), ample)
	for _, path := range []string{"p/a", "p/b/c", "q", "p%", "P/a", "q/p/a"} {
		r.save(l, path, path)
	}
	r.save(l, "q", "again")
	var q string
	if _, err := r.engine.Checkpoints(l.Token).Load(r.Context(), "q", &q); err != nil || q != "again" {
		r.Errorf("saved again, Load gives %q, %v", q, err)
	}
	r.forget(l, "none")
	r.forget(l, "p/")
	r.kept("after forgetting p/", l, map[string]bool{"p/a": false, "p/b/c": false, "q": true, "p%": true, "P/a": true, "q/p/a": true})
	r.forget(l, "p%")
	r.kept("after forgetting p%", l, map[string]bool{"q": true, "p%": false, "P/a": true})
	r.forget(l, "")
	r.kept("after forgetting everything", l, map[string]bool{"q": false, "P/a": false})
}

func checkpointsCopy(r *rig) {
	l := r.task(r.publish(), ample)
	lines := []string{"a"}
	r.save(l, "o", order{Lines: lines})
	lines[0] = "changed after it was saved"
	for range 2 {
		var got order
		if _, err := r.engine.Checkpoints(l.Token).Load(r.Context(), "o", &got); err != nil || got.Lines[0] != "a" {
			r.Fatalf("Load gave %+v, %v; saved was a", got, err)
		}
		got.Lines[0] = "changed after it was loaded"
	}
}

// listed demands that exactly these paths are kept, in this order.
func (r *rig) listed(l queue.Lease, prefix string, want ...string) {
	r.Helper()
	got, err := r.engine.Checkpoints(l.Token).List(r.Context(), prefix)
	if err != nil || !slices.Equal(got, want) {
		r.Errorf("List %q: %q, %v; expected %q", prefix, got, err, want)
	}
}

func checkpointsListed(r *rig) {
	l, other := r.task(r.publish(), ample), r.task(r.publish(), ample)
	r.listed(l, "")
	for _, path := range []string{"p/b", "q", "p/a", "P/a", "p%", "é", "p", "p/a/c"} {
		r.save(l, path, path)
	}
	r.save(l, "q", "again")
	r.listed(l, "", "P/a", "p", "p%", "p/a", "p/a/c", "p/b", "q", "é")
	r.listed(l, "p/", "p/a", "p/a/c", "p/b")
	r.listed(l, "p%", "p%")
	r.listed(l, "none")
	r.listed(other, "")
	r.complete(giveBack(l.Token))
	if _, err := r.engine.Checkpoints(l.Token).List(r.Context(), ""); !errors.Is(err, task.ErrLeaseLost) {
		r.Errorf("List under a lost lease: %v, expected ErrLeaseLost", err)
	}
}

func checkpointsRequeued(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, "stage", 1)
	r.complete(bury(l.Token, "bad"))
	r.requeued(1, queue.ByID(l.ID))
	r.listed(r.task(l.ID, ample), "", "stage")
}

func checkpointsFenced(r *rig) {
	id := r.publish()
	first := r.task(id, ample)
	r.save(first, "a", 1)
	r.complete(giveBack(first.Token))
	second := r.task(id, ample)
	old := r.engine.Checkpoints(first.Token)
	if err := old.Save(r.Context(), "a", 2); !errors.Is(err, task.ErrLeaseLost) {
		r.Errorf("Save under a lost lease: %v, expected ErrLeaseLost", err)
	}
	if err := old.Forget(r.Context(), ""); !errors.Is(err, task.ErrLeaseLost) {
		r.Errorf("Forget under a lost lease: %v, expected ErrLeaseLost", err)
	}
	var v int
	if _, err := old.Load(r.Context(), "a", &v); !errors.Is(err, task.ErrLeaseLost) {
		r.Errorf("Load under a lost lease: %v, expected ErrLeaseLost", err)
	}
	found, err := r.engine.Checkpoints(second.Token).Load(r.Context(), "a", &v)
	if err != nil || !found || v != 1 {
		r.Errorf("after late calls, Load gives %d, %t, %v; expected 1", v, found, err)
	}
}

func checkpointsRefused(r *rig) {
	l := r.task(r.publish(), ample)
	c := r.engine.Checkpoints(l.Token)
	if err := c.Save(r.Context(), "big", strings.Repeat("x", queue.MaxCheckpoint)); !errors.Is(err, queue.ErrTooLarge) {
		r.Errorf("Save of more than %d bytes: %v, expected ErrTooLarge", queue.MaxCheckpoint, err)
	}
	if err := c.Save(r.Context(), "chan", make(chan int)); err == nil {
		r.Errorf("Save of a channel succeeded")
	}
	r.save(l, "text", "abc")
	var number int
	if found, err := c.Load(r.Context(), "text", &number); err == nil {
		r.Errorf("Load of a text into a number: %t, no error", found)
	}
	r.kept("after refusals", l, map[string]bool{"big": false, "chan": false, "text": true})
}

func checkpointsTogether(r *rig) {
	l := r.task(r.publish(), ample)
	c := r.engine.Checkpoints(l.Token)
	r.together(8, func(i int) error { return saveAndLoad(r.Context(), c, i) })
}

func saveAndLoad(ctx context.Context, c task.Checkpoints, i int) error {
	path := fmt.Sprintf("element/%d", i)
	for n := range 20 {
		if err := c.Save(ctx, path, n); err != nil {
			return err
		}
		var got int
		if found, err := c.Load(ctx, path, &got); err != nil || !found || got != n {
			return fmt.Errorf("%s: %d, %t, %w; saved was %d", path, got, found, err, n)
		}
	}
	return nil
}

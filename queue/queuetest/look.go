package queuetest

import (
	"fmt"
	"time"

	"github.com/plba/plba/queue"
)

// ---- operating ----

func (r *rig) cancel(id, cause string) {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	if err := r.engine.Cancel(ctx, id, cause); err != nil {
		r.Fatalf("Cancel of task %s: %v", id, err)
	}
}

// requeued demands that so many tasks are requeued.
func (r *rig) requeued(want int, sel queue.Selection) {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	n, err := r.engine.Requeue(ctx, sel)
	if err != nil || n != want {
		r.Fatalf("Requeue of %+v: %d, %v; expected %d", sel, n, err, want)
	}
}

// ---- looking ----

func (r *rig) stats() queue.Stats {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	s, err := r.engine.Stats(ctx)
	if err != nil {
		r.Fatalf("Stats: %v", err)
	}
	return s
}

// counts demands the number of tasks per state.
func (r *rig) counts(when string, want queue.Stats) {
	r.Helper()
	got := r.stats()
	got.Published, got.Completed, got.Capacity, got.OldestReady = 0, 0, 0, 0
	if got != want {
		r.Fatalf("%s: stats are %s, expected %s", when, countsOf(got), countsOf(want))
	}
}

func countsOf(s queue.Stats) string {
	return fmt.Sprintf("ready %d, scheduled %d, running %d, retrying %d, undoing %d, dead %d, cancelled %d, done %d, paused %t",
		s.Ready, s.Scheduled, s.Running, s.Retrying, s.Undoing, s.Dead, s.Cancelled, s.Done, s.Paused)
}

// eventually waits until holds is true.
func (r *rig) eventually(what string, holds func() bool) {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	tick := time.NewTicker(tolerance)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// tasks lists the tasks in these states, up to a page, those published last first.
func (r *rig) tasks(states ...queue.State) []queue.Task {
	r.Helper()
	return r.page(queue.Query{States: states}).Tasks
}

func (r *rig) page(q queue.Query) queue.Page {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	page, err := r.engine.Tasks(ctx, q)
	if err != nil {
		r.Fatalf("Tasks: %v", err)
	}
	if len(page.Tasks) > q.Size() {
		r.Fatalf("a page has %d tasks, asked for were %d at most", len(page.Tasks), q.Size())
	}
	return page
}

// look gives everything about a task that must be there.
func (r *rig) look(id string) queue.Task {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	t, err := r.engine.Task(ctx, id)
	if err != nil {
		r.Fatalf("Task %s: %v", id, err)
	}
	return t
}

// theDead is the only dead letter.
func (r *rig) theDead() queue.Task {
	r.Helper()
	letters := r.tasks(queue.StateDead)
	if len(letters) != 1 {
		r.Fatalf("%d dead letters, expected one", len(letters))
	}
	return r.look(letters[0].Info.ID)
}

// failures demands the errors of a task's history, one for each attempt.
func (r *rig) failures(t queue.Task, want ...string) {
	r.Helper()
	if len(t.Failures) != len(want) {
		r.Fatalf("task %s has %d failures %.200v, expected %d", t.Info.ID, len(t.Failures), t.Failures, len(want))
	}
	for i, f := range t.Failures {
		if f.Error != want[i] || f.Attempt != i+1 || f.At.IsZero() || f.Undo {
			r.Errorf("failure %d is attempt %d at %s: %.40q; expected attempt %d: %.40q", i, f.Attempt, f.At, f.Error, i+1, want[i])
		}
	}
}

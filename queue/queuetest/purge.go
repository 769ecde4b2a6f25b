package queuetest

import (
	"errors"

	"github.com/plba/plba/queue"
)

func purgeTests() []test {
	return []test{
		{"by state", 6, purgeStates},
		{"by ID", 3, purgeIDs},
		{"not what runs", 1, purgeRunning},
		{"makes room and frees the unique key", capacity, purgeFrees},
		{"its unique key counts for its time", 2, purgeUnique},
		{"wakes those who wait for room", capacity, purgeWakes},
	}
}

// purged demands that so many tasks are forgotten.
func (r *rig) purged(want int, sel queue.Selection) {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	if n, err := r.engine.Purge(ctx, sel); n != want || err != nil {
		r.Fatalf("Purge of %+v: %d, %v; expected %d", sel, n, err, want)
	}
}

func purgeStates(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDone = ample })
	r.complete(done(r.task(r.publish(), ample).Token))
	r.kill("bad")
	r.complete(retry(r.task(r.publish(), ample).Token, ample, "again"))
	cancelled := r.publish()
	r.cancel(cancelled, "enough")
	ready := r.publish()
	r.publish(delayed(ample))
	all := queue.Stats{Done: 1, Dead: 1, Retrying: 1, Cancelled: 1, Ready: 1, Scheduled: 1}
	r.counts("one in each state", all)
	r.purged(0, queue.Selection{})
	r.counts("nothing was selected", all)
	r.purged(2, queue.InState(queue.StateDead, queue.StateRetrying))
	r.counts("two are forgotten", queue.Stats{Done: 1, Cancelled: 1, Ready: 1, Scheduled: 1})
	r.purged(2, queue.InState(queue.StateDone, queue.StateScheduled))
	r.purged(1, queue.InState(queue.StateCancelled))
	r.counts("one is left", queue.Stats{Ready: 1})
	if _, err := r.engine.Task(r.Context(), cancelled); !errors.Is(err, queue.ErrNotFound) {
		r.Errorf("Task of one that was purged: %v, expected ErrNotFound", err)
	}
	r.complete(done(r.task(ready, ample).Token))
	r.purged(1, queue.InState(queue.StateDone))
	r.nothing("all are gone")
}

func purgeIDs(r *rig) {
	dead, waiting, other := r.kill("bad"), r.publish(), r.publish()
	r.purged(0, queue.Selection{IDs: []string{dead, waiting}, States: []queue.State{queue.StateCancelled}})
	r.purged(1, queue.Selection{IDs: []string{dead, waiting}, States: []queue.State{queue.StateDead}})
	r.purged(1, queue.ByID(waiting, waiting, "no such task"))
	r.counts("one is left", queue.Stats{Ready: 1})
	r.task(other, ample)
}

func purgeRunning(r *rig) {
	l := r.task(r.publish(), ample)
	r.purged(0, queue.ByID(l.ID))
	r.purged(0, queue.InState(queue.StateRunning))
	r.complete(done(l.Token))
	r.counts("it is done", queue.Stats{})
}

func purgeFrees(r *rig) {
	r.fill(unique("a"))
	r.full("at capacity")
	r.purged(capacity, queue.InState(queue.StateReady))
	r.counts("it is empty", queue.Stats{})
	r.task(r.fresh("purged", unique("a")), ample)
}

func purgeUnique(r *rig) {
	dead := r.kill("bad", unique("a"), uniqueFor(ample))
	waiting := r.publish(unique("b"), uniqueFor(ample))
	r.purged(2, queue.ByID(dead, waiting))
	r.existing("purged, within its time", dead, unique("a"))
	r.existing("purged, within its time", waiting, unique("b"))
	r.counts("they are gone all the same", queue.Stats{})
}

func purgeWakes(r *rig) {
	r.fill()
	published := r.publishing(1)
	r.stillWaiting(published, "the queue is full")
	r.purged(capacity, queue.InState(queue.StateReady))
	r.served(published)
	r.counts("it is in", queue.Stats{Ready: 1})
}

// purgeUndoable is about what has effects: it is to be cancelled, which undoes them.
func purgeUndoable(r *rig) {
	r.undoable(func(t queue.Token) queue.Completion { return retry(t, ample, "again") })
	r.undoable(func(t queue.Token) queue.Completion { return snooze(t, ample) })
	ready := r.undoable(giveBack)
	r.purged(0, queue.InState(queue.StateReady, queue.StateRetrying, queue.StateScheduled))
	r.counts("all are still there", queue.Stats{Ready: 1, Retrying: 1, Scheduled: 1})
	l := r.task(ready.ID, ample)
	r.complete(bury(l.Token, "bad"))
	r.purged(0, queue.ByID(l.ID))
	r.purged(0, queue.InState(queue.StateUndoing))
	r.complete(bury(r.task(l.ID, ample).Token, "cannot be undone"))
	r.purged(1, queue.ByID(l.ID))
}

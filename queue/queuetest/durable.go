package queuetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// durableTests close the engine and open it again, on the same storage.
func durableTests() []test {
	return []test{
		{"every state survives", 6, durableStates},
		{"order survives", 6, durableOrder},
		{"everything about a task survives", 1, durableEverything},
		{"dead letters survive, and their history", 2, durableDead},
		{"a pause survives", 1, durablePause},
		{"a lease goes on", 2, durableLease},
		{"a lease ends while nobody is there", 1, durableExpiry},
		{"the fence survives", 1, durableFence},
		{"delays go on", 2, durableDelay},
		{"unique keys survive", 4, durableUnique},
		{"a cancelled one that runs", 1, durableCancel},
		{"over and over", 40, durableOften},
		{"a full queue is full", capacity, durableFull},
	}
}

func durableStates(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDone = ample })
	r.complete(done(r.task(r.publish(), ample).Token))
	r.kill("bad")
	r.complete(retry(r.task(r.publish(), ample).Token, ample, "again"))
	r.cancel(r.publish(), "enough")
	r.task(r.publish(), ample)
	r.publish(delayed(ample))
	r.publish()
	want := queue.Stats{Done: 1, Dead: 1, Retrying: 1, Cancelled: 1, Running: 1, Scheduled: 1, Ready: 1}
	r.counts("before", want)
	before := r.tasks()
	r.restart()
	r.counts("after", want)
	after := r.tasks()
	if len(after) != len(before) {
		r.Fatalf("listed are %d tasks, before they were %d", len(after), len(before))
	}
	for i, a := range after {
		if b := before[i]; a.Info.ID != b.Info.ID || a.State != b.State || !a.EndedAt.Equal(b.EndedAt) || a.Info.Attempt != b.Info.Attempt {
			r.Errorf("task %d is %+v, before it was %+v", i, a, b)
		}
	}
}

func durableOrder(r *rig) {
	ids := r.publishN(4)
	high := r.publish(priority(1))
	returned := r.expect(high, ids[0])
	r.complete(giveBack(returned[1].Token))
	r.restart()
	last := r.publish()
	r.expect(append(slices.Clone(ids), last)...)
}

func durableEverything(r *rig) {
	rec := r.record(priority(3), unique("key"), attempts(9))
	rec.Info.Metadata = map[string]string{"tenant": "north", "ключ": "значение"}
	id := r.publishRecords(rec)[0].ID
	before := r.look(id)
	r.restart()
	l := r.task(id, ample)
	i := l.Info
	if i.Queue != "tests" || i.Kind != "test" || i.Attempt != 1 || i.MaxAttempts != 9 || i.Priority != 3 || i.Unique != "key" ||
		!maps.Equal(i.Metadata, rec.Info.Metadata) || !i.EnqueuedAt.Equal(before.Info.EnqueuedAt) || textOf(l.Payload) != textOf(rec.Payload) {
		r.Errorf("the task came back as %+v, published was %+v", l, rec)
	}
}

func durableDead(r *rig) {
	id := r.publish()
	r.complete(retry(r.task(id, ample).Token, 0, "first"))
	r.restart()
	r.complete(bury(r.task(id, ample).Token, "never"))
	other := r.publish()
	r.cancel(other, "enough")
	r.restart()
	r.failures(r.look(id), "first", "never")
	r.requeued(2, queue.InState(queue.StateDead, queue.StateCancelled))
	r.restart()
	r.requeued(0, queue.InState(queue.StateDead, queue.StateCancelled))
	if l := r.task(id, ample); l.Info.Attempt != 1 {
		r.Errorf("requeued, it came with attempt %d", l.Info.Attempt)
	}
	if fs := r.look(id).Failures; len(fs) != 2 {
		r.Errorf("its history is %+v", fs)
	}
}

func durablePause(r *rig) {
	r.hold()
	r.restart()
	if !r.stats().Paused {
		r.Errorf("the pause did not survive")
	}
	id := r.publish()
	r.nothing("the queue is paused")
	r.resume()
	r.restart()
	if r.stats().Paused {
		r.Errorf("the resume did not survive")
	}
	r.task(id, ample)
}

func durableLease(r *rig) {
	first, second := r.task(r.publish(), ample), r.task(r.publish(), ample)
	r.restart()
	r.nothing("both are leased")
	if lost := r.renew(ample, first.Token); len(lost) > 0 {
		r.Errorf("Renew: lost are %v, the lease goes on", lost)
	}
	r.complete(done(first.Token), retry(second.Token, 0, "again"))
	if l := r.task(second.ID, ample); l.Info.Attempt != 2 {
		r.Errorf("attempt %d, expected 2", l.Info.Attempt)
	}
}

func durableExpiry(r *rig) {
	l := r.task(r.publish(), brief)
	r.close()
	r.pause(2 * brief)
	r.start()
	again := r.task(l.ID, ample)
	if again.Info.Attempt != 2 || again.Lease <= l.Lease {
		r.Errorf("after its lease ended, it came with attempt %d and lease %d; before it had lease %d", again.Info.Attempt, again.Lease, l.Lease)
	}
	if lost := r.completeLosing(done(l.Token)); len(lost) != 1 {
		r.Errorf("an answer under the lease that has ended: lost is %v", lost)
	}
}

func durableFence(r *rig) {
	id := r.publish()
	last := r.task(id, ample)
	for range 3 {
		r.complete(giveBack(last.Token))
		r.restart()
		next := r.task(id, ample)
		if next.Lease <= last.Lease {
			r.Errorf("the claim after a restart has lease %d, the one before had %d: it must grow", next.Lease, last.Lease)
		}
		if lost := r.completeLosing(done(last.Token)); len(lost) != 1 {
			r.Errorf("a late answer: lost is %v, expected its token", lost)
		}
		last = next
	}
}

func durableDelay(r *rig) {
	soonDue := r.publish(delayed(later))
	r.publish(delayed(ample))
	r.restart()
	r.task(soonDue, ample)
	r.nothing("the other is not due")
	r.counts("it waits", queue.Stats{Running: 1, Scheduled: 1})
}

func durableUnique(r *rig) {
	living := r.publish(unique("living"))
	ended := r.publish(unique("ended"), uniqueFor(ample))
	over := r.publish(unique("over"))
	r.task(living, ample)
	r.complete(done(r.task(ended, ample).Token), done(r.task(over, ample).Token))
	r.restart()
	r.existing("running", living, unique("living"))
	r.existing("done, within its time", ended, unique("ended"))
	r.fresh("done", unique("over"))
}

func durableCancel(r *rig) {
	l := r.marked()
	r.restart()
	renewed, err := r.engine.Renew(r.Context(), []queue.Token{l.Token}, ample)
	if err != nil || len(renewed.Cancelled) != 1 {
		r.Errorf("Renew: %+v, %v; expected to hear that the task is to end", renewed, err)
	}
	r.complete(giveBack(l.Token))
	r.counts("it is cancelled", queue.Stats{Cancelled: 1})
}

func durableOften(r *rig) {
	var want []string
	for range 10 {
		want = append(want, r.publishN(4)...)
		l := r.task(want[0], ample)
		r.restart()
		r.complete(done(l.Token))
		want = want[1:]
	}
	r.restart()
	r.expect(want...)
}

func durableFull(r *rig) {
	r.fill()
	r.restart()
	r.full("at capacity")
	r.complete(done(r.one(ample).Token))
	r.room("one is done")
}

// durableUndoTests are about checkpoints and undoing over restarts.
func durableUndoTests() []test {
	return []test{
		{"checkpoints survive", 1, func(r *rig) {
			l := r.task(r.publish(), ample)
			r.save(l, "a/1", 1)
			r.save(l, "a/2", 2)
			r.forget(l, "a/1")
			r.restart()
			r.listed(l, "", "a/2")
			r.complete(giveBack(l.Token))
			r.restart()
			again := r.task(l.ID, ample)
			var v int
			if found, err := r.engine.Checkpoints(again.Token).Load(r.Context(), "a/2", &v); err != nil || !found || v != 2 {
				r.Errorf("Load: %d, %t, %v; expected 2", v, found, err)
			}
			if err := r.engine.Checkpoints(l.Token).Save(r.Context(), "b", 1); !errors.Is(err, task.ErrLeaseLost) {
				r.Errorf("Save under a lost lease: %v, expected ErrLeaseLost", err)
			}
		}},
		{"what is to be undone is undone", 1, func(r *rig) {
			l := r.undoable(buryBad)
			r.restart()
			r.complete(retry(r.undo(l.ID, "bad").Token, 0, "away"))
			r.restart()
			u := r.task(l.ID, ample)
			if !u.Info.Undo || u.Info.Attempt != 2 || u.Info.Cause != "bad" {
				r.Errorf("after a restart it came with %+v, expected the second attempt to undo", u.Info)
			}
			r.restart()
			r.complete(done(u.Token))
			r.ended(l.ID, queue.StateDead, 2)
		}},
		{"an undo lease ends while nobody is there", 1, func(r *rig) {
			l := r.undoable(buryBad, attempts(1))
			r.renew(brief, r.undo(l.ID, "bad").Token)
			r.close()
			r.pause(2 * brief)
			r.start()
			r.eventually("the task is dead", func() bool { return r.stats().Dead == 1 })
		}},
	}
}

// durableGroupTests are about groups over restarts.
func durableGroupTests() []test {
	return []test{
		{"a group that is busy", 2, func(r *rig) {
			ids := r.publishN(2, group("a"))
			l := r.task(ids[0], ample)
			r.restart()
			r.nothing("one of the group is running")
			r.complete(done(l.Token))
			r.task(ids[1], ample)
		}},
		{"strict order", 6, func(r *rig) {
			r.strict()
			for n := range 3 {
				ids := r.publishN(2, group(fmt.Sprint(n)))
				l := r.task(ids[0], ample)
				r.complete([]func(queue.Token) queue.Completion{
					giveBack, func(t queue.Token) queue.Completion { return retry(t, later, "again") },
					func(t queue.Token) queue.Completion { return snooze(t, later) },
				}[n](l.Token))
				r.restart()
				r.complete(done(r.task(ids[0], ample).Token))
				r.complete(done(r.task(ids[1], ample).Token))
			}
		}},
	}
}

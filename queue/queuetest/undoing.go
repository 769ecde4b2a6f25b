package queuetest

import (
	"errors"
	"slices"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func undoingTests() []test {
	return append(edges(true), []test{
		{"handed out to undo, then dead", 1, undoingDead},
		{"handed out to undo, then cancelled", 1, undoingCancelled},
		{"cancelled in each living state", 5, undoingEachState},
		{"after the last attempt", 1, undoingLastAttempt},
		{"after the last lease has expired", 1, undoingExpiredLast},
		{"marked, and back in every way", 5, undoingMarked},
		{"not without an effect", 2, undoingNothing},
		{"not what is done", 2, undoingDone},
		{"retried until it is done", 1, undoingRetried},
		{"given up after as many attempts", 1, undoingAttempts},
		{"given up at once", 2, undoingBuried},
		{"its lease expires", 1, undoingExpires},
		{"its last lease expires", 1, undoingExpiresLast},
		{"snooze and return do not count", 1, undoingFree},
		{"fenced", 1, undoingFenced},
		{"checkpoints go on", 1, undoingCheckpoints},
		{"cannot be cancelled or requeued", 2, undoingLeftAlone},
		{"run now", 1, undoingRunNow},
		{"counts against the capacity, and keeps its key", capacity, undoingLives},
		{"requeued when all is undone", 1, undoingRequeued},
		{"requeued when it could not be undone", 1, undoingRequeuedHalfway},
		{"waits in its turn", 3, undoingTurn},
		{"not while the queue is paused", 1, undoingPaused},
		{"purge leaves what can be undone", 3, purgeUndoable},
	}...)
}

// undo claims the task, which is to be undone.
func (r *rig) undo(id, cause string) queue.Lease {
	r.Helper()
	l := r.task(id, ample)
	if !l.Info.Undo || l.Info.Attempt != 1 || l.Info.Cause != cause {
		r.Fatalf("handed out with %+v; expected the first attempt to undo, because of %q", l.Info, cause)
	}
	return l
}

// ended demands how a task has ended, with how many failures.
func (r *rig) ended(id string, want queue.State, failures int) queue.Task {
	r.Helper()
	t := r.look(id)
	if t.State != want || t.EndedAt.IsZero() || len(t.Failures) != failures || t.EndsAs != "" || t.Cancelling {
		r.Fatalf("the task is %+v, expected to be %s after %d failures", t, want, failures)
	}
	return t
}

func buryBad(t queue.Token) queue.Completion { return bury(t, "bad") }

func undoingDead(r *rig) {
	l := r.undoable(buryBad, attempts(3))
	r.counts("it is not dead yet", queue.Stats{Undoing: 1})
	if t := r.look(l.ID); t.State != queue.StateUndoing || t.EndsAs != queue.StateDead || !t.EndedAt.IsZero() || !t.LeasedUntil.IsZero() {
		r.Errorf("the task is %+v, expected to be undoing, as dead, waiting", t)
	}
	second := r.undo(l.ID, "bad")
	if second.Lease <= l.Lease || second.Info.MaxAttempts != 3 {
		r.Errorf("the undo lease is %+v, the one before was %+v", second, l)
	}
	if t := r.look(l.ID); t.State != queue.StateUndoing || t.LeasedUntil.IsZero() {
		r.Errorf("the task is %+v, expected to be undoing, leased", t)
	}
	r.complete(done(second.Token))
	r.counts("now it is dead", queue.Stats{Dead: 1})
	r.failures(r.ended(l.ID, queue.StateDead, 1), "bad")
	if got := r.stats().Completed; got != 0 {
		r.Errorf("completed are %d tasks, it was not", got)
	}
	r.nothing("it is dead")
}

func undoingCancelled(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, task.UndoPrefix+"a", 1)
	r.cancel(l.ID, "enough")
	r.counts("it runs until its handler yields", queue.Stats{Running: 1})
	r.complete(yielded(l.Token, "stopped"))
	if t := r.look(l.ID); t.EndsAs != queue.StateCancelled || t.Cancelling {
		r.Errorf("the task is %+v, expected to be undoing, as cancelled", t)
	}
	r.complete(dropped(r.undo(l.ID, task.ErrCancelled.Error()).Token))
	r.ended(l.ID, queue.StateCancelled, 2)
}

func undoingEachState(r *rig) {
	var ids []string
	for _, end := range []func(queue.Token) queue.Completion{
		func(t queue.Token) queue.Completion { return snooze(t, ample) },
		func(t queue.Token) queue.Completion { return retry(t, ample, "first") },
		func(t queue.Token) queue.Completion { return retry(t, 0, "first") },
		giveBack,
	} {
		l := r.undoable(end)
		r.cancel(l.ID, "enough")
		ids = append(ids, l.ID)
		l = r.undo(l.ID, task.ErrCancelled.Error())
		r.complete(done(l.Token))
		if t := r.look(l.ID); t.State != queue.StateCancelled {
			r.Errorf("the task is %s, expected to be cancelled", t.State)
		}
	}
	running := r.task(r.publish(), ample)
	r.save(running, task.UndoPrefix, 1) // the shortest path
	r.cancel(running.ID, "enough")
	r.complete(giveBack(running.Token))
	r.complete(done(r.undo(running.ID, task.ErrCancelled.Error()).Token))
	r.counts("all are cancelled", queue.Stats{Cancelled: int64(len(ids) + 1)})
}

func undoingLastAttempt(r *rig) {
	l := r.undoable(func(t queue.Token) queue.Completion { return retry(t, 0, "first") }, attempts(2))
	r.complete(retry(r.task(l.ID, ample).Token, ample, "last"))
	r.complete(done(r.undo(l.ID, "last").Token))
	r.failures(r.ended(l.ID, queue.StateDead, 2), "first", "last")
}

func undoingExpiredLast(r *rig) {
	l := r.task(r.publish(attempts(1)), brief)
	r.save(l, task.UndoPrefix+"a", 1)
	r.complete(done(r.undo(l.ID, "lease expired").Token))
	r.failures(r.ended(l.ID, queue.StateDead, 1), "lease expired")
}

func undoingMarked(r *rig) {
	for n, answer := range []func(queue.Token) queue.Completion{
		func(t queue.Token) queue.Completion { return retry(t, ample, "failed") },
		func(t queue.Token) queue.Completion { return snooze(t, ample) },
		giveBack, yieldedFor("stopped"),
	} {
		l := r.task(r.publish(), ample)
		r.save(l, task.UndoPrefix+"a", 1)
		r.cancel(l.ID, "enough")
		r.complete(answer(l.Token))
		r.complete(done(r.undo(l.ID, task.ErrCancelled.Error()).Token))
		r.counts("after it", queue.Stats{Cancelled: int64(n + 1)})
	}
	l := r.task(r.publish(), ample)
	r.save(l, task.UndoPrefix+"a", 1)
	r.cancel(l.ID, "enough")
	if renewed, err := r.engine.Renew(r.Context(), []queue.Token{l.Token}, brief); err != nil || len(renewed.Cancelled) != 1 {
		r.Fatalf("Renew: %+v, %v; expected to hear that the task is to end", renewed, err)
	}
	r.complete(done(r.undo(l.ID, task.ErrCancelled.Error()).Token))
	r.counts("after its lease expired", queue.Stats{Cancelled: 5})
}

func undoingNothing(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, "undo", 1)
	r.save(l, "orders/undo/a", 1)
	r.save(l, task.UndoPrefix+"a", 1)
	r.forget(l, task.UndoPrefix)
	r.complete(bury(l.Token, "bad"))
	r.counts("no effect is left", queue.Stats{Dead: 1})
	l = r.task(r.publish(), ample)
	r.save(l, "Undo/a", 1)
	r.cancel(l.ID, "enough")
	r.complete(yielded(l.Token, "stopped"))
	r.counts("no effect is left", queue.Stats{Dead: 1, Cancelled: 1})
}

func undoingDone(r *rig) {
	r.undoable(done)
	r.undoable(dropped)
	r.counts("what is done stays done", queue.Stats{})
}

func undoingRetried(r *rig) {
	l := r.undoable(buryBad)
	r.complete(retry(r.undo(l.ID, "bad").Token, soon, "the bank is away"))
	r.counts("it waits", queue.Stats{Undoing: 1})
	again := r.task(l.ID, ample)
	if !again.Info.Undo || again.Info.Attempt != 2 || again.Info.Cause != "bad" {
		r.Errorf("handed out with %+v, expected the second attempt to undo", again.Info)
	}
	r.complete(done(again.Token))
	fs := r.ended(l.ID, queue.StateDead, 2).Failures
	if fs[0].Undo || fs[0].Error != "bad" || !fs[1].Undo || fs[1].Error != "the bank is away" || fs[1].Attempt != 1 {
		r.Errorf("the history is %+v, expected a failed attempt and one to undo", fs)
	}
}

func undoingAttempts(r *rig) {
	l := r.undoable(buryBad, attempts(3))
	for n := 1; n <= 3; n++ {
		u := r.task(l.ID, ample)
		if u.Info.Attempt != n || u.Info.LastAttempt() != (n == 3) {
			r.Fatalf("attempt %d to undo, expected %d of 3", u.Info.Attempt, n)
		}
		r.complete(retry(u.Token, 0, "away"))
	}
	if fs := r.ended(l.ID, queue.StateDead, 4).Failures; !fs[3].Undo || fs[3].Attempt != 3 {
		r.Errorf("the history is %+v", fs)
	}
	r.nothing("nothing more can be done")
}

func undoingBuried(r *rig) {
	l := r.undoable(buryBad)
	r.complete(bury(r.undo(l.ID, "bad").Token, "cannot be undone"))
	r.ended(l.ID, queue.StateDead, 2)
	l = r.undoable(giveBack)
	r.cancel(l.ID, "enough")
	r.complete(yielded(r.undo(l.ID, task.ErrCancelled.Error()).Token, "stopped"))
	r.ended(l.ID, queue.StateDead, 2) // also when it was to be cancelled: somebody must see that it was not undone
}

func undoingExpires(r *rig) {
	l := r.undoable(buryBad)
	first := r.undo(l.ID, "bad")
	r.renew(brief, first.Token)
	second := r.task(l.ID, ample)
	if !second.Info.Undo || second.Info.Attempt != 2 || second.Lease <= first.Lease {
		r.Errorf("after an expired undo lease: %+v", second)
	}
	r.complete(done(second.Token))
	if fs := r.ended(l.ID, queue.StateDead, 2).Failures; fs[1].Error != "lease expired" || !fs[1].Undo {
		r.Errorf("the history is %+v", fs)
	}
}

func undoingExpiresLast(r *rig) {
	l := r.undoable(buryBad, attempts(1))
	r.renew(brief, r.undo(l.ID, "bad").Token)
	r.eventually("the task is dead", func() bool { return r.stats().Dead == 1 })
	r.ended(l.ID, queue.StateDead, 2)
}

func undoingFree(r *rig) {
	l := r.undoable(buryBad, attempts(1))
	for range 3 {
		r.complete(snooze(r.undo(l.ID, "bad").Token, 0))
		r.complete(giveBack(r.undo(l.ID, "bad").Token))
	}
	r.complete(snooze(r.undo(l.ID, "bad").Token, soon))
	r.complete(done(r.undo(l.ID, "bad").Token))
	r.ended(l.ID, queue.StateDead, 1)
}

func undoingFenced(r *rig) {
	l := r.undoable(buryBad)
	u := r.undo(l.ID, "bad")
	for _, late := range []queue.Completion{done(l.Token), bury(l.Token, "late"), yielded(l.Token, "late")} {
		if lost := r.completeLosing(late); len(lost) != 1 {
			r.Errorf("%s under the lease before: lost is %v", late.Outcome, lost)
		}
	}
	if err := r.engine.Checkpoints(l.Token).Save(r.Context(), "a", 1); !errors.Is(err, task.ErrLeaseLost) {
		r.Errorf("Save under the lease before: %v, expected ErrLeaseLost", err)
	}
	r.complete(done(u.Token))
	r.ended(l.ID, queue.StateDead, 1)
}

func undoingCheckpoints(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, task.UndoPrefix+"1", "paid")
	r.save(l, task.UndoPrefix+"2", "sent")
	r.save(l, "stage", 1)
	r.complete(bury(l.Token, "bad"))
	u := r.undo(l.ID, "bad")
	r.listed(u, task.UndoPrefix, task.UndoPrefix+"1", task.UndoPrefix+"2")
	r.forget(u, task.UndoPrefix+"2")
	r.complete(retry(u.Token, 0, "away"))
	u = r.task(l.ID, ample)
	r.listed(u, "", "stage", task.UndoPrefix+"1")
	r.forget(u, task.UndoPrefix)
	r.complete(retry(u.Token, 0, "no record is left, but it is still undoing"))
	u = r.task(l.ID, ample)
	if !u.Info.Undo || u.Info.Attempt != 3 {
		r.Errorf("handed out with %+v, expected the third attempt to undo", u.Info)
	}
	r.complete(done(u.Token))
}

func undoingLeftAlone(r *rig) {
	waiting := r.undoable(buryBad)
	for range 2 {
		var wrong *queue.StateError
		if err := r.engine.Cancel(r.Context(), waiting.ID, "enough"); !errors.As(err, &wrong) || wrong.State != queue.StateUndoing {
			r.Errorf("Cancel of an undoing task: %v, expected a StateError", err)
		}
		r.requeued(0, queue.InState(queue.StateUndoing))
		r.requeued(0, queue.ByID(waiting.ID))
		r.counts("it is undoing", queue.Stats{Undoing: 1})
		r.complete(snooze(r.undo(waiting.ID, "bad").Token, 0))
	}
	r.complete(done(r.undo(waiting.ID, "bad").Token))
	r.undoable(buryBad)
}

func undoingRunNow(r *rig) {
	l := r.undoable(buryBad)
	r.complete(retry(r.undo(l.ID, "bad").Token, ample, "away"))
	r.runNow(1, queue.ByID(l.ID))
	r.runNow(0, queue.InState(queue.StateUndoing))
	if u := r.task(l.ID, ample); !u.Info.Undo || u.Info.Attempt != 2 {
		r.Errorf("handed out with %+v, expected the second attempt to undo", u.Info)
	}
	r.runNow(0, queue.ByID(l.ID))
}

func undoingLives(r *rig) {
	l := r.undoable(buryBad, unique("a"), priority(1))
	for left := capacity - 1; left > 0; left -= 100 {
		r.publishN(min(left, 100))
	}
	r.full("one is undoing")
	r.existing("undoing", l.ID, unique("a"))
	r.complete(done(r.undo(l.ID, "bad").Token))
	r.fresh("dead", unique("a"))
	r.full("that room was taken")
}

func undoingRequeued(r *rig) {
	l := r.task(r.publish(attempts(2)), ample)
	r.save(l, task.UndoPrefix+"a", 1)
	r.save(l, "stage", 1)
	r.complete(bury(l.Token, "bad"))
	r.complete(done(r.undo(l.ID, "bad").Token))
	r.requeued(1, queue.ByID(l.ID))
	again := r.task(l.ID, ample)
	if again.Info.Undo || again.Info.Attempt != 1 || again.Info.Cause != "" {
		r.Errorf("requeued, it came as %+v; expected the first attempt, to do", again.Info)
	}
	r.listed(again, "")
	r.complete(bury(again.Token, "bad again"))
	r.ended(l.ID, queue.StateDead, 2)
}

func undoingRequeuedHalfway(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, task.UndoPrefix+"1", 1)
	r.save(l, task.UndoPrefix+"2", 1)
	r.complete(bury(l.Token, "bad"))
	u := r.undo(l.ID, "bad")
	r.forget(u, task.UndoPrefix+"2")
	r.complete(bury(u.Token, "cannot be undone"))
	r.requeued(1, queue.ByID(l.ID))
	again := r.task(l.ID, ample)
	if again.Info.Undo {
		r.Errorf("requeued, it came as %+v; expected an attempt to do", again.Info)
	}
	r.listed(again, "", task.UndoPrefix+"1")
	r.complete(bury(again.Token, "bad again"))
	r.undo(l.ID, "bad again")
}

// undoingTurn has one that is undoing between two that are ready.
func undoingTurn(r *rig) {
	l := r.task(r.publish(), ample)
	r.save(l, task.UndoPrefix+"a", 1)
	first := r.publish()
	r.complete(bury(l.Token, "bad"))
	second := r.publish()
	got := r.expect(first, l.ID, second)
	if slices.IndexFunc(got, func(l queue.Lease) bool { return l.Info.Undo }) != 1 {
		r.Errorf("handed out were %+v, the second is to be the one to undo", got)
	}
}

func undoingPaused(r *rig) {
	l := r.undoable(buryBad)
	r.hold()
	r.nothing("the queue is paused")
	r.resume()
	r.undo(l.ID, "bad")
}

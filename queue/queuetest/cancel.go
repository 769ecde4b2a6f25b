package queuetest

import (
	"errors"
	"time"

	"github.com/plba/plba/queue"
)

func cancelTests() []test {
	return []test{
		{"scheduled", 1, func(r *rig) { r.cancelWaiting(func() string { return r.publish(delayed(later)) }, 0) }},
		{"ready", 1, func(r *rig) { r.cancelWaiting(func() string { return r.publish() }, 0) }},
		{"snoozed", 1, func(r *rig) {
			r.cancelWaiting(func() string {
				l := r.task(r.publish(), ample)
				r.complete(snooze(l.Token, later))
				return l.ID
			}, 1)
		}},
		{"retrying", 1, func(r *rig) {
			r.cancelWaiting(func() string {
				l := r.task(r.publish(), ample)
				r.complete(retry(l.Token, later, "first"))
				return l.ID
			}, 1)
		}},
		{"returned", 1, func(r *rig) {
			r.cancelWaiting(func() string {
				l := r.task(r.publish(), ample)
				r.complete(giveBack(l.Token))
				return l.ID
			}, 1)
		}},
		{"a running one is told", 2, cancelTold},
		{"a running one yields", 1, cancelYields},
		{"a running one succeeds all the same", 2, cancelSucceeds},
		{"a running one fails for good", 1, cancelBuried},
		{"a running one comes back", 4, cancelComesBack},
		{"a running one is lost", 1, cancelExpires},
		{"a worker may say so by itself", 1, cancelUnasked},
		{"twice", 1, cancelTwice},
		{"what has ended", 3, cancelEnded},
		{"what never was", 0, cancelUnknown},
		{"frees its unique key and its room", capacity, cancelFrees},
	}
}

// cancelWaiting cancels a task that waits: it ends at once, and its history says why.
func (r *rig) cancelWaiting(enter func() string, attempt int) {
	id := enter()
	before := r.look(id)
	r.cancel(id, "wrong customer")
	r.counts("after the cancel", queue.Stats{Cancelled: 1})
	got := r.look(id)
	if got.State != queue.StateCancelled || got.EndedAt.IsZero() || !got.LeasedUntil.IsZero() {
		r.Errorf("the cancelled task is %+v", got)
	}
	if len(got.Failures) != len(before.Failures)+1 {
		r.Fatalf("the history is %+v, before it was %+v; expected one more", got.Failures, before.Failures)
	}
	if f := got.Failures[len(before.Failures)]; f.Error != "cancelled: wrong customer" || f.Attempt != attempt || f.At.IsZero() {
		r.Errorf("the history ends with %+v, expected the cause after attempt %d", f, attempt)
	}
	r.pause(later)
	r.nothing("the task is cancelled")
}

// marked publishes a task, claims it, and cancels it.
func (r *rig) marked(edits ...edit) queue.Lease {
	r.Helper()
	l := r.task(r.publish(edits...), ample)
	r.cancel(l.ID, "enough")
	return l
}

func cancelTold(r *rig) {
	other := r.task(r.publish(), ample)
	l := r.marked()
	r.counts("it is still running", queue.Stats{Running: 2})
	if t := r.look(l.ID); t.State != queue.StateRunning || !t.Cancelling {
		r.Errorf("the running task is %+v, expected it to be marked", t)
	}
	for range 2 { // it is told each time
		renewed, err := r.engine.Renew(r.Context(), []queue.Token{other.Token, l.Token, {ID: l.ID, Lease: l.Lease + 1}}, ample)
		if err != nil || !sameTokens(renewed.Cancelled, []queue.Token{l.Token}) || len(renewed.Lost) != 1 {
			r.Fatalf("Renew: %+v, %v; expected the token of the cancelled task, and the one that never was as lost", renewed, err)
		}
	}
	renewed, err := r.engine.Renew(r.Context(), []queue.Token{l.Token}, brief)
	if err != nil || len(renewed.Cancelled) != 1 {
		r.Fatalf("Renew: %+v, %v", renewed, err)
	}
	if left := time.Until(r.look(l.ID).LeasedUntil); left > brief+patience {
		r.Errorf("the lease of a cancelled task lasts %s more, it was renewed for %s", left, brief)
	}
}

func cancelYields(r *rig) {
	l := r.marked()
	r.complete(yielded(l.Token, "stopped halfway"))
	r.counts("it has yielded", queue.Stats{Cancelled: 1})
	t := r.look(l.ID)
	if t.State != queue.StateCancelled || t.Cancelling || t.EndedAt.IsZero() {
		r.Errorf("the cancelled task is %+v", t)
	}
	if len(t.Failures) != 2 || t.Failures[0].Error != "cancelled: enough" || t.Failures[1].Error != "stopped halfway" || t.Failures[1].Attempt != 1 {
		r.Errorf("its history is %+v, expected the operator's cause and the handler's error", t.Failures)
	}
	if lost := r.completeLosing(done(l.Token)); len(lost) != 1 {
		r.Errorf("done after it was cancelled: lost is %v, expected its token", lost)
	}
	r.nothing("the task is cancelled")
}

func cancelSucceeds(r *rig) {
	r.complete(done(r.marked().Token))
	r.complete(dropped(r.marked().Token))
	r.counts("both were done in spite of it", queue.Stats{})
	if got := r.stats().Completed; got != 2 {
		r.Errorf("completed are %d tasks, expected 2", got)
	}
}

func cancelBuried(r *rig) {
	l := r.marked()
	r.complete(bury(l.Token, "never"))
	r.counts("it says more than cancelled", queue.Stats{Dead: 1})
}

// cancelComesBack answers in every way that would let the task go on.
func cancelComesBack(r *rig) {
	for n, answer := range []func(queue.Token) queue.Completion{
		func(t queue.Token) queue.Completion { return retry(t, 0, "failed") },
		func(t queue.Token) queue.Completion { return retry(t, later, "failed") },
		func(t queue.Token) queue.Completion { return snooze(t, 0) },
		giveBack,
	} {
		l := r.marked()
		r.complete(answer(l.Token))
		r.counts("after answer "+string(rune('0'+n)), queue.Stats{Cancelled: int64(n + 1)})
	}
	r.nothing("all are cancelled")
}

func cancelExpires(r *rig) {
	l := r.task(r.publish(), brief)
	r.cancel(l.ID, "")
	r.eventually("the lease has expired", func() bool { return r.stats().Running == 0 })
	r.counts("it does not run again", queue.Stats{Cancelled: 1})
	t := r.look(l.ID)
	if len(t.Failures) != 2 || t.Failures[0].Error != "cancelled" || t.Failures[1].Error != "lease expired" {
		r.Errorf("its history is %+v", t.Failures)
	}
}

func cancelUnasked(r *rig) {
	l := r.task(r.publish(), ample)
	r.complete(yielded(l.Token, "the worker knows why"))
	r.counts("it is cancelled", queue.Stats{Cancelled: 1})
	r.failures(r.look(l.ID), "the worker knows why")
}

func cancelTwice(r *rig) {
	l := r.marked()
	r.cancel(l.ID, "again")
	if t := r.look(l.ID); len(t.Failures) != 1 {
		r.Errorf("its history is %+v, expected the first cause alone", t.Failures)
	}
	r.complete(yielded(l.Token, ""))
	r.counts("it is cancelled", queue.Stats{Cancelled: 1})
}

func cancelEnded(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDone = ample })
	completed := r.task(r.publish(), ample)
	r.complete(done(completed.Token))
	buried := r.kill("bad")
	cancelled := r.publish()
	r.cancel(cancelled, "enough")
	before := r.stats()
	for id, want := range map[string]queue.State{
		completed.ID: queue.StateDone, buried: queue.StateDead, cancelled: queue.StateCancelled,
	} {
		err := r.engine.Cancel(r.Context(), id, "late")
		var wrong *queue.StateError
		if !errors.As(err, &wrong) || wrong.ID != id || wrong.State != want {
			r.Errorf("Cancel of a task that is %s: %v, expected a StateError that says so", want, err)
		}
	}
	if after := r.stats(); after != before {
		r.Errorf("stats are %+v, before they were %+v", after, before)
	}
	if t := r.look(cancelled); len(t.Failures) != 1 {
		r.Errorf("the history is %+v, expected one entry", t.Failures)
	}
}

func cancelUnknown(r *rig) {
	for _, id := range []string{"no such task", "", "018f0000-0000-7000-8000-000000000000"} {
		if err := r.engine.Cancel(r.Context(), id, "enough"); !errors.Is(err, queue.ErrNotFound) {
			r.Errorf("Cancel of task %q: %v, expected ErrNotFound", id, err)
		}
		if _, err := r.engine.Task(r.Context(), id); !errors.Is(err, queue.ErrNotFound) {
			r.Errorf("Task %q: %v, expected ErrNotFound", id, err)
		}
	}
}

func cancelFrees(r *rig) {
	id := r.publish(unique("a"))
	for left := capacity - 1; left > 0; left -= 100 {
		r.publishN(min(left, 100))
	}
	published := r.publishing(1)
	r.stillWaiting(published, "the queue is full")
	r.cancel(id, "enough")
	r.served(published)
	r.complete(done(r.one(ample).Token))
	r.fresh("cancelled", unique("a"))
}

package queuetest

import (
	"errors"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func dropped(t queue.Token) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Dropped, Cause: "dropped: nothing to do"}
}

func outcomeTests() []test {
	return []test{
		{"done", 1, func(r *rig) { r.ends(done, queue.Stats{}, 1) }},
		{"dropped", 1, func(r *rig) { r.ends(dropped, queue.Stats{}, 1) }},
		{"dead", 1, func(r *rig) {
			r.ends(func(t queue.Token) queue.Completion { return bury(t, "bad") }, queue.Stats{Dead: 1}, 0)
		}},
		{"retry at once", 1, func(r *rig) {
			r.comesBack(func(t queue.Token) queue.Completion { return retry(t, 0, "again") }, 2)
		}},
		{"retry with a negative wait", 1, func(r *rig) {
			r.comesBack(func(t queue.Token) queue.Completion { return retry(t, -soon, "again") }, 2)
		}},
		{"snooze for no time", 1, func(r *rig) {
			r.comesBack(func(t queue.Token) queue.Completion { return snooze(t, 0) }, 1)
		}},
		{"return", 1, func(r *rig) { r.comesBack(giveBack, 1) }},
		{"return with a wait", 1, outcomeReturnLater},
		{"all in one batch", 6, outcomeBatch},
		{"an outcome that is none", 2, outcomeInvalid},
		{"none", 0, outcomeNone},
	}
}

// ends answers for a task that does not come back.
func (r *rig) ends(answer func(queue.Token) queue.Completion, after queue.Stats, completed int64) {
	l := r.task(r.publish(), ample)
	r.complete(answer(l.Token))
	r.counts("after the answer", after)
	if got := r.stats().Completed; got != completed {
		r.Errorf("completed are %d tasks, expected %d", got, completed)
	}
	r.nothing("the task has ended")
}

// comesBack answers for a task that is ready again, with that attempt.
func (r *rig) comesBack(answer func(queue.Token) queue.Completion, attempt int) {
	rec := r.record()
	rec.Info.Metadata = map[string]string{"kept": "yes"}
	id := r.publishRecords(rec)[0].ID
	first := r.task(id, ample)
	r.complete(answer(first.Token))
	again := r.task(id, ample)
	if again.Info.Attempt != attempt {
		r.Errorf("it came back with attempt %d, expected %d", again.Info.Attempt, attempt)
	}
	if again.Info.Metadata["kept"] != "yes" || textOf(again.Payload) != textOf(rec.Payload) {
		r.Errorf("it came back as %+v", again)
	}
	if !again.Info.EnqueuedAt.Equal(first.Info.EnqueuedAt) {
		r.Errorf("it was enqueued at %s, now it says %s", first.Info.EnqueuedAt, again.Info.EnqueuedAt)
	}
	r.complete(done(again.Token))
	r.counts("it is done", queue.Stats{})
}

// outcomeReturnLater is what a worker says that wants the task tried by another, after a while.
func outcomeReturnLater(r *rig) {
	id := r.publish()
	l := r.task(id, ample)
	c := giveBack(l.Token)
	c.After = later
	r.complete(c)
	r.counts("it waits, nothing failed", queue.Stats{Scheduled: 1})
	if again := r.task(id, ample); again.Info.Attempt != 1 {
		r.Errorf("it came back with attempt %d, expected 1", again.Info.Attempt)
	}
}

func outcomeBatch(r *rig) {
	r.publishN(6)
	var ls []queue.Lease
	for len(ls) < 6 {
		ls = append(ls, r.receive(6, ample)...)
	}
	r.complete(done(ls[0].Token), dropped(ls[1].Token), retry(ls[2].Token, ample, "e"), snooze(ls[3].Token, ample),
		giveBack(ls[4].Token), bury(ls[5].Token, "bad"))
	r.counts("one of each", queue.Stats{Ready: 1, Scheduled: 1, Retrying: 1, Dead: 1})
}

func outcomeInvalid(r *rig) {
	r.publishN(2)
	var ls []queue.Lease
	for len(ls) < 2 {
		ls = append(ls, r.receive(2, ample)...)
	}
	bad := queue.Completion{Token: ls[1].Token, Outcome: task.Cancelled + 1}
	if _, err := r.engine.Complete(r.Context(), []queue.Completion{done(ls[0].Token), bad}); !errors.Is(err, queue.ErrInvalid) {
		r.Errorf("Complete with an unknown outcome: %v, expected ErrInvalid", err)
	}
	r.counts("nothing was changed", queue.Stats{Running: 2})
}

func outcomeNone(r *rig) {
	if lost := r.completeLosing(); len(lost) > 0 {
		r.Errorf("completing nothing loses %v", lost)
	}
}

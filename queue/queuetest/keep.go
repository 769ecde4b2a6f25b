package queuetest

import (
	"errors"

	"github.com/plba/plba/queue"
)

func keepTests() []test {
	return []test{
		{"done tasks, for a while", 2, keepDone},
		{"no done task, by default", 1, keepNoDone},
		{"ended tasks, for a while", 2, keepDead},
		{"so many ended tasks", 5, keepDeadLetters},
	}
}

// gone demands that a task is forgotten sooner or later.
func (r *rig) gone(id string) {
	r.Helper()
	r.eventually("the task is forgotten", func() bool {
		_, err := r.engine.Task(r.Context(), id)
		return errors.Is(err, queue.ErrNotFound)
	})
}

func keepDone(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDone = later })
	first, second := r.publish(), r.publish()
	r.complete(done(r.task(first, ample).Token))
	r.complete(dropped(r.task(second, ample).Token))
	r.counts("both are done", queue.Stats{Done: 2})
	if t := r.look(first); t.State != queue.StateDone || t.EndedAt.IsZero() || t.Info.Attempt != 1 {
		r.Errorf("the done task is %+v", t)
	}
	if listed := r.tasks(queue.StateDone); len(listed) != 2 || listed[0].Info.ID != second {
		r.Errorf("done tasks are %+v", listed)
	}
	r.gone(first)
	r.gone(second)
	if s := r.stats(); s.Completed != 2 || s.Done != 0 {
		r.Errorf("completed are %d, kept as done %d; expected 2 and 0", s.Completed, s.Done)
	}
}

func keepNoDone(r *rig) {
	l := r.task(r.publish(), ample)
	r.complete(done(l.Token))
	if _, err := r.engine.Task(r.Context(), l.ID); !errors.Is(err, queue.ErrNotFound) {
		r.Errorf("Task of one that is done: %v, expected ErrNotFound", err)
	}
}

func keepDead(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.KeepDead = later })
	dead := r.kill("bad")
	cancelled := r.publish()
	r.cancel(cancelled, "enough")
	r.counts("both have ended", queue.Stats{Dead: 1, Cancelled: 1})
	r.gone(dead)
	r.gone(cancelled)
	r.counts("both are forgotten", queue.Stats{})
}

// keepDeadLetters is about how many are kept at least, and that the first to go are those that ended first; an engine may take its time.
func keepDeadLetters(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.DeadLetters = 3 })
	young, old := r.publish(delayed(ample)), r.kill("bad")
	second := r.kill("bad")
	r.cancel(young, "enough")
	fourth := r.kill("bad")
	r.gone(old)
	r.look(second)
	r.look(young)
	r.look(fourth)
	last := r.publish()
	r.cancel(last, "enough")
	r.gone(second)
	r.counts("the last three", queue.Stats{Dead: 1, Cancelled: 2})
}

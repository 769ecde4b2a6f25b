package queuetest

import (
	"time"

	"github.com/plba/plba/queue"
)

func delayTests() []test {
	return []test{
		{"after a while", 1, func(r *rig) { r.dueNotBefore(delayed(soon)) }},
		{"at an instant", 1, func(r *rig) { r.dueNotBefore(at(time.Now().Add(soon))) }},
		{"at an instant without a monotonic clock", 1, func(r *rig) { r.dueNotBefore(at(time.Now().Add(soon).Round(0).UTC())) }},
		{"a delay wins over an instant", 1, func(r *rig) { r.dueNotBefore(at(time.Now().Add(-time.Hour)), delayed(soon)) }},
		{"an instant in the past is now", 2, delayPast},
		{"does not hold up the others", 2, delayOthers},
		{"very long", 2, delayLong},
		{"after a retry", 1, func(r *rig) { r.waits(retry, 2) }},
		{"after a snooze", 1, func(r *rig) {
			r.waits(func(t queue.Token, d time.Duration, _ string) queue.Completion { return snooze(t, d) }, 1)
		}},
	}
}

// dueNotBefore publishes a task that is due after soon, and waits for it.
func (r *rig) dueNotBefore(edits ...edit) {
	began := time.Now()
	id := r.publish(edits...)
	l := r.task(id, ample)
	if took := time.Since(began); took < soon-2*tolerance {
		r.Errorf("due after %s, received after %s", soon, took)
	}
	if wait := l.Info.RunAt.Sub(began); wait < soon-2*tolerance || wait > patience { // not from EnqueuedAt: the way there takes time
		r.Errorf("the task says it was due %s after it was published, not %s", wait, soon)
	}
}

func delayPast(r *rig) {
	first := r.publish()
	r.publish(at(time.Now().Add(-24 * time.Hour)))
	r.counts("after the past", queue.Stats{Ready: 2})
	r.task(first, ample) // the past gives no precedence
	if l := r.one(ample); l.Info.RunAt.Before(l.Info.EnqueuedAt) {
		r.Errorf("due at %s, before it was enqueued at %s", l.Info.RunAt, l.Info.EnqueuedAt)
	}
}

func delayOthers(r *rig) {
	slow := r.publish(delayed(later), priority(queue.MaxPriority))
	quick := r.publish()
	r.counts("one is scheduled", queue.Stats{Scheduled: 1, Ready: 1})
	r.task(quick, ample)
	r.task(slow, ample)
}

func delayLong(r *rig) {
	r.publish(delayed(200 * 365 * 24 * time.Hour))
	r.publish(at(time.Now().AddDate(250, 0, 0)))
	r.nothing("both tasks are due in centuries")
	r.counts("in this century", queue.Stats{Scheduled: 2})
}

// waits completes a task so that it waits for soon, and demands that it comes back no earlier, with that attempt.
func (r *rig) waits(complete func(queue.Token, time.Duration, string) queue.Completion, attempt int) {
	id := r.publish()
	l := r.task(id, ample)
	began := time.Now()
	r.complete(complete(l.Token, soon, "wait"))
	again := r.task(id, ample)
	if took := time.Since(began); took < soon-tolerance {
		r.Errorf("asked to wait for %s, it came back after %s", soon, took)
	}
	if again.Info.Attempt != attempt {
		r.Errorf("it came back with attempt %d, expected %d", again.Info.Attempt, attempt)
	}
	if !again.Info.RunAt.After(l.Info.RunAt) {
		r.Errorf("it says it was due at %s, before the wait at %s", again.Info.RunAt, l.Info.RunAt)
	}
}

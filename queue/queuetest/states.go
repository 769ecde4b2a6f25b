package queuetest

import (
	"github.com/plba/plba/queue"
)

// statesTests leads a task through every edge of queue.States, and tries the answers that the table does not allow. An edge
// for which this file has no way is a failure: the table cannot grow without the suite.
func statesTests() []test {
	tests := []test{{"answers are for running tasks only", 4, statesForbidden}}
	for _, e := range queue.States().Edges() {
		for _, from := range e.From {
			tests = append(tests, test{string(from) + ", " + string(e.Event), 1, func(r *rig) { r.walk(from, e.Event) }})
		}
	}
	return tests
}

// walk brings a task into a state, lets the event happen, and looks where the task is.
func (r *rig) walk(from queue.State, event queue.Event) {
	want, err := queue.States().Next(from, event)
	if err != nil {
		r.Fatalf("the table: %v", err)
	}
	enter, ok := ways[from]
	if !ok {
		r.Fatalf("the suite knows no way into state %s", from)
	}
	trigger, ok := triggers[event]
	if !ok {
		r.Fatalf("the suite knows no way to let %s happen", event)
	}
	l := enter(r)
	r.stands("before "+string(event), from)
	trigger(r, l)
	r.stands("after "+string(event), want)
}

// ways leads a new task, the only one, into a state, and gives its last lease.
var ways = map[queue.State]func(*rig) queue.Lease{
	queue.StateScheduled: func(r *rig) queue.Lease {
		r.publish(delayed(later))
		return queue.Lease{}
	},
	queue.StateReady: func(r *rig) queue.Lease {
		r.publish()
		return queue.Lease{}
	},
	queue.StateRunning: func(r *rig) queue.Lease {
		r.publish()
		return r.one(ample)
	},
	queue.StateRetrying: func(r *rig) queue.Lease {
		r.publish()
		l := r.one(ample)
		r.complete(retry(l.Token, later, "again"))
		return l
	},
	queue.StateDone: func(r *rig) queue.Lease {
		r.publish()
		l := r.one(ample)
		r.complete(done(l.Token))
		return l
	},
	queue.StateDead: func(r *rig) queue.Lease {
		r.publish()
		l := r.one(ample)
		r.complete(bury(l.Token, "bad"))
		return l
	},
}

// triggers lets an event happen to the task, whose last lease is given.
var triggers = map[queue.Event]func(*rig, queue.Lease){
	queue.EventDue: func(r *rig, _ queue.Lease) {
		r.eventually("the task is due", func() bool { return r.stats().Ready == 1 })
	},
	queue.EventClaim:  func(r *rig, _ queue.Lease) { r.one(ample) },
	queue.EventDone:   func(r *rig, l queue.Lease) { r.complete(done(l.Token)) },
	queue.EventDrop:   func(r *rig, l queue.Lease) { r.complete(dropped(l.Token)) },
	queue.EventRetry:  func(r *rig, l queue.Lease) { r.complete(retry(l.Token, ample, "again")) },
	queue.EventSnooze: func(r *rig, l queue.Lease) { r.complete(snooze(l.Token, ample)) },
	queue.EventReturn: func(r *rig, l queue.Lease) { r.complete(giveBack(l.Token)) },
	queue.EventBury:   func(r *rig, l queue.Lease) { r.complete(bury(l.Token, "bad")) },
	queue.EventExpire: func(r *rig, l queue.Lease) {
		r.renew(brief, l.Token)
		r.eventually("the lease has expired", func() bool { return r.stats().Running == 0 })
	},
}

// stands demands that the one task is in a state.
func (r *rig) stands(when string, want queue.State) {
	r.Helper()
	s := r.stats()
	got := map[queue.State]int64{
		queue.StateScheduled: s.Scheduled, queue.StateReady: s.Ready, queue.StateRunning: s.Running,
		queue.StateRetrying: s.Retrying, queue.StateDead: s.Dead, queue.StateDone: s.Completed,
	}
	for state, n := range got {
		if (state == want) != (n == 1) || n > 1 {
			r.Fatalf("%s: the task is to be %s, stats are %s, completed %d", when, want, countsOf(s), s.Completed)
		}
	}
}

// statesForbidden answers for tasks that are not running, with the last token they had.
func statesForbidden(r *rig) {
	for _, c := range []struct {
		state queue.State
		enter func(queue.Token) queue.Completion
		stats queue.Stats
	}{
		{queue.StateDone, done, queue.Stats{}},
		{queue.StateRetrying, func(t queue.Token) queue.Completion { return retry(t, ample, "wait") }, queue.Stats{Retrying: 1}},
		{queue.StateScheduled, func(t queue.Token) queue.Completion { return snooze(t, ample) }, queue.Stats{Retrying: 1, Scheduled: 1}},
		{queue.StateDead, func(t queue.Token) queue.Completion { return bury(t, "bad") }, queue.Stats{Retrying: 1, Scheduled: 1, Dead: 1}},
	} {
		l := r.task(r.publish(), ample)
		r.complete(c.enter(l.Token))
		for _, answer := range []queue.Completion{
			done(l.Token), dropped(l.Token), retry(l.Token, 0, "late"), snooze(l.Token, 0), giveBack(l.Token), bury(l.Token, "late"),
		} {
			if lost := r.completeLosing(answer); len(lost) != 1 {
				r.Errorf("%s for a task that is %s: lost is %v, expected its token", answer.Outcome, c.state, lost)
			}
		}
		r.counts("after answers for a task that is "+string(c.state), c.stats)
	}
}

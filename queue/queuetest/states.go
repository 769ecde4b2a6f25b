package queuetest

import (
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// statesTests leads a task through every edge of queue.States, and tries the answers that the table does not allow. An edge
// for which this file has no way is a failure: the table cannot grow without the suite.
func statesTests() []test {
	return append(edges(false), test{"answers are for running tasks only", 4, statesForbidden})
}

// edges are the tests of the edges that touch the state undoing, or of the others.
func edges(undoing bool) []test {
	var tests []test
	for _, e := range queue.States().Edges() {
		for _, from := range e.From {
			if undoing == (from == queue.StateUndoing || e.To == queue.StateUndoing) {
				tests = append(tests, test{string(from) + ", " + string(e.Event), 1, func(r *rig) { r.walk(from, e.Event) }})
			}
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
	l := enter(r, event)
	r.stands("before "+string(event), from)
	trigger(r, l)
	r.stands("after "+string(event), want)
}

// ways leads a new task, the only one, into a state, and gives its last lease, or one with just its ID. The event is what will happen to it
// there.
var ways = map[queue.State]func(*rig, queue.Event) queue.Lease{
	queue.StateScheduled: func(r *rig, event queue.Event) queue.Lease {
		if event == queue.EventGiveUp {
			return r.undoable(func(t queue.Token) queue.Completion { return snooze(t, ample) })
		}
		return queue.Lease{Token: queue.Token{ID: r.publish(delayed(later))}}
	},
	queue.StateReady: func(r *rig, event queue.Event) queue.Lease {
		if event == queue.EventGiveUp {
			return r.undoable(giveBack)
		}
		return queue.Lease{Token: queue.Token{ID: r.publish()}}
	},
	queue.StateRunning: func(r *rig, event queue.Event) queue.Lease {
		l := r.task(r.publish(), ample)
		if event == queue.EventGiveUp {
			r.save(l, task.UndoPrefix+"a", 1)
		}
		return l
	},
	queue.StateRetrying: func(r *rig, event queue.Event) queue.Lease {
		if event == queue.EventGiveUp {
			return r.undoable(func(t queue.Token) queue.Completion { return retry(t, ample, "again") })
		}
		l := r.task(r.publish(), ample)
		r.complete(retry(l.Token, later, "again"))
		return l
	},
	queue.StateUndoing: func(r *rig, event queue.Event) queue.Lease {
		l := r.task(r.publish(), ample)
		r.save(l, task.UndoPrefix+"a", 1)
		if event == queue.EventCancel {
			r.cancel(l.ID, "enough")
			r.complete(yielded(l.Token, "stopped"))
		} else {
			r.complete(bury(l.Token, "bad"))
		}
		return r.task(l.ID, ample)
	},
	queue.StateDead: func(r *rig, _ queue.Event) queue.Lease {
		l := r.task(r.publish(), ample)
		r.complete(bury(l.Token, "bad"))
		return l
	},
	queue.StateCancelled: func(r *rig, _ queue.Event) queue.Lease {
		id := r.publish()
		r.cancel(id, "enough")
		return queue.Lease{Token: queue.Token{ID: id}}
	},
}

// triggers lets an event happen to the task, whose last lease is given.
var triggers = map[queue.Event]func(*rig, queue.Lease){
	queue.EventDue: func(r *rig, _ queue.Lease) {
		r.eventually("the task is due", func() bool { return r.stats().Ready == 1 })
	},
	queue.EventClaim: func(r *rig, l queue.Lease) {
		if l.Info.Undo {
			r.complete(giveBack(l.Token))
		}
		r.one(ample)
	},
	queue.EventDone:   func(r *rig, l queue.Lease) { r.complete(done(l.Token)) },
	queue.EventDrop:   func(r *rig, l queue.Lease) { r.complete(dropped(l.Token)) },
	queue.EventRetry:  func(r *rig, l queue.Lease) { r.complete(retry(l.Token, ample, "again")) },
	queue.EventSnooze: func(r *rig, l queue.Lease) { r.complete(snooze(l.Token, ample)) },
	queue.EventReturn: func(r *rig, l queue.Lease) { r.complete(giveBack(l.Token)) },
	queue.EventBury:   func(r *rig, l queue.Lease) { r.complete(bury(l.Token, "bad")) },
	queue.EventExpire: func(r *rig, l queue.Lease) {
		r.renew(brief, l.Token)
		r.eventually("the lease has expired", func() bool { return r.look(l.ID).LeasedUntil.IsZero() })
	},
	queue.EventCancel: func(r *rig, l queue.Lease) {
		switch {
		case l.Info.Undo:
			r.complete(done(l.Token))
		case l.Lease > 0 && !r.look(l.ID).LeasedUntil.IsZero():
			r.cancel(l.ID, "enough")
			r.complete(yielded(l.Token, "stopped"))
		default:
			r.cancel(l.ID, "enough")
		}
	},
	queue.EventGiveUp: func(r *rig, l queue.Lease) {
		if r.look(l.ID).LeasedUntil.IsZero() {
			r.cancel(l.ID, "enough")
		} else {
			r.complete(bury(l.Token, "bad"))
		}
	},
	queue.EventRequeue: func(r *rig, l queue.Lease) { r.requeued(1, queue.ByID(l.ID)) },
}

// undoable publishes a task, gives it an effect that can be undone, and ends its lease.
func (r *rig) undoable(end func(queue.Token) queue.Completion, edits ...edit) queue.Lease {
	r.Helper()
	l := r.task(r.publish(edits...), ample)
	r.save(l, task.UndoPrefix+"a", 1)
	r.complete(end(l.Token))
	return l
}

// stands demands that the one task is in a state.
func (r *rig) stands(when string, want queue.State) {
	r.Helper()
	s := r.stats()
	got := map[queue.State]int64{
		queue.StateScheduled: s.Scheduled, queue.StateReady: s.Ready, queue.StateRunning: s.Running,
		queue.StateRetrying: s.Retrying, queue.StateUndoing: s.Undoing, queue.StateDead: s.Dead,
		queue.StateCancelled: s.Cancelled, queue.StateDone: s.Completed,
	}
	for state, n := range got {
		if (state == want) != (n == 1) || n > 1 {
			r.Fatalf("%s: the task is to be %s, stats are %s, completed %d", when, want, countsOf(s), s.Completed)
		}
	}
	listed := r.tasks()
	if want == queue.StateDone && len(listed) == 0 {
		return
	}
	if len(listed) != 1 || listed[0].State != want {
		r.Fatalf("%s: the task is to be %s, listed are %+v", when, want, listed)
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
			yielded(l.Token, "late"),
		} {
			if lost := r.completeLosing(answer); len(lost) != 1 {
				r.Errorf("%s for a task that is %s: lost is %v, expected its token", answer.Outcome, c.state, lost)
			}
		}
		r.counts("after answers for a task that is "+string(c.state), c.stats)
	}
}

package queuetest

import (
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func groupTests() []test {
	return []test{
		{"one at a time", 5, groupOne},
		{"also in one batch", 6, groupBatch},
		{"as many as the settings say", 5, groupMore},
		{"each way back lets the next one go", 14, groupBack},
		{"an expired lease lets the next one go", 2, groupExpired},
		{"by priority", 4, groupPriority},
		{"a group that waits holds up nobody", 44, groupOthers},
		{"those who wait are woken", 2, groupWakes},
		{"one that waits is cancelled, one is purged", 4, groupTakenOut},
		{"the group arrives", 1, groupArrives},
		{"the oldest that waits", 2, groupOldest},
		{"limits count too", 4, groupLimited},
		{"awkward keys", 12, groupKeys},
	}
}

func group(key string) edit { return func(r *queue.Record) { r.Info.Group = key } }

func groupOne(r *rig) {
	a1, a2 := r.publish(group("a")), r.publish(group("a"))
	b1, free1, free2 := r.publish(group("b")), r.publish(), r.publish()
	first := r.task(a1, ample)
	r.expect(b1, free1, free2)
	r.nothing("the others of its group wait for " + a1)
	r.counts("one waits", queue.Stats{Running: 4, Ready: 1})
	r.complete(done(first.Token))
	r.task(a2, ample)
}

func groupBatch(r *rig) {
	r.publishN(3, group("a"))
	r.publishN(3, group("b"))
	running := map[string]int{}
	for len(running) < 2 {
		for _, l := range r.receive(10, ample) {
			if running[l.Info.Group]++; running[l.Info.Group] > 1 {
				r.Fatalf("two tasks of group %s are running", l.Info.Group)
			}
		}
	}
	r.nothing("one of each group is running")
}

func groupMore(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.GroupRunning = 2 })
	ids := r.publishN(4, group("a"))
	other := r.publish(group("b"))
	var held []queue.Lease
	for len(held) < 3 {
		held = append(held, r.receive(10, ample)...)
	}
	if len(held) != 3 || held[0].ID != ids[0] || held[1].ID != ids[1] || held[2].ID != other {
		r.Fatalf("received %+v, expected two of group a and the one of group b", held)
	}
	r.nothing("two of the group are running")
	r.complete(done(held[1].Token))
	r.task(ids[2], ample)
	r.nothing("two of the group are running again")
}

// backs are the ways in which a lease ends.
var backs = []struct {
	how    string
	end    func(queue.Token) queue.Completion
	living bool // the task comes back later
}{
	{"done", done, false},
	{"dropped", dropped, false},
	{"dead", func(t queue.Token) queue.Completion { return bury(t, "bad") }, false},
	{"cancelled", yieldedFor("enough"), false},
	{"retry", func(t queue.Token) queue.Completion { return retry(t, later, "again") }, true},
	{"snooze", func(t queue.Token) queue.Completion { return snooze(t, later) }, true},
	{"retry at once", func(t queue.Token) queue.Completion { return retry(t, 0, "again") }, true},
}

func groupBack(r *rig) {
	for _, back := range backs {
		first, second := r.publish(group(back.how)), r.publish(group(back.how))
		l := r.task(first, ample)
		r.complete(back.end(l.Token))
		next := r.task(second, ample)
		if back.living {
			r.complete(done(next.Token))
			r.complete(done(r.task(first, ample).Token))
		}
	}
}

func groupExpired(r *rig) {
	first, second := r.publish(group("a"), attempts(1)), r.publish(group("a"))
	r.task(first, brief)
	r.task(second, ample)
	r.counts("the first is dead", queue.Stats{Dead: 1, Running: 1})
}

func groupPriority(r *rig) {
	low, high := r.publish(group("a")), r.publish(group("a"), priority(1))
	l := r.task(high, ample)
	highest := r.publish(group("a"), priority(2))
	last := r.publish(group("a"))
	r.complete(done(l.Token))
	for _, id := range []string{highest, low, last} {
		r.complete(done(r.task(id, ample).Token))
	}
}

// groupOthers has many tasks of one group in front of others.
func groupOthers(r *rig) {
	ids := r.publishN(40, group("a"))
	free := r.publishN(2)
	others := r.publishN(2, group("b"))
	first := r.task(ids[0], ample)
	r.expect(free[0], free[1], others[0])
	r.nothing("both groups are busy")
	r.complete(giveBack(first.Token))
	r.task(ids[0], ample)
}

func groupWakes(r *rig) {
	first, second := r.publish(group("a")), r.publish(group("a"))
	l := r.task(first, ample)
	got := r.receiving()
	r.pause(quiet)
	r.complete(done(l.Token))
	r.received(got, second)
}

func groupTakenOut(r *rig) {
	ids := r.publishN(4, group("a"))
	l := r.task(ids[0], ample)
	r.cancel(ids[1], "enough")
	r.purged(1, queue.ByID(ids[2]))
	r.complete(done(l.Token))
	r.cancel(r.task(ids[3], ample).ID, "enough")
	r.nothing("the last one is running, although it is to end")
	r.requeued(1, queue.ByID(ids[1]))
	r.nothing("the last one is running")
}

func groupArrives(r *rig) {
	id := r.publish(group("customer 7"))
	if got := r.look(id).Info.Group; got != "customer 7" {
		r.Errorf("the task's group is %q", got)
	}
	if l := r.task(id, ample); l.Info.Group != "customer 7" {
		r.Errorf("the task arrived with group %q", l.Info.Group)
	}
}

func groupOldest(r *rig) {
	ids := r.publishN(2, group("a"))
	r.task(ids[0], ample)
	r.pause(quiet)
	if age := r.stats().OldestReady; age < quiet-tolerance {
		r.Errorf("the task that waits for its group has been ready for %s, it is at least %s", age, quiet)
	}
}

func groupLimited(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxRunning, c.GroupRunning = 2, 2 })
	a := r.publishN(2, group("a"))
	b := r.publishN(2, group("b"))
	ls := r.expect(a...)
	r.nothing("two are running")
	r.complete(done(ls[0].Token))
	r.task(b[0], ample)
}

func groupKeys(r *rig) {
	keys := []string{"a", "A", "a ", "ä", "a%", "_"}
	for _, key := range keys {
		r.publishN(2, group(key))
	}
	seen := map[string]bool{}
	for range keys {
		l := r.one(ample)
		if seen[l.Info.Group] {
			r.Fatalf("two tasks of group %q are running", l.Info.Group)
		}
		seen[l.Info.Group] = true
	}
	r.nothing("one of each group is running")
}

func strictTests() []test {
	return []test{
		{"the next one waits until the first has ended", 14, strictBack},
		{"one at a time, whatever the settings say", 3, strictLimit},
		{"a returned one goes first", 3, strictReturned},
		{"an expired one goes first", 2, strictExpired},
		{"higher priority does not pass", 3, strictPriority},
		{"one that was never claimed holds nobody up", 2, strictDelayed},
		{"one that is cancelled lets the next one go", 3, strictCancelled},
		{"a requeued one stands in line", 3, strictRequeued},
		{"other groups go on", 4, strictOthers},
	}
}

func (r *rig) strict() {
	r.Helper()
	r.tune(func(o *queue.Opening, _ *queue.Common) { o.Order = queue.Strict })
}

func strictBack(r *rig) {
	r.strict()
	for _, back := range backs {
		first, second := r.publish(group(back.how)), r.publish(group(back.how))
		r.complete(back.end(r.task(first, ample).Token))
		if back.living {
			r.complete(done(r.task(first, ample).Token))
		}
		r.complete(done(r.task(second, ample).Token))
	}
}

func strictLimit(r *rig) {
	r.tune(func(o *queue.Opening, c *queue.Common) { o.Order, c.GroupRunning = queue.Strict, 5 })
	ids := r.publishN(3, group("a"))
	for _, id := range ids {
		l := r.task(id, ample)
		r.nothing("the first of the group has not ended")
		r.complete(done(l.Token))
	}
}

func strictReturned(r *rig) {
	r.strict()
	ids := r.publishN(2, group("a"))
	l := r.task(ids[0], ample)
	r.publish(group("a"), priority(5))
	r.complete(giveBack(l.Token))
	r.task(ids[0], ample)
	r.nothing("the first of the group has not ended")
}

func strictExpired(r *rig) {
	r.strict()
	ids := r.publishN(2, group("a"))
	r.task(ids[0], brief)
	if l := r.task(ids[0], ample); l.Info.Attempt != 2 {
		r.Errorf("attempt %d, expected 2", l.Info.Attempt)
	}
	r.nothing("the first of the group has not ended")
}

func strictPriority(r *rig) {
	r.strict()
	low, high := r.publish(group("a")), r.publish(group("a"), priority(1))
	l := r.task(high, ample)
	r.complete(retry(l.Token, later, "again"))
	highest := r.publish(group("a"), priority(2))
	r.nothing("the first of the group retries")
	r.complete(done(r.task(high, ample).Token))
	r.complete(done(r.task(highest, ample).Token))
	r.task(low, ample)
}

func strictDelayed(r *rig) {
	r.strict()
	first, second := r.publish(group("a"), delayed(later)), r.publish(group("a"))
	r.complete(done(r.task(second, ample).Token))
	r.task(first, ample)
}

func strictCancelled(r *rig) {
	r.strict()
	ids := r.publishN(3, group("a"))
	r.complete(snooze(r.task(ids[0], ample).Token, ample))
	r.nothing("the first of the group snoozes")
	r.cancel(ids[0], "enough")
	l := r.task(ids[1], ample)
	r.cancel(ids[1], "enough")
	r.nothing("the second of the group has not yielded")
	r.complete(yielded(l.Token, "stopped"))
	r.task(ids[2], ample)
}

func strictRequeued(r *rig) {
	r.strict()
	ids := r.publishN(3, group("a"))
	r.complete(bury(r.task(ids[0], ample).Token, "bad"))
	l := r.task(ids[1], ample)
	r.requeued(1, queue.ByID(ids[0]))
	r.nothing("the second of the group is running")
	r.complete(done(l.Token))
	r.complete(done(r.task(ids[2], ample).Token))
	r.task(ids[0], ample)
}

func strictOthers(r *rig) {
	r.strict()
	a, b := r.publishN(2, group("a")), r.publishN(2, group("b"))
	r.complete(retry(r.task(a[0], ample).Token, later, "again"))
	began := time.Now()
	r.complete(done(r.task(b[0], ample).Token))
	r.task(b[1], ample)
	r.complete(done(r.task(a[0], ample).Token))
	if took := time.Since(began); took < later-patience {
		r.Errorf("the retry came after %s", took)
	}
	r.task(a[1], ample)
}

// groupUndoingTests are about tasks of a group that are undoing.
func groupUndoingTests() []test {
	return []test{
		{"an undo lease counts", 2, func(r *rig) {
			l := r.task(r.publish(group("a")), ample)
			r.save(l, task.UndoPrefix+"a", 1)
			r.complete(bury(l.Token, "bad"))
			u := r.undo(l.ID, "bad")
			next := r.publish(group("a"))
			r.nothing("one of the group is under an undo lease")
			r.complete(done(u.Token))
			r.task(next, ample)
		}},
		{"with strict order it holds its group until it has ended", 2, func(r *rig) {
			r.strict()
			ids := r.publishN(2, group("a"))
			l := r.task(ids[0], ample)
			r.save(l, task.UndoPrefix+"a", 1)
			r.complete(bury(l.Token, "bad"))
			r.complete(retry(r.undo(l.ID, "bad").Token, later, "away"))
			r.nothing("the first of the group waits to be undone")
			r.complete(done(r.task(ids[0], ample).Token))
			r.task(ids[1], ample)
		}},
		{"with strict order a cancelled one is undone first", 2, func(r *rig) {
			r.strict()
			ids := r.publishN(2, group("a"))
			l := r.task(ids[0], ample)
			r.save(l, task.UndoPrefix+"a", 1)
			r.complete(snooze(l.Token, ample))
			r.cancel(ids[0], "enough")
			r.complete(done(r.undo(ids[0], task.ErrCancelled.Error()).Token))
			r.task(ids[1], ample)
		}},
	}
}

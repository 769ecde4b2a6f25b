package queuetest

import "github.com/plba/plba/queue"

func statsTests() []test {
	return []test{
		{"of an empty queue", 0, statsEmpty},
		{"of one task in each state", 6, statsStates},
		{"what went through", 7, statsThrough},
		{"the oldest ready task", 3, statsOldest},
	}
}

func statsEmpty(r *rig) {
	s := r.stats()
	if s != (queue.Stats{Capacity: capacity}) {
		r.Errorf("stats of an empty queue: %+v", s)
	}
}

func statsStates(r *rig) {
	r.publish(delayed(ample))
	r.counts("one scheduled", queue.Stats{Scheduled: 1})
	r.publish()
	r.counts("one more ready", queue.Stats{Scheduled: 1, Ready: 1})
	r.complete(retry(r.one(ample).Token, ample, "wait"))
	r.counts("it is retrying", queue.Stats{Scheduled: 1, Retrying: 1})
	r.kill("bad")
	r.publish()
	r.complete(snooze(r.one(ample).Token, ample))
	r.publish()
	r.one(ample)
	r.publish()
	r.counts("all states", queue.Stats{Scheduled: 2, Ready: 1, Running: 1, Retrying: 1, Dead: 1})
}

func statsThrough(r *rig) {
	r.publishN(5)
	for _, end := range []func(queue.Token) queue.Completion{done, dropped, done, giveBack, giveBack} {
		r.complete(end(r.one(ample).Token))
	}
	r.publish(unique("a"))
	r.publishRecords(r.record(unique("a")))
	r.publish(delayed(ample))
	s := r.stats()
	if s.Published != 7 || s.Completed != 3 {
		r.Errorf("published %d, completed %d; expected 7 (one existed) and 3", s.Published, s.Completed)
	}
}

func statsOldest(r *rig) {
	first := r.publish()
	r.pause(quiet)
	r.publish(priority(1))
	if age := r.stats().OldestReady; age < quiet-tolerance || age > patience {
		r.Errorf("the oldest task has been ready for %s, it is at least %s", age, quiet)
	}
	r.one(ample) // the one with priority, not the oldest
	if age := r.stats().OldestReady; age < quiet-tolerance || age > patience {
		r.Errorf("the oldest task is still there, the age is %s", age)
	}
	r.complete(done(r.task(first, ample).Token))
	if age := r.stats().OldestReady; age != 0 {
		r.Errorf("no task is ready, but the oldest has been for %s", age)
	}
	r.publish(delayed(ample))
	if age := r.stats().OldestReady; age != 0 {
		r.Errorf("no task is due, but the oldest has been for %s", age)
	}
}

package queuetest

import (
	"time"

	"github.com/plba/plba/queue"
)

func pauseTests() []test {
	return []test{
		{"nothing is handed out", 3, pauseHolds},
		{"not to those who wait already", 1, pauseWaiting},
		{"resume wakes those who wait", 2, pauseResume},
		{"leases that are out go on", 3, pauseLeases},
		{"twice", 1, pauseTwice},
		{"what is operated is operated", 2, pauseAdmin},
	}
}

func (r *rig) hold() {
	r.Helper()
	if err := r.engine.Pause(r.Context()); err != nil {
		r.Fatalf("Pause: %v", err)
	}
	if !r.stats().Paused {
		r.Fatalf("the queue is paused, but its stats do not say so")
	}
}

func (r *rig) resume() {
	r.Helper()
	if err := r.engine.Resume(r.Context()); err != nil {
		r.Fatalf("Resume: %v", err)
	}
	if r.stats().Paused {
		r.Fatalf("the queue was resumed, but its stats say that it is paused")
	}
}

func pauseHolds(r *rig) {
	ids := r.publishN(2)
	r.hold()
	r.nothing("the queue is paused")
	ids = append(ids, r.publish(delayed(soon)))
	r.eventually("the delayed task is due", func() bool { return r.stats().Ready == 3 })
	r.nothing("the queue is paused")
	r.counts("publishing goes on", queue.Stats{Ready: 3, Paused: true})
	r.resume()
	r.expect(ids...)
}

func pauseWaiting(r *rig) {
	got := r.receiving()
	r.pause(quiet)
	r.hold()
	id := r.publish()
	r.pause(quiet)
	select {
	case result := <-got:
		r.Fatalf("the queue is paused, but the receiver who waited got %v", result)
	default:
	}
	r.resume()
	r.received(got, id)
}

func pauseResume(r *rig) {
	r.hold()
	ids := r.publishN(2)
	first, second := r.receiving(), r.receiving()
	r.pause(quiet)
	r.resume()
	seen := map[any]bool{<-first: true, <-second: true}
	if !seen[any(ids[0])] || !seen[any(ids[1])] {
		r.Errorf("the receivers who waited got %v, expected %v", seen, ids)
	}
}

func pauseLeases(r *rig) {
	first, second := r.task(r.publish(), ample), r.task(r.publish(), ample)
	third := r.task(r.publish(), brief)
	r.hold()
	if lost := r.renew(ample, first.Token); len(lost) > 0 {
		r.Errorf("Renew of a lease that was out before the pause: lost are %v", lost)
	}
	r.complete(done(first.Token), retry(second.Token, 0, "again"))
	r.eventually("the lease has expired", func() bool { return r.stats().Running == 0 })
	r.nothing("the queue is paused")
	r.counts("both are ready again", queue.Stats{Ready: 2, Paused: true})
	r.resume()
	r.receive(2, ample)
	r.look(third.ID)
}

func pauseTwice(r *rig) {
	r.resume()
	r.hold()
	r.hold()
	id := r.publish()
	r.nothing("the queue is paused")
	r.resume()
	r.resume()
	r.task(id, ample)
}

func pauseAdmin(r *rig) {
	r.hold()
	id, other := r.publish(), r.publish()
	r.cancel(id, "enough")
	r.requeued(1, queue.ByID(id))
	r.purged(1, queue.ByID(other))
	r.counts("one is left", queue.Stats{Ready: 1, Paused: true})
	r.nothing("the queue is paused")
}

func limitTests() []test {
	return []test{
		{"so many run at once", 10, limitRunning},
		{"an expired lease makes room", 2, limitExpired},
		{"each way back makes room", 6, limitBack},
		{"a burst, then a pace", 8, limitRate},
		{"at once is no more than the burst", 8, limitBurst},
		{"those who wait are woken by the pace", 3, limitWakes},
		{"both at once", 6, limitBoth},
	}
}

func limitRunning(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxRunning = 3 })
	ids := r.publishN(10)
	var held []queue.Lease
	for len(held) < 3 {
		held = append(held, r.receive(10, ample)...)
	}
	if len(held) != 3 {
		r.Fatalf("%d leases are out, allowed are 3", len(held))
	}
	r.nothing("three are running")
	r.counts("three are running", queue.Stats{Running: 3, Ready: 7})
	got := r.receiving()
	r.complete(done(held[1].Token))
	r.received(got, ids[3])
	r.nothing("three are running again")
}

func limitExpired(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxRunning = 1 })
	first := r.publish(attempts(1))
	second := r.publish()
	r.task(first, brief)
	r.task(second, ample)
}

// limitBack ends a lease in every way; the next one is to be handed out each time.
func limitBack(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxRunning = 1 })
	for _, end := range []func(queue.Token) queue.Completion{
		done, dropped, yieldedFor("enough"), func(t queue.Token) queue.Completion { return bury(t, "bad") },
		func(t queue.Token) queue.Completion { return retry(t, ample, "again") },
		func(t queue.Token) queue.Completion { return snooze(t, ample) },
	} {
		l := r.task(r.publish(), ample)
		r.nothing("one is running")
		r.complete(end(l.Token))
	}
	r.counts("one after the other", queue.Stats{Cancelled: 1, Dead: 1, Retrying: 1, Scheduled: 1})
}

func yieldedFor(cause string) func(queue.Token) queue.Completion {
	return func(t queue.Token) queue.Completion { return yielded(t, cause) }
}

// paced demands that the claims took at least as long as their rate says.
func (r *rig) paced(began time.Time, n int, rate queue.Rate) {
	r.Helper()
	least := time.Duration(float64(n-rate.Tokens())/rate.PerSecond*float64(time.Second)) - tolerance
	if took := time.Since(began); took < least {
		r.Errorf("%d tasks were claimed within %s; at %v a second after %d at once it takes %s", n, took, rate.PerSecond, rate.Tokens(), least)
	}
}

func limitRate(r *rig) {
	rate := queue.Rate{PerSecond: 20, Burst: 2}
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Rate = rate })
	began := time.Now()
	ids := r.publishN(8)
	for n := range ids {
		l := r.one(ample)
		if l.ID != ids[n] {
			r.Fatalf("task number %d is %s, expected %s", n, l.ID, ids[n])
		}
		r.complete(done(l.Token))
		r.paced(began, n+1, rate)
	}
}

func limitBurst(r *rig) {
	rate := queue.Rate{PerSecond: 10, Burst: 3}
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Rate = rate })
	r.pause(later) // in which more tokens would come than the bucket holds
	r.publishN(8)
	began := time.Now()
	for n := 0; n < 8; {
		ls := r.receive(8, ample)
		n += len(ls)
		r.paced(began, n, rate)
	}
}

func limitWakes(r *rig) {
	rate := queue.Rate{PerSecond: 10, Burst: 1}
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Rate = rate })
	ids := r.publishN(3)
	r.task(ids[0], ample)
	r.received(r.receiving(), ids[1])
	r.received(r.receiving(), ids[2])
}

func limitBoth(r *rig) {
	rate := queue.Rate{PerSecond: 50, Burst: 4}
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Rate, c.MaxRunning = rate, 2 })
	r.publishN(6)
	began := time.Now()
	for n := 0; n < 6; {
		ls := r.receive(6, ample)
		if n += len(ls); len(ls) > 2 {
			r.Fatalf("%d leases are out, allowed are 2", len(ls))
		}
		r.paced(began, n, rate)
		for _, l := range ls {
			r.complete(done(l.Token))
		}
	}
}

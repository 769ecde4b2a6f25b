package queuetest

import (
	"time"

	"github.com/plba/plba/queue"
)

func leaseTests() []test {
	return []test{
		{"expires and frees the task", 1, leaseExpires},
		{"each task's ends on its own", 2, leaseEach},
		{"renewal keeps it", 1, leaseRenewed},
		{"renewal sets its end", 1, leaseShortened},
		{"renewal of many", 20, leaseRenewMany},
		{"expires with the last attempt", 1, leaseLastAttempt},
		{"an expired task keeps its place", 2, leasePlace},
	}
}

func leaseExpires(r *rig) {
	id := r.publish()
	began := time.Now()
	first := r.task(id, brief)
	second := r.task(id, ample)
	if took := time.Since(began); took < brief-tolerance {
		r.Errorf("a lease of %s ended after %s", brief, took)
	}
	if second.Info.Attempt != 2 {
		r.Errorf("after an expired lease the attempt is %d; the expired one counts, so 2", second.Info.Attempt)
	}
	if second.Lease <= first.Lease {
		r.Errorf("the second claim has lease %d, the first had %d: it must grow", second.Lease, first.Lease)
	}
	r.complete(done(second.Token))
	r.counts("it is done", queue.Stats{})
}

func leaseEach(r *rig) {
	short, long := r.publish(), r.publish()
	r.task(short, brief)
	r.task(long, ample)
	r.task(short, ample)
	r.nothing("the other lease has not ended")
}

func leaseRenewed(r *rig) {
	l := r.task(r.publish(), brief)
	if lost := r.renew(ample, l.Token); len(lost) > 0 {
		r.Fatalf("Renew says that the lease is lost; it is held")
	}
	for waited := time.Duration(0); waited < 2*brief; waited += quiet {
		r.nothing("its lease was renewed")
	}
	r.complete(done(l.Token))
}

func leaseShortened(r *rig) {
	id := r.publish()
	first := r.task(id, ample)
	if lost := r.renew(brief, first.Token); len(lost) > 0 {
		r.Fatalf("Renew says that the lease is lost; it is held")
	}
	if again := r.task(id, ample); again.Info.Attempt != 2 {
		r.Errorf("attempt %d, expected 2", again.Info.Attempt)
	}
}

func leaseRenewMany(r *rig) {
	r.publishN(20)
	var held []queue.Token
	for len(held) < 20 {
		for _, l := range r.receive(20, ample) {
			held = append(held, l.Token)
		}
	}
	r.complete(done(held[3]), done(held[11]))
	lost := r.renew(ample, held...)
	if len(lost) != 2 || !sameTokens(lost, []queue.Token{held[3], held[11]}) {
		r.Errorf("lost are %v, expected just the two that were completed", lost)
	}
	if lost := r.renew(ample); len(lost) != 0 {
		r.Errorf("renewing nothing loses %v", lost)
	}
}

func leaseLastAttempt(r *rig) {
	id := r.publish(attempts(2))
	r.complete(retry(r.task(id, ample).Token, 0, "first"))
	r.task(id, brief)
	r.eventually("the task is dead", func() bool { return r.stats().Dead == 1 })
	letter := r.theDead()
	if letter.Info.ID != id {
		r.Errorf("the dead letter is task %s, expected %s", letter.Info.ID, id)
	}
	r.failures(letter, "first", "lease expired")
	r.nothing("the task is dead")
}

func leasePlace(r *rig) {
	first, second := r.publish(), r.publish()
	r.task(first, brief)
	r.eventually("the lease has expired", func() bool { return r.stats().Ready == 2 })
	r.task(first, ample)
	r.task(second, ample)
}

// sameTokens compares without regard to order.
func sameTokens(a, b []queue.Token) bool {
	count := map[queue.Token]int{}
	for _, t := range a {
		count[t]++
	}
	for _, t := range b {
		count[t]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

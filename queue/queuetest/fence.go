package queuetest

import (
	"github.com/plba/plba/queue"
)

func fenceTests() []test {
	return []test{
		{"the token grows with every claim", 1, fenceGrows},
		{"a late answer changes nothing", 6, fenceLate},
		{"a late renewal is told", 1, fenceRenew},
		{"done is final", 1, fenceDone},
		{"tokens that never were", 1, fenceInvented},
		{"a batch loses only what is lost", 4, fenceBatch},
		{"twice in one batch", 1, fenceTwice},
	}
}

// fenceGrows claims one task after each way back to ready.
func fenceGrows(r *rig) {
	id := r.publish()
	last := r.task(id, ample)
	for _, back := range []struct {
		how string
		end func()
	}{
		{"a retry", func() { r.complete(retry(last.Token, 0, "again")) }},
		{"a snooze", func() { r.complete(snooze(last.Token, 0)) }},
		{"a return", func() { r.complete(giveBack(last.Token)) }},
		{"an expired lease", func() { r.renew(brief, last.Token) }},
		{"another return", func() { r.complete(giveBack(last.Token)) }},
	} {
		back.end()
		next := r.task(id, ample)
		if next.Lease <= last.Lease {
			r.Errorf("after %s the claim has lease %d, the one before had %d: it must grow", back.how, next.Lease, last.Lease)
		}
		last = next
	}
}

// fenceLate answers in every way under a lease that another claim has followed.
func fenceLate(r *rig) {
	for _, late := range []struct {
		how    string
		answer func(queue.Token) queue.Completion
	}{
		{"done", done},
		{"dropped", dropped},
		{"retry", func(t queue.Token) queue.Completion { return retry(t, 0, "late") }},
		{"snooze", func(t queue.Token) queue.Completion { return snooze(t, 0) }},
		{"return", giveBack},
		{"dead", func(t queue.Token) queue.Completion { return bury(t, "late") }},
	} {
		id := r.publish()
		first := r.task(id, ample)
		r.complete(giveBack(first.Token))
		if lost := r.completeLosing(late.answer(first.Token)); len(lost) != 1 || lost[0] != first.Token {
			r.Fatalf("a late %s on a ready task: lost is %v, expected its token", late.how, lost)
		}
		second := r.task(id, ample)
		if lost := r.completeLosing(late.answer(first.Token)); len(lost) != 1 || lost[0] != first.Token {
			r.Fatalf("a late %s on a running task: lost is %v, expected its token", late.how, lost)
		}
		r.counts("after a late "+late.how, queue.Stats{Running: 1})
		if second.Info.Attempt != 1 {
			r.Errorf("after a late %s the attempt is %d, expected 1", late.how, second.Info.Attempt)
		}
		r.complete(done(second.Token))
	}
}

func fenceRenew(r *rig) {
	id := r.publish()
	first := r.task(id, brief)
	second := r.task(id, ample)
	if lost := r.renew(ample, first.Token, second.Token); len(lost) != 1 || lost[0] != first.Token {
		r.Errorf("lost is %v, expected just the first lease %v", lost, first.Token)
	}
}

func fenceDone(r *rig) {
	l := r.task(r.publish(), ample)
	r.complete(done(l.Token))
	for _, again := range []queue.Completion{done(l.Token), retry(l.Token, 0, "late"), giveBack(l.Token), bury(l.Token, "late")} {
		if lost := r.completeLosing(again); len(lost) != 1 {
			r.Errorf("%s after done: lost is %v, expected its token", again.Outcome, lost)
		}
	}
	if lost := r.renew(ample, l.Token); len(lost) != 1 {
		r.Errorf("Renew after done: lost is %v, expected its token", lost)
	}
	r.counts("it stays done", queue.Stats{})
	r.nothing("the task is done")
}

func fenceInvented(r *rig) {
	l := r.task(r.publish(), ample)
	invented := []queue.Token{{ID: l.ID, Lease: l.Lease + 1}, {ID: l.ID, Lease: l.Lease - 1}, {ID: l.ID},
		{ID: "no such task", Lease: l.Lease}, {}}
	for _, t := range invented {
		if lost := r.completeLosing(done(t)); len(lost) != 1 || lost[0] != t {
			r.Errorf("Complete with %+v: lost is %v", t, lost)
		}
		if lost := r.renew(brief, t); len(lost) != 1 || lost[0] != t {
			r.Errorf("Renew with %+v: lost is %v", t, lost)
		}
	}
	r.counts("after invented tokens", queue.Stats{Running: 1})
	r.complete(done(l.Token))
}

func fenceBatch(r *rig) {
	r.publishN(4)
	var ls []queue.Lease
	for len(ls) < 4 {
		ls = append(ls, r.receive(4, ample)...)
	}
	r.complete(giveBack(ls[1].Token), giveBack(ls[2].Token))
	again := r.one(ample)
	lost := r.completeLosing(done(ls[0].Token), done(ls[1].Token), done(ls[2].Token), retry(ls[3].Token, later, "no"))
	if !sameTokens(lost, []queue.Token{ls[1].Token, ls[2].Token}) {
		r.Errorf("lost is %v, expected the two that were given back", lost)
	}
	r.counts("after the batch", queue.Stats{Running: 1, Ready: 1, Retrying: 1})
	r.complete(done(again.Token))
}

func fenceTwice(r *rig) {
	l := r.task(r.publish(), ample)
	if lost := r.completeLosing(retry(l.Token, 0, "first"), done(l.Token)); len(lost) != 1 {
		r.Errorf("two answers for one lease in a batch: lost is %v, expected its token once", lost)
	}
	if again := r.one(ample); again.Info.Attempt != 2 {
		r.Errorf("the first answer counts: attempt %d, expected 2", again.Info.Attempt)
	}
}

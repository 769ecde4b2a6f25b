package queuetest

import (
	"fmt"
	"strings"

	"github.com/plba/plba/queue"
)

func attemptsTests() []test {
	return []test{
		{"are counted up to the last", 1, attemptsCounted},
		{"snooze and return do not count", 1, attemptsFree},
		{"one is all", 1, attemptsOne},
		{"without a limit", 1, attemptsEndless},
		{"every error is kept", 1, attemptsHistory},
		{"dead before the last", 1, attemptsGivenUp},
	}
}

func attemptsCounted(r *rig) {
	const most = 5
	id := r.publish(attempts(most))
	for n := 1; n <= most; n++ {
		l := r.task(id, ample)
		if l.Info.Attempt != n || l.Info.LastAttempt() != (n == most) {
			r.Fatalf("attempt %d of %d, last: %t; expected number %d", l.Info.Attempt, l.Info.MaxAttempts, l.Info.LastAttempt(), n)
		}
		r.complete(retry(l.Token, 0, fmt.Sprintf("failure %d", n)))
	}
	r.counts("after the last attempt", queue.Stats{Dead: 1})
	r.nothing("its attempts are used up")
}

func attemptsFree(r *rig) {
	id := r.publish(attempts(2))
	for range 10 {
		r.complete(snooze(r.task(id, ample).Token, 0))
		r.complete(giveBack(r.task(id, ample).Token))
	}
	l := r.task(id, ample)
	if l.Info.Attempt != 1 {
		r.Errorf("after snoozes and returns it is attempt %d, expected 1", l.Info.Attempt)
	}
	r.complete(retry(l.Token, 0, "once"))
	if l := r.task(id, ample); l.Info.Attempt != 2 {
		r.Errorf("after one failure it is attempt %d, expected 2", l.Info.Attempt)
	}
}

func attemptsOne(r *rig) {
	l := r.task(r.publish(attempts(1)), ample)
	r.complete(retry(l.Token, later, "only once"))
	r.counts("one attempt, one failure", queue.Stats{Dead: 1})
}

func attemptsEndless(r *rig) {
	id := r.publish(attempts(0))
	for n := 1; n <= queue.MaxAttempts+5; n++ {
		l := r.task(id, ample)
		if l.Info.Attempt != n {
			r.Fatalf("attempt %d, expected %d", l.Info.Attempt, n)
		}
		r.complete(retry(l.Token, 0, "again"))
	}
	r.counts("there is no last attempt", queue.Stats{Ready: 1})
}

// attemptsHistory fails a task in every way that counts, with others in between that do not.
func attemptsHistory(r *rig) {
	long := strings.Repeat("é", 2000)
	id := r.publish(attempts(4))
	r.complete(retry(r.task(id, ample).Token, 0, "first\nin two lines"))
	r.complete(snooze(r.task(id, ample).Token, 0))
	r.task(id, brief)
	r.complete(giveBack(r.task(id, ample).Token))
	r.complete(retry(r.task(id, ample).Token, 0, long))
	r.complete(retry(r.task(id, ample).Token, 0, ""))
	r.failures(r.theDead(), "first\nin two lines", "lease expired", long, "")
}

func attemptsGivenUp(r *rig) {
	id := r.publish()
	r.complete(retry(r.task(id, ample).Token, 0, "first"))
	r.complete(bury(r.task(id, ample).Token, "never"))
	letter := r.theDead()
	if letter.Info.Attempt != 2 {
		r.Errorf("the dead letter's attempt is %d, expected 2", letter.Info.Attempt)
	}
	r.failures(letter, "first", "never")
}

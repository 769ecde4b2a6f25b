package queuetest

import (
	"strings"
	"testing"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// The judge is held to small histories of which everybody can see whether they can have been.
func TestJudge(t *testing.T) {
	token := func(n int64) queue.Token { return queue.Token{ID: "a", Lease: n} }
	claim := func(lease int64, attempt int) func(life) (life, bool) {
		return claimed(queue.Lease{Token: token(lease), Info: task.Info{Attempt: attempt}})
	}
	undo := claimed(queue.Lease{Token: token(2), Info: task.Info{Attempt: 1, Undo: true}})
	is := func(state queue.State, leased bool) func(life) (life, bool) {
		return func(l life) (life, bool) { return l, l.state == state && l.leased == leased }
	}
	one := func(step func(life) (life, bool), at int64) call { return call{"", at, at, step} }
	for _, c := range []struct {
		name  string
		calls []call
		fine  bool
	}{
		{"done", []call{one(published, 1), one(claim(1, 1), 2), one(answered(done(token(1)), false), 3), one(looked(queue.Task{}, true), 4)}, true},
		{"claimed before it was there", []call{one(claim(1, 1), 1), one(published, 2)}, false},
		{"claimed while it was published", []call{{"", 1, 4, published}, {"", 2, 3, claim(1, 1)}}, true},
		{"claimed twice", []call{one(published, 1), one(claim(1, 1), 2), one(claim(2, 1), 3)}, false},
		{"claimed twice, an answer between", []call{one(published, 1), {"", 2, 9, claim(1, 1)}, {"", 3, 8, claim(2, 1)},
			{"", 4, 9, answered(giveBack(token(1)), false)}}, true},
		{"an answer that came after the second claim", []call{one(published, 1), one(claim(1, 1), 2), one(claim(2, 1), 3),
			one(answered(giveBack(token(1)), false), 4)}, false},
		{"a lease that does not grow", []call{one(published, 1), one(claim(2, 1), 2), one(answered(giveBack(token(2)), false), 3), one(claim(1, 1), 4)}, false},
		{"an attempt that does not count", []call{one(published, 1), one(claim(1, 1), 2), one(answered(retry(token(1), 0, ""), false), 3), one(claim(2, 1), 4)}, false},
		{"a late answer that counts", []call{one(published, 1), one(claim(1, 1), 2), one(answered(giveBack(token(1)), false), 3),
			one(answered(done(token(1)), false), 4)}, false},
		{"an answer lost for nothing", []call{one(published, 1), one(claim(1, 1), 2), one(answered(done(token(1)), true), 3)}, false},
		{"cancelled while it ran", []call{one(published, 1), one(claim(1, 1), 2), one(cancelled("", false), 3),
			one(renewed(token(1), queue.Renewed{Cancelled: []queue.Token{token(1)}}), 4), one(answered(giveBack(token(1)), false), 5),
			one(is(queue.StateCancelled, false), 6)}, true},
		{"not told", []call{one(published, 1), one(claim(1, 1), 2), one(cancelled("", false), 3), one(renewed(token(1), queue.Renewed{}), 4)}, false},
		{"cancelled twice", []call{one(published, 1), one(cancelled("", false), 2), one(cancelled("", false), 3)}, false},
		{"refused for another state", []call{one(published, 1), one(cancelled(queue.StateDead, false), 2)}, false},
		{"requeued out of nothing", []call{one(published, 1), one(requeued(1), 2)}, false},
		{"undone", []call{one(published, 1), one(claim(1, 1), 2), one(saved(token(1), nil), 3), one(answered(bury(token(1), ""), false), 4),
			one(undo, 5), one(answered(done(token(2)), false), 6), one(is(queue.StateDead, false), 7)}, true},
		{"not undone", []call{one(published, 1), one(claim(1, 1), 2), one(saved(token(1), nil), 3), one(answered(bury(token(1), ""), false), 4),
			one(is(queue.StateDead, false), 5)}, false},
		{"undone for nothing", []call{one(published, 1), one(claim(1, 1), 2), one(answered(bury(token(1), ""), false), 3), one(undo, 4)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fault := judge(c.calls)
			if (fault == "") != c.fine {
				t.Errorf("judged %q, fine: %t", fault, c.fine)
			}
			if fault != "" && !strings.Contains(fault, "no order explains") {
				t.Errorf("fault %q", fault)
			}
		})
	}
}

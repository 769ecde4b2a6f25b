package memory

import (
	"time"

	"github.com/plba/plba/queue"
)

// tokens is the bucket of a rate limit, in whole nanoseconds: tokens come one per interval, and whoever takes one moves spent on by an interval.
// The zero value has no limit.
type tokens struct {
	interval time.Duration // between two; 0: no limit
	window   time.Duration // in which the bucket fills up
	spent    time.Duration // until then, tokens are taken
}

func newTokens(r queue.Rate) tokens {
	t := tokens{interval: r.Interval()}
	if t.interval > 0 {
		t.window = t.interval * time.Duration(min(r.Tokens(), int(never/4/t.interval)+1))
		t.spent = -t.window
	}
	return t
}

// have is how many tokens there are, at most most.
func (t *tokens) have(most int, now time.Duration) int {
	if t.interval == 0 {
		return most
	}
	t.spent = max(t.spent, now-t.window)
	return min(most, max(0, int((now-t.spent)/t.interval)))
}

func (t *tokens) take(n int) { t.spent += time.Duration(n) * t.interval }

// next is when the next token comes.
func (t *tokens) next() time.Duration { return t.spent + t.interval }

// claimable is how many tasks can be claimed now.
func (e *engine) claimable() int {
	n := e.ready.size
	if n == 0 || e.paused {
		return 0
	}
	if most := e.settings.MaxRunning; most > 0 {
		n = max(0, min(n, most-e.leases.len()))
	}
	return e.tokens.have(n, e.now)
}

// nextToken is when a token comes that a task waits for, never if none does.
func (e *engine) nextToken() time.Duration {
	if e.tokens.interval == 0 || e.ready.size == 0 || e.paused || e.claimable() > 0 {
		return never
	}
	if most := e.settings.MaxRunning; most > 0 && e.leases.len() >= most {
		return never
	}
	return e.tokens.next()
}

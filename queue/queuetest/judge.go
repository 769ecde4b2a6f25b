package queuetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// life is what one task is, as far as answers tell: the state of a small machine that every history of calls must have led through, in some order
// in which each call takes effect at one moment between its beginning and its end.
type life struct {
	state      queue.State // "" before it is published and after it is forgotten
	begun      bool        // it was published
	lease      int64       // the last one
	leased     bool
	cancelling bool
	undoable   bool
	endsAs     queue.State
	failed     int
}

// call is one call that concerned the task, with what came back. step says what it makes of a life, and whether it can have happened there.
type call struct {
	what       string
	began, end int64 // by a clock that all callers share
	step       func(life) (life, bool)
}

// attempts that the tasks of histories have.
const fewAttempts = 2

func published(l life) (life, bool) {
	return life{state: queue.StateReady, begun: true}, !l.begun
}

func claimed(c queue.Lease) func(life) (life, bool) {
	return func(l life) (life, bool) {
		undo := l.state == queue.StateUndoing
		ok := (l.state == queue.StateReady || undo) && !l.leased && c.Lease > l.lease && c.Info.Attempt == l.failed+1 && c.Info.Undo == undo
		if !undo {
			l.state = queue.StateRunning
		}
		l.lease, l.leased = c.Lease, true
		return l, ok
	}
}

// givenUp is the life of a task that is to end as.
func (l life) givenUp(as queue.State) life {
	switch {
	case l.state == queue.StateUndoing:
		l.state = queue.StateDead
	case l.undoable:
		l.state, l.endsAs, l.failed = queue.StateUndoing, as, 0
	default:
		l.state = as
	}
	l.cancelling = false
	return l
}

func (l life) again() life {
	switch {
	case l.cancelling:
		return l.givenUp(queue.StateCancelled)
	case l.failed >= fewAttempts:
		return l.givenUp(queue.StateDead)
	case l.state == queue.StateRunning:
		l.state = queue.StateReady
	}
	return l
}

func answered(c queue.Completion, lost bool) func(life) (life, bool) {
	return func(l life) (life, bool) {
		held := l.leased && l.lease == c.Lease
		if lost || !held {
			return l, lost && !held
		}
		l.leased = false
		switch {
		case c.Outcome <= task.Dropped && l.state == queue.StateUndoing:
			l.state, l.undoable = l.endsAs, false
		case c.Outcome <= task.Dropped:
			l.state = ""
		case c.Outcome == task.Dead:
			l = l.givenUp(queue.StateDead)
		case c.Outcome == task.Cancelled:
			l = l.givenUp(queue.StateCancelled)
		case c.Counted:
			l.failed++
			l = l.again()
		default:
			l = l.again()
		}
		return l, true
	}
}

func renewed(t queue.Token, r queue.Renewed) func(life) (life, bool) {
	lost, told := slices.Contains(r.Lost, t), slices.Contains(r.Cancelled, t)
	return func(l life) (life, bool) {
		held := l.leased && l.lease == t.Lease
		return l, held != lost && told == (held && l.cancelling)
	}
}

// saved is about a record that makes the task undoable.
func saved(t queue.Token, err error) func(life) (life, bool) {
	return func(l life) (life, bool) {
		held := l.leased && l.lease == t.Lease
		l.undoable = l.undoable || held
		return l, held == (err == nil)
	}
}

// cancelled is about a cancel: refusedIn is the state for which it was refused, gone that there was no such task.
func cancelled(refusedIn queue.State, gone bool) func(life) (life, bool) {
	return func(l life) (life, bool) {
		switch {
		case l.state == "":
			return l, gone
		case l.state == queue.StateUndoing || !l.state.Living():
			return l, refusedIn == l.state
		case l.leased:
			l.cancelling = true
		default:
			l = l.givenUp(queue.StateCancelled)
		}
		return l, refusedIn == "" && !gone
	}
}

func requeued(n int) func(life) (life, bool) {
	return func(l life) (life, bool) {
		if l.state != queue.StateDead && l.state != queue.StateCancelled {
			return l, n == 0
		}
		l.state, l.failed = queue.StateReady, 0
		return l, n == 1
	}
}

func looked(t queue.Task, gone bool) func(life) (life, bool) {
	return func(l life) (life, bool) {
		if l.state == "" {
			return l, gone
		}
		return l, !gone && t.State == l.state && t.LeasedUntil.IsZero() != l.leased && t.Cancelling == l.cancelling
	}
}

// judge looks for an order in which the calls can have taken effect one after the other. It says why there is none, "" if there is one.
func judge(calls []call) string {
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.began, b.began) })
	seen := map[string]bool{}
	furthest := 0
	done := make([]bool, len(calls))
	var search func(l life, n int) bool
	search = func(l life, n int) bool {
		furthest = max(furthest, n)
		if n == len(calls) {
			return true
		}
		key := fmt.Sprint(done, l)
		if seen[key] {
			return false
		}
		seen[key] = true
		first := int64(1 << 62) // the first end of those that are left: what began after it comes later
		for i, c := range calls {
			if !done[i] {
				first = min(first, c.end)
			}
		}
		for i, c := range calls {
			if done[i] || c.began > first {
				continue
			}
			if next, ok := c.step(l); ok {
				done[i] = true
				if search(next, n+1) {
					return true
				}
				done[i] = false
			}
		}
		return false
	}
	if search(life{}, 0) {
		return ""
	}
	var lines []string
	for _, c := range calls {
		lines = append(lines, fmt.Sprintf("%d to %d: %s", c.began, c.end, c.what))
	}
	return fmt.Sprintf("no order explains these calls beyond %d of them:\n%s", furthest, strings.Join(lines, "\n"))
}

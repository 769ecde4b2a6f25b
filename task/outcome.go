package task

import (
	"errors"
	"fmt"
	"time"
)

// Outcome is what becomes of a task after its handler returned.
type Outcome uint8

const (
	// Done: the handler finished the task.
	Done Outcome = iota
	// Dropped: the handler ended the task on purpose without an effect; it counts as finished.
	Dropped
	// Retry: the attempt failed; the task is tried again until its attempts are used up.
	Retry
	// Snoozed: the task waits and is tried again; the attempt does not count.
	Snoozed
	// Dead: the task can never succeed; it becomes a dead letter.
	Dead
	// Cancelled: an operator ended the task while its handler ran, and the handler yielded. Only workers answer so; Classify never does.
	Cancelled
)

// String is the outcome in lower case: done, dropped, retry, snoozed, dead, cancelled.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Dropped:
		return "dropped"
	case Retry:
		return "retry"
	case Snoozed:
		return "snoozed"
	case Dead:
		return "dead"
	case Cancelled:
		return "cancelled"
	default:
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
}

type outcomeError struct {
	err     error
	outcome Outcome
	wait    time.Duration
}

func (e *outcomeError) Error() string { return e.err.Error() }
func (e *outcomeError) Unwrap() error { return e.err }

// Permanent marks err as one that no retry can mend: the task becomes a dead letter at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &outcomeError{err: err, outcome: Dead}
}

// RetryAfter asks for the next attempt after d instead of the queue's backoff (d <= 0: at once). The attempt
// counts. A nil cause still asks for the retry.
func RetryAfter(d time.Duration, cause error) error {
	if cause == nil {
		cause = fmt.Errorf("retry asked for in %s", d)
	}
	return &outcomeError{err: cause, outcome: Retry, wait: atLeastNow(d)}
}

// Snooze puts the task away for d (d <= 0: it is ready again at once) without using up an attempt: nothing failed,
// it is only not the time yet.
func Snooze(d time.Duration, reason string) error {
	return &outcomeError{err: errors.New("snoozed: " + reason), outcome: Snoozed, wait: atLeastNow(d)}
}

// Drop ends the task without an error: there is nothing to do for it. The reason shows in logs and traces.
func Drop(reason string) error {
	return &outcomeError{err: errors.New("dropped: " + reason), outcome: Dropped}
}

// atLeastNow keeps "at once" apart from 0, which means "the queue decides".
func atLeastNow(d time.Duration) time.Duration { return max(d, 1) }

// Classify reads an error tree from the outside in; the first error that says anything decides, and the default is
// Retry. The duration is how long to wait, 0 when the error leaves that to the queue.
//
// Errors of other packages are heard by their methods: Permanent() bool (true: Dead) and RetryAfter() time.Duration.
// Joined errors (errors.Join, several %w) count as one outcome only when every branch has it, otherwise as Retry: a dropped item
// joined with a failed one must not acknowledge the failed one. The longest wait of the branches counts.
func Classify(err error) (Outcome, time.Duration) {
	for err != nil {
		if e, ok := err.(*outcomeError); ok {
			return e.outcome, e.wait
		}
		if e, ok := err.(interface{ Permanent() bool }); ok && e.Permanent() {
			return Dead, 0
		}
		if e, ok := err.(interface{ RetryAfter() time.Duration }); ok {
			return Retry, atLeastNow(e.RetryAfter())
		}
		if e, ok := err.(interface{ Unwrap() []error }); ok {
			return classifyJoined(e.Unwrap())
		}
		next := errors.Unwrap(err)
		if next == nil {
			return Retry, 0
		}
		err = next
	}
	return Done, 0
}

func classifyJoined(branches []error) (Outcome, time.Duration) {
	outcome, wait, seen := Retry, time.Duration(0), false
	for _, branch := range branches {
		if branch == nil {
			continue
		}
		o, w := Classify(branch)
		wait = max(wait, w)
		if !seen {
			outcome, seen = o, true
		} else if o != outcome {
			outcome = Retry
		}
	}
	return outcome, wait
}

// Causes of a handler's context that ended although the task did not: another run goes on with it.
var (
	// ErrForced: the stop budget is used up; the task goes back to its queue and the attempt does not count.
	ErrForced = errors.New("stopped by force")
	// ErrLeaseLost: the lease on the task ended before the handler did; another worker may have it by now.
	ErrLeaseLost = errors.New("lease lost")
)

// ErrCancelled is the cause of a handler's context when an operator cancelled the task: it ends.
var ErrCancelled = errors.New("task cancelled")

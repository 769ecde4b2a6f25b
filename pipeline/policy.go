package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/plba/plba/task"
)

// Backoff is the pause after a failed attempt (the first is 1) before the next one. Zero or less: none. It
// must be safe for concurrent use.
type Backoff func(attempt int) time.Duration

// Bounds of the default backoff.
const (
	backoffBase  = 100 * time.Millisecond
	backoffLimit = 5 * time.Second
)

// defaultBackoff doubles from 100 ms to 5 s and takes a random part between half and all of that, so that
// tasks which failed together do not come back together.
func defaultBackoff(attempt int) time.Duration {
	d := backoffLimit
	if doublings := attempt - 1; doublings < 10 {
		d = min(d, backoffBase<<doublings)
	}
	return d/2 + rand.N(d/2)
}

// policies are those of a step that need not know its types. The zero value is a stage that runs once, as long as
// it likes.
type policies struct {
	retry       *retryPolicy
	retryIf     *condition
	breaker     *breakerPolicy
	rate        *ratePolicy
	limit       *limitPolicy
	permanentIf *condition
	timeout     *timeoutPolicy
}

type retryPolicy struct {
	attempts int
	backoff  []Backoff // as given: Build refuses more than one
}

type timeoutPolicy struct{ after time.Duration }

// condition is an author's question about an error.
type condition struct{ is func(error) bool }

// fresh are the same policies in their first state.
func (p policies) fresh() policies {
	p.breaker = p.breaker.fresh()
	p.rate = p.rate.fresh()
	p.limit = p.limit.fresh()
	return p
}

// settings describes the policies, from the outermost to the innermost.
func (p policies) settings() (s []setting) {
	if p.retry != nil {
		s = append(s, setting{"retry", strconv.Itoa(p.retry.attempts)})
	}
	if p.retryIf != nil {
		s = append(s, setting{"retry_if", "yes"})
	}
	if p.breaker != nil {
		s = append(s, setting{"breaker", p.breaker.String()})
	}
	if p.rate != nil {
		s = append(s, setting{"rate", p.rate.String()})
	}
	if p.limit != nil {
		s = append(s, setting{"limit", strconv.Itoa(p.limit.n)})
	}
	if p.timeout != nil {
		s = append(s, setting{"timeout", p.timeout.after.String()})
	}
	if p.permanentIf != nil {
		s = append(s, setting{"permanent_if", "yes"})
	}
	return s
}

// faults names absurd settings.
func (p policies) faults() []string {
	f := p.retryFaults()
	f = append(f, p.breaker.faults()...)
	f = append(f, p.rate.faults()...)
	f = append(f, p.limit.faults()...)
	if p.timeout != nil && p.timeout.after <= 0 {
		f = append(f, fmt.Sprintf("Timeout(%s): it must be longer than nothing", p.timeout.after))
	}
	if p.permanentIf != nil && p.permanentIf.is == nil {
		f = append(f, "the function given to PermanentIf is nil")
	}
	return f
}

func (p policies) retryFaults() (f []string) {
	if r := p.retry; r != nil {
		if r.attempts < 1 {
			f = append(f, fmt.Sprintf("Retry(%d): there must be at least 1 attempt", r.attempts))
		}
		if len(r.backoff) > 1 {
			f = append(f, fmt.Sprintf("Retry takes at most one Backoff, not %d", len(r.backoff)))
		}
		for _, b := range r.backoff {
			if b == nil {
				f = append(f, "Retry: its Backoff is nil")
			}
		}
	}
	if p.retryIf != nil {
		if p.retryIf.is == nil {
			f = append(f, "the function given to RetryIf is nil")
		}
		if p.retry == nil {
			f = append(f, "RetryIf does nothing without a Retry")
		}
	}
	return f
}

// wait lets d pass; false when ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause is how long to wait after a failed attempt. The author's function may panic.
func (r *retryPolicy) pause(attempt int) (d time.Duration, err error) {
	if len(r.backoff) == 0 {
		return defaultBackoff(attempt), nil
	}
	defer guard(&err)
	return r.backoff[0](attempt), nil
}

// again says whether another attempt follows the n-th one, which failed with err; or that asking the author
// failed.
func (p *policies) again(n int, err error) (bool, error) {
	if p.retry == nil || n >= p.retry.attempts || !retryable(err) {
		return false, nil
	}
	if p.retryIf == nil {
		return true, nil
	}
	return p.retryIf.holds(err)
}

// retryable says whether another attempt inside the stage makes sense: not when the stage itself said what is
// to become of the task, and not after a panic.
func retryable(err error) bool {
	if outcome, wait := task.Classify(err); outcome != task.Retry || wait > 0 {
		return false
	}
	var p *PanicError
	return !errors.As(err, &p)
}

// holds asks the author, whose function may panic.
func (c *condition) holds(about error) (yes bool, err error) {
	defer guard(&err)
	return c.is(about), nil
}

// permanent gives err as a permanent one if the author says that it is.
func (c *condition) permanent(ctx context.Context, err error) error {
	if outcome, _ := task.Classify(err); outcome != task.Retry || ctx.Err() != nil {
		return err
	}
	yes, fault := c.holds(err)
	switch {
	case fault != nil:
		return fault
	case yes:
		return task.Permanent(err)
	}
	return err
}

// guard makes the panic of an author's function an error. It is for defer.
func guard(err *error) {
	if v := recover(); v != nil {
		*err = newPanicError(v)
	}
}

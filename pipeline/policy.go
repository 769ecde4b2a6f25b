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

// policies are the settings of a step's policies. The zero value is a stage that runs once, as long as it
// likes.
type policies struct {
	retry   *retryPolicy
	timeout *timeoutPolicy
}

type retryPolicy struct {
	attempts int
	backoff  []Backoff // as given: Build refuses more than one
}

type timeoutPolicy struct{ after time.Duration }

// settings describes the policies, from the outermost to the innermost.
func (p policies) settings() (s []setting) {
	if p.retry != nil {
		s = append(s, setting{"retry", strconv.Itoa(p.retry.attempts)})
	}
	if p.timeout != nil {
		s = append(s, setting{"timeout", p.timeout.after.String()})
	}
	return s
}

// faults names absurd settings.
func (p policies) faults() (f []string) {
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
	if p.timeout != nil && p.timeout.after <= 0 {
		f = append(f, fmt.Sprintf("Timeout(%s): it must be longer than nothing", p.timeout.after))
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
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return r.backoff[0](attempt), nil
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

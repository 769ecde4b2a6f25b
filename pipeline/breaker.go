package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/plba/plba/task"
)

// BreakerOption is a setting of Breaker.
type BreakerOption func(*breakerSettings)

type breakerSettings struct {
	failures int
	outOf    int
	pause    time.Duration
}

// OutOf lets a breaker look at the last n attempts: it opens when so many of them have failed as Breaker says,
// in a row or not. Default: n is that number, so that only failures in a row count.
func OutOf(n int) BreakerOption { return func(s *breakerSettings) { s.outOf = n } }

// BreakerOpenError says that an attempt was not made, because the stage's breaker is open. For the queue it asks to
// try the task again then.
type BreakerOpenError struct {
	Until time.Time     // when the breaker lets a trial through; an estimate while a trial is on its way
	wait  time.Duration // what RetryAfter says
}

// Error says when to try again.
func (e *BreakerOpenError) Error() string {
	return fmt.Sprintf("circuit breaker open, try again in %s", e.wait.Round(time.Millisecond))
}

// RetryAfter is how long the task should wait: until the trial and up to a tenth of the pause more, so that tasks
// which were refused together do not come back together. task.Classify hears it.
func (e *BreakerOpenError) RetryAfter() time.Duration { return e.wait }

// maxOutOf bounds the memory of a breaker.
const maxOutOf = 10_000

// breakerPolicy is a circuit breaker of failsafe-go, asked for permits: as an executor of theirs it would cost 1 µs
// and 14 allocations an attempt (docs/adr/0009).
type breakerPolicy struct {
	breakerSettings
	nilOption bool
	circuit   circuitbreaker.CircuitBreaker[struct{}] // nil when the settings are absurd
}

func newBreaker(failures int, pause time.Duration, options []BreakerOption) *breakerPolicy {
	b := &breakerPolicy{breakerSettings: breakerSettings{failures: failures, outOf: failures, pause: pause}}
	for _, o := range options {
		if o == nil {
			b.nilOption = true
			continue
		}
		o(&b.breakerSettings)
	}
	return b.fresh()
}

func (b *breakerPolicy) fresh() *breakerPolicy {
	if b == nil || len(b.faults()) > 0 {
		return b
	}
	c := *b
	c.circuit = circuitbreaker.NewBuilder[struct{}]().
		WithFailureThresholdRatio(uint(b.failures), uint(b.outOf)).
		WithSuccessThreshold(1).
		WithDelay(b.pause).
		Build()
	return &c
}

// String is "5 failures, pause 30s", or "5 of 20 failures, pause 30s".
func (b *breakerPolicy) String() string {
	if b.outOf == b.failures {
		return fmt.Sprintf("%d failures, pause %s", b.failures, b.pause)
	}
	return fmt.Sprintf("%d of %d failures, pause %s", b.failures, b.outOf, b.pause)
}

func (b *breakerPolicy) faults() (f []string) {
	if b == nil {
		return nil
	}
	if b.failures < 1 {
		f = append(f, fmt.Sprintf("Breaker(%d, %s): it must take at least 1 failure to open it", b.failures, b.pause))
	}
	if b.pause <= 0 {
		f = append(f, fmt.Sprintf("Breaker(%d, %s): the pause must be longer than nothing", b.failures, b.pause))
	}
	if b.nilOption {
		f = append(f, "Breaker: one of its options is nil")
	}
	if b.outOf < b.failures {
		f = append(f, fmt.Sprintf("OutOf(%d): there can be no %d failures in so few attempts", b.outOf, b.failures))
	}
	if b.outOf > maxOutOf {
		f = append(f, fmt.Sprintf("Breaker: looking at %d attempts is too much, the most is %d", b.outOf, maxOutOf))
	}
	return f
}

// enter lets an attempt in, or says until when the breaker is open. Whoever was let in must leave.
func (b *breakerPolicy) enter() error {
	if b.circuit.TryAcquirePermit() {
		return nil
	}
	// No delay remains while a trial is on its way: how it ends will show soon.
	wait := max(b.circuit.RemainingDelay(), b.pause/10)
	return &BreakerOpenError{Until: time.Now().Add(wait), wait: wait + rand.N(b.pause/10+1)}
}

// leave tells the breaker how the attempt ended. An attempt that the end of its run cut short says nothing, but a
// trial has to end one way or the other.
func (b *breakerPolicy) leave(ctx context.Context, err error) {
	switch {
	case err == nil:
		b.circuit.RecordSuccess()
	case ctx.Err() != nil:
		if b.circuit.IsHalfOpen() {
			b.circuit.RecordFailure()
		}
	case countsAsFailure(err):
		b.circuit.RecordFailure()
	default:
		b.circuit.RecordSuccess()
	}
}

// countsAsFailure also says yes about an error that panics on being asked.
func countsAsFailure(err error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = true
		}
	}()
	outcome, _ := task.Classify(err)
	return outcome == task.Retry
}

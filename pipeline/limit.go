package pipeline

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"golang.org/x/time/rate"
)

// limitPolicy bounds how many attempts run at once.
type limitPolicy struct {
	n      int
	places chan struct{} // holds one for every attempt that runs
}

func newLimit(n int) *limitPolicy { return &limitPolicy{n, make(chan struct{}, max(n, 0))} }

func (l *limitPolicy) fresh() *limitPolicy {
	if l == nil {
		return nil
	}
	return newLimit(l.n)
}

func (l *limitPolicy) faults() []string {
	if l == nil || l.n >= 1 {
		return nil
	}
	return []string{fmt.Sprintf("Limit(%d): there must be room for at least 1 attempt", l.n)}
}

func (l *limitPolicy) enter(ctx context.Context) error {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func (l *limitPolicy) leave() { <-l.places }

// ratePolicy bounds how often attempts begin.
type ratePolicy struct {
	perSecond float64
	burst     int
	tokens    *rate.Limiter
}

func newRate(perSecond float64, burst int) *ratePolicy {
	return &ratePolicy{perSecond, burst, rate.NewLimiter(rate.Limit(perSecond), burst)}
}

func (r *ratePolicy) fresh() *ratePolicy {
	if r == nil {
		return nil
	}
	return newRate(r.perSecond, r.burst)
}

// String is "20/s, burst 5".
func (r *ratePolicy) String() string {
	return strconv.FormatFloat(r.perSecond, 'g', -1, 64) + "/s, burst " + strconv.Itoa(r.burst)
}

func (r *ratePolicy) faults() (f []string) {
	if r == nil {
		return nil
	}
	if !(r.perSecond > 0) || math.IsInf(r.perSecond, 1) {
		f = append(f, fmt.Sprintf("Rate(%g, %d): the rate must be a positive number", r.perSecond, r.burst))
	}
	if r.burst < 1 {
		f = append(f, fmt.Sprintf("Rate(%g, %d): the burst must be at least 1", r.perSecond, r.burst))
	}
	return f
}

// wait takes a token, or gives it back when the context ends before its time.
func (r *ratePolicy) wait(ctx context.Context) error {
	if r.tokens.Allow() {
		return nil
	}
	token := r.tokens.Reserve()
	if wait(ctx, token.Delay()) {
		return nil
	}
	token.Cancel()
	return interrupted(ctx)
}

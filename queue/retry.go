package queue

import (
	"math/rand/v2"
	"time"
)

// MaxAttempts is how often a task is tried before it is dead.
const MaxAttempts = 20

const (
	retrySpread  = 0.2
	retryLongest = 15 * time.Minute
)

// DefaultRetry is the wait after the failed attempt of that number (the first is 1): 2^attempt seconds, give or take
// 20 %, at most 15 minutes. The spread is kept at the top, so that tasks that failed together do not come back together.
func DefaultRetry(attempt int) time.Duration {
	const top = float64(retryLongest) / (1 + retrySpread)
	wait := top
	if attempt < 32 {
		wait = min(top, float64(time.Second)*float64(uint64(1)<<max(attempt, 1)))
	}
	return time.Duration(wait * (1 - retrySpread + 2*retrySpread*rand.Float64()))
}

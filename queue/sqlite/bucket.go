package sqlite

import (
	"math"
	"time"
)

// bucket limits how fast tasks are claimed: each takes a token, and tokens come back evenly.
type bucket struct {
	tokens float64
	filled int64 // when it held that many
}

// tokens is how many tasks the rate lets go now.
func (e *engine) tokens(b *batch) int64 {
	rate := e.limits.Rate
	if rate.PerSecond <= 0 {
		return math.MaxInt64
	}
	e.touch(b)
	back := time.Duration(b.now-e.bucket.filled).Seconds() * rate.PerSecond
	e.bucket = bucket{min(e.bucket.tokens+back, float64(rate.Tokens())), b.now}
	return int64(e.bucket.tokens)
}

// take takes tokens for tasks that were claimed.
func (e *engine) take(b *batch, n int) {
	if n > 0 && e.limits.Rate.PerSecond > 0 {
		e.touch(b)
		e.bucket.tokens -= float64(n)
	}
}

// nextToken is when the next task may be claimed, if somebody waits for one that only the rate holds back.
func (e *engine) nextToken() int64 {
	rate := e.limits.Rate.PerSecond
	if rate <= 0 || e.bucket.tokens >= 1 || e.paused || e.stands[open] == 0 || e.empty(&e.receivers) {
		return never
	}
	return e.bucket.filled + int64(math.Ceil((1-e.bucket.tokens)/rate*float64(time.Second)))
}

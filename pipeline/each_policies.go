package pipeline

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// The methods of Step, so that those of EachStep can follow them.

// Retry is Step.Retry for the whole fan-out.
func (e *EachStep[A, B]) Retry(attempts int, backoff ...Backoff) *EachStep[A, B] {
	return e.with(e.Step.Retry(attempts, backoff...))
}

// RetryIf is Step.RetryIf for the whole fan-out.
func (e *EachStep[A, B]) RetryIf(is func(error) bool) *EachStep[A, B] {
	return e.with(e.Step.RetryIf(is))
}

// PermanentIf is Step.PermanentIf for the whole fan-out.
func (e *EachStep[A, B]) PermanentIf(is func(error) bool) *EachStep[A, B] {
	return e.with(e.Step.PermanentIf(is))
}

// Timeout is Step.Timeout for the whole fan-out.
func (e *EachStep[A, B]) Timeout(d time.Duration) *EachStep[A, B] {
	return e.with(e.Step.Timeout(d))
}

// Limit is Step.Limit for the whole fan-out.
func (e *EachStep[A, B]) Limit(n int) *EachStep[A, B] {
	return e.with(e.Step.Limit(n))
}

// Rate is Step.Rate for the whole fan-out.
func (e *EachStep[A, B]) Rate(perSecond float64, burst int) *EachStep[A, B] {
	return e.with(e.Step.Rate(perSecond, burst))
}

// Breaker is Step.Breaker for the whole fan-out.
func (e *EachStep[A, B]) Breaker(failures int, pause time.Duration, options ...BreakerOption) *EachStep[A, B] {
	return e.with(e.Step.Breaker(failures, pause, options...))
}

// Fallback is Step.Fallback for the whole fan-out.
func (e *EachStep[A, B]) Fallback(give func(ctx context.Context, in []A, err error) ([]B, error)) *EachStep[A, B] {
	return e.with(e.Step.Fallback(give))
}

// Checkpoint is Step.Checkpoint for the whole fan-out.
func (e *EachStep[A, B]) Checkpoint() *EachStep[A, B] {
	return e.with(e.Step.Checkpoint())
}

// Compensate is Step.Compensate for the whole fan-out.
func (e *EachStep[A, B]) Compensate(undo func(ctx context.Context, in []A, out []B, cause error) error) *EachStep[A, B] {
	return e.with(e.Step.Compensate(undo))
}

// Describe is Step.Describe.
func (e *EachStep[A, B]) Describe(text string) *EachStep[A, B] {
	return e.with(e.Step.Describe(text))
}

// Trace is Step.Trace for the whole fan-out.
func (e *EachStep[A, B]) Trace(attributes func(in []A, out []B) []attribute.KeyValue) *EachStep[A, B] {
	return e.with(e.Step.Trace(attributes))
}

func (e *EachStep[A, B]) with(s *Step[[]A, []B]) *EachStep[A, B] { return &EachStep[A, B]{s, e.each} }

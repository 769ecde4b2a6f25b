package pipeline

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// The methods of Step, so that those of SwitchStep can follow them.

// Retry is Step.Retry for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Retry(attempts int, backoff ...Backoff) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Retry(attempts, backoff...))
}

// RetryIf is Step.RetryIf for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) RetryIf(is func(error) bool) *SwitchStep[K, In, Out] {
	return s.with(s.Step.RetryIf(is))
}

// PermanentIf is Step.PermanentIf for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) PermanentIf(is func(error) bool) *SwitchStep[K, In, Out] {
	return s.with(s.Step.PermanentIf(is))
}

// Timeout is Step.Timeout for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Timeout(d time.Duration) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Timeout(d))
}

// Limit is Step.Limit for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Limit(n int) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Limit(n))
}

// Rate is Step.Rate for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Rate(perSecond float64, burst int) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Rate(perSecond, burst))
}

// Breaker is Step.Breaker for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Breaker(failures int, pause time.Duration, options ...BreakerOption) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Breaker(failures, pause, options...))
}

// Fallback is Step.Fallback for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Fallback(give func(ctx context.Context, in In, err error) (Out, error)) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Fallback(give))
}

// Checkpoint is Step.Checkpoint for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Checkpoint() *SwitchStep[K, In, Out] {
	return s.with(s.Step.Checkpoint())
}

// Compensate is Step.Compensate for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Compensate(undo func(ctx context.Context, in In, out Out, cause error) error) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Compensate(undo))
}

// Describe is Step.Describe.
func (s *SwitchStep[K, In, Out]) Describe(text string) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Describe(text))
}

// Trace is Step.Trace for whichever stage is taken.
func (s *SwitchStep[K, In, Out]) Trace(attributes func(in In, out Out) []attribute.KeyValue) *SwitchStep[K, In, Out] {
	return s.with(s.Step.Trace(attributes))
}

func (s *SwitchStep[K, In, Out]) with(step *Step[In, Out]) *SwitchStep[K, In, Out] {
	return &SwitchStep[K, In, Out]{step, s.choice}
}

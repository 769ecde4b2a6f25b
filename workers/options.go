package workers

import (
	"context"
	"time"
)

// Handler handles one task. A pipeline is one.
type Handler[T any] interface {
	// Handle returns nil when the task is finished; task.Classify reads any other answer. ctx ends when the stop becomes forced, the
	// lease is lost or the timeout is over; context.Cause tells which.
	Handle(ctx context.Context, v T) error
}

type handlerFunc[T any] func(context.Context, T) error

func (f handlerFunc[T]) Handle(ctx context.Context, v T) error { return f(ctx, v) }

// Func makes a function a handler.
func Func[T any](fn func(context.Context, T) error) Handler[T] {
	if fn == nil {
		return nil
	}
	return handlerFunc[T](fn)
}

// ConsumeOption tunes Consume.
type ConsumeOption interface{ consume(*consumeOptions) }

// PollOption tunes Poll.
type PollOption interface{ poll(*pollOptions) }

type consumeOptions struct {
	concurrency int
	timeout     time.Duration
	retry       func(attempt int, err error) time.Duration
	lease       time.Duration
}

type pollOptions struct{ timeout time.Duration }

type consumeOption func(*consumeOptions)

func (f consumeOption) consume(o *consumeOptions) { f(o) }

// Concurrency is how many tasks are handled at once (default 1; at least 1). platform.workers.<name>.concurrency overrides it, and Scaler both.
func Concurrency(n int) ConsumeOption {
	return consumeOption(func(o *consumeOptions) { o.concurrency = n })
}

// RetryPolicy gives the wait after a failed attempt (attempt is 1 after the first) when the error itself does not ask for one.
// Default: queue.DefaultRetry.
func RetryPolicy(wait func(attempt int, err error) time.Duration) ConsumeOption {
	return consumeOption(func(o *consumeOptions) { o.retry = wait })
}

// Lease is how long a task is reserved before another worker may have it (default 1 minute, at least 1 second). It is renewed in the
// background while the handler runs, so it bounds how long a dead process holds its tasks, not how long a handler may take.
func Lease(d time.Duration) ConsumeOption {
	return consumeOption(func(o *consumeOptions) { o.lease = d })
}

type timeoutOption time.Duration

func (t timeoutOption) consume(o *consumeOptions)   { o.timeout = time.Duration(t) }
func (t timeoutOption) poll(o *pollOptions)         { o.timeout = time.Duration(t) }
func (t timeoutOption) schedule(o *scheduleOptions) { o.timeout = time.Duration(t) }

// Timeout bounds one attempt of a handler, one poll or one run of a schedule through its context (default: one minute for polls, none for the others).
func Timeout(d time.Duration) interface {
	ConsumeOption
	PollOption
	ScheduleOption
} {
	return timeoutOption(d)
}

// TimeoutError is the cause of a context that Timeout ended.
type TimeoutError struct {
	Worker string
	After  time.Duration
}

func (e *TimeoutError) Error() string {
	return "worker " + e.Worker + ": no answer within " + e.After.String()
}

// Timeout says that this is one, as net.Error does.
func (e *TimeoutError) Timeout() bool { return true }

// Is makes it a context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

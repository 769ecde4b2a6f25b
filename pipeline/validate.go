package pipeline

import (
	"context"
	"fmt"

	"github.com/plba/plba/task"
)

// Rejected is what the rejected path of a Validate gets: a value, and what was wrong with it.
type Rejected[T any] struct {
	Value  T
	Reason error // what check returned
}

// RejectedError says that a Validate refused the value. The run is dropped then; errors.As finds this in the error.
type RejectedError struct {
	Reason error // what check returned
}

// Error is the reason.
func (e *RejectedError) Error() string { return fmt.Sprintf("rejected: %v", e.Reason) }

// Unwrap gives the reason.
func (e *RejectedError) Unwrap() error { return e.Reason }

// validate is the body of a Validate.
type validate[T any] struct {
	check    func(context.Context, T) error
	name     string // of the rejected path
	rejected Stage[Rejected[T], Done]
}

// Validate hands the value on unchanged when check finds nothing wrong with it. Otherwise it runs the rejected
// path, which notes or answers the refusal, and the value is dropped with the reason (see RejectedError): on a
// queue the task is finished, a fan-out leaves the element out. When the rejected path fails the stage fails with
// its error, and nothing is dropped.
//
// An error of check is a rejection, also a permanent one, unless it says that the check could not be made
// (task.RetryAfter, task.Snooze), that the value is to be dropped (task.Drop), or the run is cancelled or out of time:
// then it is the stage's error.
func Validate[T any](
	name string, check func(ctx context.Context, v T) error, rejected Stage[Rejected[T], Done],
) *Step[T, T] {
	n := newNode[T, T](kindValidate, name)
	if check == nil {
		n.fault("its function is nil")
	}
	b := &validate[T]{check: check, rejected: rejected}
	b.name = n.inside(rejected, "rejected", "its rejected path")
	return newStep(n, b)
}

func (b *validate[T]) run(ctx context.Context, r run, in, out *T) error {
	*out = *in
	reason := b.check(ctx, *in)
	if reason == nil || ctx.Err() != nil || !rejects(reason) {
		return reason
	}
	err := within(&cursor{ctx, b.name}, b.rejected, r, &Rejected[T]{*in, reason}, new(Done))
	if err != nil && !isDrop(err) {
		return err
	}
	why := &RejectedError{reason}
	drop := task.Drop(why.Error())
	return &twofold{error: drop, also: why, text: drop.Error()}
}

// rejects says whether an error of a check is about the value.
func rejects(reason error) bool {
	outcome, wait := task.Classify(reason)
	return outcome == task.Dead || outcome == task.Retry && wait == 0
}

func isDrop(err error) bool {
	outcome, _ := task.Classify(err)
	return outcome == task.Dropped
}

func (b *validate[T]) place(at site) body[T, T] {
	c := *b
	c.rejected = b.rejected.place(at).(Stage[Rejected[T], Done])
	return &c
}

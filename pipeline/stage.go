package pipeline

import (
	"context"

	"github.com/plba/plba/task"
)

// Stage turns an In into an Out. Only this package implements it: *Step, *EachStep and *Pipeline. Stages are
// immutable and safe for concurrent use as far as their functions are.
type Stage[In, Out any] interface {
	AnyStage
	// Run runs the stage alone, with its policies, as a unit test does. Errors are as in a pipeline: a
	// *StageError. A stage that Build would refuse does not run; its error says why.
	Run(ctx context.Context, in In) (Out, error)

	// do runs the stage at its place in a run, and counts it. at is the stage's own context, a task.Cursor. On an error
	// out holds the zero value. It may panic: whoever calls do or exec has a panic guard around it, and counts the stage's
	// run as lost.
	do(at context.Context, r run, in *In, out *Out) error
}

// AnyStage is a stage of any types: what Builder.Stage takes.
type AnyStage interface {
	// node describes the stage; nil for a stage that no constructor made.
	node() *node
	// place gives the stage as it runs at that site.
	place(at site) placed
	// count is what counts the stage's runs.
	count() *meter
	// called is the stage under another name.
	called(name string) AnyStage
	// replaced is the stage with another one at that path inside of it, whose types are known to fit.
	replaced(path []string, with AnyStage) (AnyStage, error)
}

// placed is a stage that stands in a pipeline: a *Step, seen without its types.
type placed interface {
	AnyStage
	// link joins the stage to the place in a frame that its input comes to: a *In.
	link(in any) link
}

// body is what a stage does, without policies, guards and spans.
type body[In, Out any] interface {
	run(ctx context.Context, r run, in *In, out *Out) error
	// place places the stages inside; at is the site of these.
	place(at site) body[In, Out]
}

// within runs a stage that stands inside of another one's body, on the same goroutine, with a guard of its own: a
// panic is located at the stage, and the run counted out.
func within[In, Out any](at context.Context, s Stage[In, Out], r run, in *In, out *Out) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		s.count().lost()
		if v := recover(); v != nil {
			*out = *new(Out)
			err = located(at, 1, newPanicError(v))
		}
	}()
	err = s.do(at, r, in, out)
	returned = true
	return err
}

// function is the body of every stage that is made of one function.
type function[In, Out any] func(context.Context, In) (Out, error)

func (f function[In, Out]) run(ctx context.Context, _ run, in *In, out *Out) (err error) {
	*out, err = f(ctx, *in)
	return err
}

func (f function[In, Out]) place(site) body[In, Out] { return f }

// functionStep makes the step for every constructor that takes one function; missing says that the author gave none.
func functionStep[In, Out any](
	kind, name string, missing bool, fn func(context.Context, In) (Out, error),
) *Step[In, Out] {
	n := newNode[In, Out](kind, name)
	if missing {
		n.faults = []string{"its function is nil"}
	}
	return newStep(n, function[In, Out](fn))
}

// Map makes a stage of fn: a function that may fail and may block. It must heed ctx when it blocks.
func Map[In, Out any](name string, fn func(context.Context, In) (Out, error)) *Step[In, Out] {
	return functionStep(kindMap, name, fn == nil, fn)
}

// Pure makes a stage of fn: a function that neither fails nor blocks.
func Pure[In, Out any](name string, fn func(In) Out) *Step[In, Out] {
	return functionStep(kindPure, name, fn == nil, func(_ context.Context, in In) (Out, error) {
		return fn(in), nil
	})
}

// Tap lets fn look at the value and hands it on unchanged. An error of fn fails the run.
func Tap[T any](name string, fn func(context.Context, T) error) *Step[T, T] {
	return functionStep(kindTap, name, fn == nil, func(ctx context.Context, v T) (T, error) {
		return v, fn(ctx, v)
	})
}

// Filter drops the value (task.Drop) when keep says false: the run ends there, a fan-out leaves the element
// out.
func Filter[T any](name string, keep func(context.Context, T) (bool, error)) *Step[T, T] {
	return functionStep(kindFilter, name, keep == nil, func(ctx context.Context, v T) (T, error) {
		ok, err := keep(ctx, v)
		if err == nil && !ok {
			err = task.Drop("filtered by " + name)
		}
		return v, err
	})
}

// Done is the output of a stage that has none to give.
type Done struct{}

// Sink makes a last stage of fn: it takes the value and gives nothing on.
func Sink[In any](name string, fn func(context.Context, In) error) *Step[In, Done] {
	return functionStep(kindSink, name, fn == nil, func(ctx context.Context, in In) (Done, error) {
		return Done{}, fn(ctx, in)
	})
}

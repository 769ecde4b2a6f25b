package pipeline

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/task/encodable"
)

// keeping says that a stage keeps its output with the task.
type keeping[In, Out any] struct {
	undoable bool
	undo     func(ctx context.Context, in In, out Out, cause error) error
}

// Checkpoint keeps the stage's output with the task, encoded as JSON: when the task is handled again (after a
// failure, a snooze, a forced stop or the end of the process), the run goes on behind the last stage that
// has one, with the output as it was. Stages before it do not run.
//
// When a stage with a checkpoint, or one before it, has been renamed or has another output type since, the run begins at
// the front again and its span says so. Inside of Each it needs KeyedBy. The queue must be able to keep checkpoints
// (queue.Checkpointed); the worker refuses the pipeline otherwise. In a run outside of a queue the output is
// kept for as long as the run lasts, unencoded, so that a Retry around several stages goes on from it.
func (s *Step[In, Out]) Checkpoint() *Step[In, Out] {
	c := *s
	if c.keep == nil {
		c.keep = &keeping[In, Out]{}
	}
	return &c
}

// describe adds to the description of the stage what keeping its output means.
func (k *keeping[In, Out]) describe(n *node, undo *compensation) {
	n.keeps = true
	types, policy := []reflect.Type{n.out}, "Checkpoint"
	n.settings = append(n.settings, setting{"checkpoint", "yes"})
	if k.undoable {
		n.undo, policy = undo, "Compensate"
		types = []reflect.Type{n.in, n.out}
		n.settings = append(n.settings, setting{"compensate", "yes"})
		if k.undo == nil {
			n.faults = append(n.faults, "the function given to Compensate is nil")
		}
	}
	for _, t := range types {
		if err := encodable.Check(t); err != nil {
			n.faults = append(n.faults, fmt.Sprintf("%s cannot keep a %s: %v", policy, typeName(t), strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
}

// kept keeps the output of a stage that has succeeded.
func (s *Step[In, Out]) kept(at context.Context, r run, in *In, out *Out) error {
	if err := s.spanned(at, r, in, out); err != nil {
		return err
	}
	if err := r.journal.keep(at, pathAt(at), &effect[In, Out]{*in, *out}); err != nil {
		*out = *new(Out)
		return located(at, 1, err)
	}
	return nil
}

// restore gives the output that was kept of the stage.
func (s *Step[In, Out]) restore(at context.Context, r run, out *Out) (found bool, err error) {
	path := pathAt(at)
	rec := r.journal.at(path)
	if rec == nil {
		return false, nil
	}
	e, err := recall[In, Out](at, r.journal, rec)
	if err != nil {
		return false, located(at, 0, err)
	}
	*out = e.Out
	recordResumed(at, r, path)
	return true, nil
}

// resume finds the last stage whose output was kept and gives the number of the stage behind it, to go on with.
func (p *Pipeline[In, Out]) resume(ctx context.Context, r run, f *frame[In, Out], names *[]string) (next int, err error) {
	if r.journal.empty() {
		return 0, nil
	}
	for i := len(p.stages) - 1; i >= 0; i-- {
		at := &cursor{ctx, (*names)[i]}
		found, err := f.links[i].resume(at, r)
		if err != nil {
			return 0, err
		}
		if found {
			return i + 1, nil
		}
	}
	return 0, nil
}

// recordResumed puts on the span around it that the stage at path, and those before it, have run earlier.
func recordResumed(ctx context.Context, r run, path string) {
	if r.tracer != nil {
		trace.SpanFromContext(ctx).AddEvent("resumed", trace.WithAttributes(attribute.String("pipeline.resumed_behind", path)))
	}
}

// recordRestarted puts on the span of the task that what was kept of it is of no use.
func recordRestarted(ctx context.Context, r run, keys []string) {
	if r.tracer != nil {
		trace.SpanFromContext(ctx).AddEvent("restarted", trace.WithAttributes(
			attribute.String("reason", "the pipeline has changed"), attribute.StringSlice("pipeline.discarded", keys)))
	}
}

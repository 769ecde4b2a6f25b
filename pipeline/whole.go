package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/plba/plba/task"
)

// whole is what begins and ends the run of a pipeline, or of a stage alone, that needs more than its values on the
// way: a journal of what it has done, and an account of who waits in a batch.
type whole struct {
	name    string
	kept    []keptStage
	batches []batchStage

	attached atomic.Pointer[[]task.Slots] // the crews of the workers that have it now
}

func wholeOf(root *node) *whole {
	return &whole{name: root.name, kept: keptStages(root), batches: batchStages(root)}
}

// plain says that there is nothing to begin or to end.
func (w *whole) plain() bool { return len(w.kept) == 0 && len(w.batches) == 0 }

// ChangedError says that a task was begun by another version of the pipeline, which did things that can only be
// undone: no run can go on from there, or begin again. It is permanent.
type ChangedError struct {
	Pipeline string
	Kept     []string // keys of records that no stage of this version wrote
}

// Error names the records.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("pipeline %q has changed since it began this task: a stage that keeps its output was renamed, moved, or has other types than when it wrote %s",
		e.Pipeline, strings.Join(e.Kept, ", "))
}

// Permanent is true.
func (e *ChangedError) Permanent() bool { return true }

// run calls walk for the run that ctx begins, or for a task that was given up undoes what its runs have done.
func (w *whole) run(ctx context.Context, walk func(r run) error) error {
	r := run{tracer: tracerOf(ctx)}
	r.party = w.partyOf(ctx)
	if len(w.kept) == 0 {
		return walk(r)
	}
	if at, inside := task.CursorFrom(ctx); inside {
		return w.failed(task.Permanent(fmt.Errorf(
			"it keeps outputs of its stages, so it cannot run from inside of a stage's function (%s): make it a stage with pipeline.Sub", at.Path())))
	}
	store, _ := task.CheckpointsFrom(ctx)
	r.journal = &journal{stages: w.kept, store: store, records: map[string]*record{}}
	plain, effects, err := r.journal.open(ctx)
	if err != nil {
		return w.failed(err)
	}
	info, _ := task.From(ctx)
	switch {
	case len(effects) > 0, len(plain) > 0 && r.journal.last > 0 && !info.Undo:
		return w.failed(&ChangedError{w.name, append(effects, plain...)})
	case len(plain) > 0 && !info.Undo:
		recordRestarted(ctx, r, plain)
		err = r.journal.forgetOutputs(ctx, "")
	default:
		err = r.journal.tidy(ctx, info.Undo)
	}
	if err != nil {
		return w.failed(err)
	}
	if info.Undo {
		if failed := r.undo(ctx, "", endOf(info)); failed != nil {
			return failed
		}
		return nil
	}
	return w.walk(ctx, r, walk)
}

// walk undoes what the run has done when it fails for good and nobody else does: outside of a queue.
func (w *whole) walk(ctx context.Context, r run, walk func(r run) error) (err error) {
	err = ErrGoexit // unless walk returns
	defer func() {
		if r.journal.store == nil && givenUp(ctx, err) {
			if failed := r.undo(context.WithoutCancel(ctx), "", firstCause(err)); failed != nil {
				failed.final = true
				err = failed
			}
		}
	}()
	return walk(r)
}

func (w *whole) failed(err error) error { return &StageError{Path: w.name, Index: -1, Err: err} }

// givenUp says whether a run that nothing is kept of has failed for good.
func givenUp(ctx context.Context, err error) bool {
	outcome, _ := task.Classify(err)
	if outcome != task.Retry && outcome != task.Dead {
		return false
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, task.ErrForced) || errors.Is(cause, task.ErrLeaseLost) {
		return false
	}
	info, queued := task.From(ctx)
	return !queued || outcome == task.Dead || info.LastAttempt() || errors.Is(cause, task.ErrCancelled)
}

// firstCause is why a run failed before the undoing of a part of it failed as well.
func firstCause(err error) error {
	var failed *CompensationError
	if errors.As(err, &failed) {
		return failed.Cause
	}
	return err
}

// endOf is why a task was given up, as far as the queue still knows it.
func endOf(info task.Info) error {
	switch info.Cause {
	case "":
		return errors.New("the task was given up")
	case task.ErrCancelled.Error():
		return task.ErrCancelled
	}
	return errors.New(info.Cause)
}

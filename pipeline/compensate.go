package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plba/plba/task"
)

// undoTimeout bounds a compensation whose stage has no longer Timeout.
const undoTimeout = 30 * time.Second

// undoSuffix makes the name of a compensation of the name of its stage. Neither stages nor elements can be called that.
const undoSuffix = "#undo"

// Compensate says how to undo what the stage did, should the task be given up later: it cannot succeed any more
// (task.Permanent), its last attempt has failed, or an operator has cancelled it; a run outside of a queue is given up
// whenever it fails. It is never undone because of a failure that is retried, a snooze, a forced stop or a lost lease: the
// task goes on from there.
//
// Compensate means Checkpoint, and keeps the input as well: undo gets both as they were. Compensations run one after the
// other, the one of the stage that succeeded last is first. On a queue they run under a lease of their own, from what
// was kept, so that they happen even when the process is killed; after a failure that might pass they are tried
// again, as often as the queue tries a task. The first one that fails stops those behind it.
//
// undo may be called again for what it has undone already, when the process ends in between: task.Key gives it an
// idempotency key of its own. It gets the stage's Retry, and the longer one of the stage's Timeout and 30 s for each
// attempt. Its task.Drop counts as success.
//
// Undoing gives no new keys: when an operator requeues the task later, the stage and its undo have those of before. So undo must make
// whoever remembers the stage's key forget it (see Compensation in the package's documentation).
//
// On Sub, what the compensations inside of the pipeline would undo is covered by this one once the pipeline has succeeded as a
// whole. cause is why the task was given up; on a queue only its text is left of it, unless it is task.ErrCancelled.
func (s *Step[In, Out]) Compensate(undo func(ctx context.Context, in In, out Out, cause error) error) *Step[In, Out] {
	c := *s
	c.keep = &keeping[In, Out]{undoable: true, undo: undo}
	return &c
}

// CompensationError says that a run was given up and that not everything it did could be undone.
type CompensationError struct {
	Cause  error    // why the run was given up
	Err    error    // of the compensation that failed; its path ends in "#undo"
	Undone []string // paths of the stages that were undone, in that order
	Left   []string // paths of those that were not, the one that failed first

	final bool // nobody tries again
}

// Error says why, what failed, and what is not undone.
func (e *CompensationError) Error() string {
	return fmt.Sprintf("%v; undoing it failed: %v (not undone: %s)", e.Cause, e.Err, strings.Join(e.Left, ", "))
}

// Unwrap gives the error of the compensation: on a queue it decides whether that is tried again.
func (e *CompensationError) Unwrap() error { return e.Err }

// Is looks into the cause, too.
func (e *CompensationError) Is(target error) bool { return errors.Is(e.Cause, target) }

// As looks into the cause, too.
func (e *CompensationError) As(target any) bool { return errors.As(e.Cause, target) }

// Permanent is true for a run outside of a queue's lease for compensations: nothing tries again.
func (e *CompensationError) Permanent() bool { return e.final }

// compensation is what Compensate makes of a stage: a stage of its own, whose input is the call of the author's function.
type compensation struct {
	step *Step[undoing, Done]
	// prepare makes that call of what was kept.
	prepare func(ctx context.Context, j *journal, rec *record, cause error) (undoing, error)
}

type undoing func(context.Context) error

func (s *Step[In, Out]) compensation() *compensation {
	n := newNode[undoing, Done](kindUndo, s.n.name+undoSuffix)
	step := newStep(n, function[undoing, Done](func(ctx context.Context, call undoing) (Done, error) {
		return Done{}, call(ctx)
	}))
	limit := undoTimeout
	if t := s.policies.timeout; t != nil {
		limit = max(limit, t.after)
	}
	step = step.Timeout(limit)
	step.policies.retry = s.policies.retry
	undo := s.keep.undo
	return &compensation{step, func(ctx context.Context, j *journal, rec *record, cause error) (undoing, error) {
		e, err := recall[In, Out](ctx, j, rec)
		return func(ctx context.Context) error { return undo(ctx, e.In, e.Out, cause) }, err
	}}
}

// undo undoes what the stage did at the place of the record.
func (c *compensation) undo(ctx context.Context, r run, rec *record, cause error) (err error) {
	cut := strings.LastIndexByte(rec.path, '/')
	at := &cursor{&place{ctx, rec.path[:max(cut, 0)]}, rec.path[cut+1:] + undoSuffix}
	defer func() {
		if v := recover(); v != nil {
			err = located(at, 1, newPanicError(v))
		}
	}()
	if ctx.Err() != nil {
		return located(at, 0, interrupted(ctx))
	}
	call, err := c.prepare(ctx, r.journal, rec, cause)
	if err == nil {
		err = r.journal.mark(ctx, rec)
	}
	if err != nil {
		return located(at, 0, err)
	}
	return c.step.do(at, r, &call, &Done{})
}

// undo undoes every effect at places whose path begins with prefix, the latest first, until one cannot be undone.
//
// What was kept only to go on from is forgotten before: nothing may go on behind a stage that was undone. So at every
// moment the records are those of a run that has come exactly as far as they say.
func (r run) undo(ctx context.Context, prefix string, cause error) *CompensationError {
	effects := r.journal.effects(prefix)
	if len(effects) == 0 {
		return nil
	}
	if err := r.journal.forgetOutputs(ctx, prefix); err != nil {
		return &CompensationError{Cause: cause, Err: err, Left: paths(effects)}
	}
	for i, rec := range effects {
		err := rec.stage.undo.undo(ctx, r, rec, cause)
		if outcome, _ := task.Classify(err); outcome == task.Dropped {
			err = nil
		}
		if err == nil {
			err = r.journal.forget(ctx, rec)
		}
		if err != nil {
			return &CompensationError{Cause: cause, Err: err, Undone: paths(effects[:i]), Left: paths(effects[i:])}
		}
	}
	return nil
}

// undoScope undoes what the stages inside of the one at ctx did, which has failed for good and is stood in for by its
// Fallback. It lives on when the run is cancelled; what cannot be undone now gives the task up.
func (r run) undoScope(ctx context.Context, cause error) error {
	at, _ := task.CursorFrom(ctx)
	if failed := r.undo(context.WithoutCancel(ctx), at.Path()+"/", cause); failed != nil {
		failed.final = true
		return failed
	}
	return nil
}

func paths(records []*record) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = r.path
	}
	return all
}

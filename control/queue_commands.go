package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/queue"
)

// What is asked of queues and tasks.
const (
	askedPauseQueue  = "pauseQueue"
	askedResumeQueue = "resumeQueue"
	askedRequeueDead = "requeueDeadTasks"
	askedPurgeQueue  = "purgeQueue"
	askedRetryTask   = "retryTask"
	askedCancelTask  = "cancelTask"
	askedDiscardTask = "discardTask"
)

// purgeable are the states of tasks that can be forgotten.
var purgeable = []queue.State{queue.StateDead, queue.StateCancelled, queue.StateDone, queue.StateScheduled, queue.StateReady, queue.StateRetrying}

// PauseQueue stops handing out tasks until ResumeQueue, over restarts too if the engine is durable; publishing goes on.
func (s *Service) PauseQueue(ctx context.Context, by, name, reason string) (Operation, error) {
	return s.onQueue(ctx, Operation{Asked: askedPauseQueue, Target: name, By: by, Reason: reason}, func(ctx context.Context, h queue.Handle) (int, error) {
		return 0, h.Pause(ctx)
	})
}

// ResumeQueue ends a pause.
func (s *Service) ResumeQueue(ctx context.Context, by, name, reason string) (Operation, error) {
	return s.onQueue(ctx, Operation{Asked: askedResumeQueue, Target: name, By: by, Reason: reason}, func(ctx context.Context, h queue.Handle) (int, error) {
		return 0, h.Resume(ctx)
	})
}

// RetryTask makes a task ready at once: one that waits for its time or its next attempt, and, with all attempts before it, one that is dead or cancelled. It is
// a conflict for any other.
func (s *Service) RetryTask(ctx context.Context, by, name, id, reason string) (Operation, error) {
	o := Operation{Asked: askedRetryTask, Target: name, Task: id, By: by, Reason: reason}
	return s.onTask(ctx, o, []queue.State{queue.StateScheduled, queue.StateRetrying, queue.StateUndoing, queue.StateDead, queue.StateCancelled},
		func(ctx context.Context, h queue.Handle) (int, error) {
			if n, err := h.RunNow(ctx, queue.ByID(id)); n > 0 || err != nil {
				return n, err
			}
			return h.Requeue(ctx, queue.ByID(id))
		})
}

// CancelTask ends a task: one that waits at once, one that runs as soon as its handler yields. It is a conflict for one that has ended or is being undone.
func (s *Service) CancelTask(ctx context.Context, by, name, id, reason string) (Operation, error) {
	o := Operation{Asked: askedCancelTask, Target: name, Task: id, By: by, Reason: reason}
	return s.onTask(ctx, o, []queue.State{queue.StateScheduled, queue.StateReady, queue.StateRunning, queue.StateRetrying},
		func(ctx context.Context, h queue.Handle) (int, error) { return 1, h.Cancel(ctx, id, o.why()) })
}

// DiscardTask forgets a task without a trace and without undoing anything. It is a conflict for one that runs, is being undone, or has done what would have to be
// undone.
func (s *Service) DiscardTask(ctx context.Context, by, name, id string) (Operation, error) {
	o := Operation{Asked: askedDiscardTask, Target: name, Task: id, By: by}
	return s.onTask(ctx, o, purgeable, func(ctx context.Context, h queue.Handle) (int, error) { return h.Purge(ctx, queue.ByID(id)) })
}

// RequeueDead makes all dead tasks of a queue ready, in the background.
func (s *Service) RequeueDead(by, name, reason string) (Operation, error) {
	return s.onTasks(Operation{Asked: askedRequeueDead, Target: name, By: by, Reason: reason}, func(ctx context.Context, h queue.Handle) (int, error) {
		return h.Requeue(ctx, queue.InState(queue.StateDead))
	})
}

// PurgeQueue forgets all tasks in the given states, of those that DiscardTask takes, in the background.
func (s *Service) PurgeQueue(by, name, reason string, states ...queue.State) (Operation, error) {
	if len(states) == 0 {
		return Operation{}, invalid("states", "say which states are to be purged: "+joined(purgeable))
	}
	if err := validateStates("states", states, purgeable); err != nil {
		return Operation{}, err
	}
	return s.onTasks(Operation{Asked: askedPurgeQueue, Target: name, By: by, Reason: reason}, func(ctx context.Context, h queue.Handle) (int, error) {
		return h.Purge(ctx, queue.InState(states...))
	})
}

// onQueue does what takes no time. do gives how many tasks it changed. What it refuses is not booked as an operation.
func (s *Service) onQueue(ctx context.Context, o Operation, do func(context.Context, queue.Handle) (int, error)) (Operation, error) {
	if err := errors.Join(validateReason(o.Reason), s.closing()); err != nil {
		return Operation{}, err
	}
	n, err := withQueue(ctx, s, o.Target, do)
	if err != nil {
		return Operation{}, err
	}
	u, err := s.accept(o)
	if err != nil {
		return Operation{}, err
	}
	return s.ended(u, nil, func(o *Operation) { o.Tasks = n }), nil
}

// onTask is onQueue for one task. When nothing was changed it says why: there is no such task, or it is in none of the states that do.
func (s *Service) onTask(ctx context.Context, o Operation, fit []queue.State, do func(context.Context, queue.Handle) (int, error)) (Operation, error) {
	done, err := s.onQueue(ctx, o, func(ctx context.Context, h queue.Handle) (int, error) {
		n, err := do(ctx, h)
		if n == 0 && err == nil {
			err = errNothing
		}
		return n, err
	})
	if err = taskError(err, o.Target, o.Task); err == nil || !errors.Is(err, errNothing) && !errors.As(err, new(*queue.StateError)) {
		return done, err
	}
	t, err := s.Task(ctx, o.Target, o.Task)
	if err != nil {
		return Operation{}, err
	}
	conflict := &Error{Kind: ErrConflict, State: string(t.State), Detail: fmt.Sprintf("task %q is %s; this applies to one that is %s", cut(t.ID), t.State, joined(fit))}
	for _, st := range fit {
		conflict.Allowed = append(conflict.Allowed, string(st))
		if st == t.State {
			conflict.Detail = fmt.Sprintf("task %q is %s, but this cannot be done with it now: it has done what would have to be undone, or is just changing its state", cut(t.ID), t.State)
		}
	}
	return Operation{}, conflict
}

// errNothing: a command changed no task.
var errNothing = errors.New("no task was changed")

// onTasks does in the background what may concern many.
func (s *Service) onTasks(o Operation, do func(context.Context, queue.Handle) (int, error)) (Operation, error) {
	if err := validateReason(o.Reason); err != nil {
		return Operation{}, err
	}
	q, err := s.Queue(s.life(), o.Target)
	switch {
	case err != nil:
		return Operation{}, err
	case q.State == QueueClosed:
		return Operation{}, &Error{Kind: ErrConflict, State: string(QueueClosed), Allowed: []string{string(QueueOpen), string(QueuePaused)},
			Detail: fmt.Sprintf("queue %q is closed; it is open while the runtime runs", o.Target)}
	}
	h, _ := s.app.QueueHandle(o.Target) // Queue has found it
	return s.launch(o, func() bool { return true }, func(ctx context.Context) (func(*Operation), error) {
		n, err := do(ctx, h)
		return func(o *Operation) { o.Tasks = n }, s.engineError(o.Target, err)
	})
}

func joined[T ~string](list []T) string {
	text := ""
	for i, v := range list {
		if i > 0 {
			text += ", "
		}
		text += string(v)
	}
	return text
}

package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
)

// engineTimeout bounds what waits for a queue's engine.
const engineTimeout = 10 * time.Second

// QueueState says whether a queue can be used.
type QueueState string

// The states of a queue.
const (
	QueueOpen        QueueState = "open"
	QueuePaused      QueueState = "paused"      // it hands out no tasks
	QueueClosed      QueueState = "closed"      // the runtime is stopped
	QueueUnavailable QueueState = "unavailable" // its engine does not answer; the log says why
)

var queueStates = []QueueState{QueueOpen, QueuePaused, QueueClosed, QueueUnavailable}

// QueueDetail is what is known of one queue.
type QueueDetail struct {
	runtime.QueueInfo
	State QueueState   `json:"state"`
	Stats *queue.Stats `json:"stats,omitempty"` // of one that is open or paused
}

// QueueFilter chooses queues. Its zero value chooses the first 100.
type QueueFilter struct {
	State QueueState // "" for all
	After string     // the name after which to go on
	Limit int        // 1 to 1000; more counts as 1000, 0 as 100
}

// Queues describes queues in the order of registration. next is the After that goes on, "" at the end.
func (s *Service) Queues(ctx context.Context, f QueueFilter) (list []QueueDetail, next string, err error) {
	if f.State != "" && !slices.Contains(queueStates, f.State) {
		return nil, "", invalid("state", "state must be one of "+joined(queueStates))
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	return page(s.app.QueueNames(), f.After, f.Limit, func(name string) (QueueDetail, bool) {
		q, err := s.Queue(ctx, name)
		return q, err == nil && (f.State == "" || q.State == f.State)
	})
}

// Queue describes one queue.
func (s *Service) Queue(ctx context.Context, name string) (QueueDetail, error) {
	info, ok := s.app.Queue(name)
	if !ok {
		return QueueDetail{}, noSuch("queue", name, s.app.QueueNames())
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	stats, err := s.app.QueueStats(ctx, name)
	switch {
	case err == nil && stats.Paused:
		return QueueDetail{info, QueuePaused, &stats}, nil
	case err == nil:
		return QueueDetail{info, QueueOpen, &stats}, nil
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrClosed):
		return QueueDetail{info, QueueClosed, nil}, nil
	}
	s.app.Logger().Warn("queue statistics are not available", "queue", name, "error", err)
	return QueueDetail{info, QueueUnavailable, nil}, nil
}

// Task is a task of a queue as operators see it.
type Task struct {
	ID          string            `json:"id"`
	Kind        string            `json:"kind"`
	State       queue.State       `json:"state"`
	Attempt     int               `json:"attempt"`                // the one at hand, or the last one; 0 before the first
	MaxAttempts int               `json:"max_attempts,omitempty"` // 0: no bound
	Undo        bool              `json:"undo,omitempty"`         // its attempts are attempts to undo
	Unique      string            `json:"unique,omitempty"`
	Group       string            `json:"group,omitempty"`
	Priority    int               `json:"priority"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	EnqueuedAt  time.Time         `json:"enqueued_at,omitzero"`
	RunAt       time.Time         `json:"run_at,omitzero"`
	LeasedUntil time.Time         `json:"leased_until,omitzero"`
	Cancelling  bool              `json:"cancelling,omitempty"` // running, but an operator wants it to end
	EndsAs      queue.State       `json:"ends_as,omitempty"`    // of an undoing one
	EndedAt     time.Time         `json:"ended_at,omitzero"`
	Failures    []queue.Failure   `json:"failures"` // in a list only the last one
}

func taskOf(t queue.Task) Task {
	shown := Task{
		ID: t.Info.ID, Kind: t.Info.Kind, State: t.State, Attempt: t.Info.Attempt, MaxAttempts: t.Info.MaxAttempts, Undo: t.Info.Undo,
		Unique: t.Info.Unique, Group: t.Info.Group, Priority: t.Info.Priority, Metadata: t.Info.Metadata, EnqueuedAt: t.Info.EnqueuedAt, RunAt: t.Info.RunAt,
		LeasedUntil: t.LeasedUntil, Cancelling: t.Cancelling, EndsAs: t.EndsAs, EndedAt: t.EndedAt, Failures: t.Failures,
	}
	if shown.Failures == nil {
		shown.Failures = []queue.Failure{}
	}
	return shown
}

// Tasks lists tasks of a queue, those published last first; next is the After that goes on, "" at the end. It is a conflict while the queue is closed.
func (s *Service) Tasks(ctx context.Context, name string, q queue.Query) (list []Task, next string, err error) {
	if q.Limit < 0 {
		return nil, "", invalid("limit", fmt.Sprintf("limit must be at least 1, not %d", q.Limit))
	}
	if err := validateStates("state", q.States, queue.States().States()); err != nil {
		return nil, "", err
	}
	if q.Limit == 0 {
		q.Limit = defaultPage
	}
	found, err := withQueue(ctx, s, name, func(ctx context.Context, h queue.Handle) (queue.Page, error) { return h.Tasks(ctx, q) })
	if err != nil {
		return nil, "", err
	}
	list = make([]Task, len(found.Tasks))
	for i, t := range found.Tasks {
		list[i] = taskOf(t)
	}
	return list, found.Next, nil
}

// Task describes one task, without its payload.
func (s *Service) Task(ctx context.Context, name, id string) (Task, error) {
	t, err := s.task(ctx, name, id)
	return taskOf(t), err
}

// TaskPayload shows the payload of a task, at most 64 KiB of it.
func (s *Service) TaskPayload(ctx context.Context, name, id string) (queue.Shown, error) {
	t, err := s.task(ctx, name, id)
	if err != nil {
		return queue.Shown{}, err
	}
	h, _ := s.app.QueueHandle(name) // task has found it
	return h.Show(t), nil
}

func (s *Service) task(ctx context.Context, name, id string) (queue.Task, error) {
	t, err := withQueue(ctx, s, name, func(ctx context.Context, h queue.Handle) (queue.Task, error) { return h.Task(ctx, id) })
	return t, taskError(err, name, id)
}

// taskError says which task there is none of.
func taskError(err error, name, id string) error {
	if errors.Is(err, queue.ErrNotFound) {
		return &Error{Kind: ErrNotFound, Detail: fmt.Sprintf("queue %q has no task %q (any more)", name, cut(id))}
	}
	return err
}

// withQueue asks the engine of a queue. What the engine fails with is logged and not told.
func withQueue[T any](ctx context.Context, s *Service, name string, ask func(context.Context, queue.Handle) (T, error)) (T, error) {
	var zero T
	h, ok := s.app.QueueHandle(name)
	if !ok {
		return zero, noSuch("queue", name, s.app.QueueNames())
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	v, err := ask(ctx, h)
	return v, s.engineError(name, err)
}

// engineError translates what an engine refuses with. What it fails with is logged and not told.
func (s *Service) engineError(name string, err error) error {
	switch {
	case err == nil, errors.Is(err, queue.ErrNotFound), errors.Is(err, errNothing), errors.As(err, new(*queue.StateError)):
		return err
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrClosed):
		return &Error{Kind: ErrConflict, State: string(QueueClosed), Allowed: []string{string(QueueOpen), string(QueuePaused)},
			Detail: fmt.Sprintf("queue %q is closed; it is open while the runtime runs", name)}
	case errors.Is(err, queue.ErrFull):
		return &Error{Kind: ErrConflict, State: "full", Detail: fmt.Sprintf("queue %q is full; nothing more can be made ready", name)}
	case errors.Is(err, queue.ErrKeyTaken):
		return &Error{Kind: ErrConflict, State: "taken", Detail: "another task has its unique key by now"}
	}
	s.app.Logger().Error("a queue's engine failed", "queue", name, "error", err)
	return &Error{Kind: ErrUnavailable, Detail: fmt.Sprintf("the engine of queue %q did not answer; the log of the application says why", name)}
}

// validateStates refuses what is no state, or not one that applies.
func validateStates(field string, states, known []queue.State) error {
	for _, st := range states {
		found := false
		for _, k := range known {
			found = found || st == k
		}
		if !found {
			return invalid(field, fmt.Sprintf("a state must be one of %s", joined(known)))
		}
	}
	return nil
}

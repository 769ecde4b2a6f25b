package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Stats counts the tasks by state.
func (q *Queue[T]) Stats(ctx context.Context) (Stats, error) {
	return manage(q, func(e Engine) (Stats, error) { return e.Stats(ctx) })
}

// Tasks lists tasks, those published last first, a page at a time and without their payloads.
func (q *Queue[T]) Tasks(ctx context.Context, query Query) (Page, error) {
	if !plain(query.After) {
		return Page{}, named(q.name, fmt.Errorf("%w: there is no page after %q", ErrInvalid, query.After))
	}
	return manage(q, func(e Engine) (Page, error) { return e.Tasks(ctx, query) })
}

// Task is everything about one task; [ErrNotFound] when the queue does not have it (any more). [Queue.Show] renders its payload.
func (q *Queue[T]) Task(ctx context.Context, id string) (Task, error) {
	return manage(q, func(e Engine) (Task, error) {
		if !plain(id) {
			return Task{}, unheardOf(id)
		}
		return e.Task(ctx, id)
	})
}

// Cancel ends a task: a waiting one at once, a running one as soon as its handler yields, in this process without delay, elsewhere with the next renewal
// of its lease; see [Admin]. A cause of more than 4 KiB is cut.
func (q *Queue[T]) Cancel(ctx context.Context, id, cause string) error {
	_, err := manage(q, func(e Engine) (struct{}, error) {
		if !plain(id) {
			return struct{}{}, unheardOf(id)
		}
		return struct{}{}, e.Cancel(ctx, id, storable(cause))
	})
	if err == nil {
		q.cancels.tell(id)
	}
	return err
}

// OnCancel lets f be called after each successful [Queue.Cancel] in this process, with the task's ID, until remove is called. Workers use it to renew the
// task's lease at once, which tells them whether it is theirs. f is called by whoever cancels and must not block.
func (q *Queue[T]) OnCancel(f func(id string)) (remove func()) { return q.cancels.add(f) }

// Requeue lets dead and cancelled tasks begin anew; see [Admin].
func (q *Queue[T]) Requeue(ctx context.Context, sel Selection) (int, error) {
	return manage(q, func(e Engine) (int, error) { return e.Requeue(ctx, sel.askable()) })
}

// RunNow makes tasks that wait for their time due; see [Admin].
func (q *Queue[T]) RunNow(ctx context.Context, sel Selection) (int, error) {
	return manage(q, func(e Engine) (int, error) { return e.RunNow(ctx, sel.askable()) })
}

// Purge forgets tasks; see [Admin].
func (q *Queue[T]) Purge(ctx context.Context, sel Selection) (int, error) {
	return manage(q, func(e Engine) (int, error) { return e.Purge(ctx, sel.askable()) })
}

// Pause stops handing out tasks until Resume, also over restarts on a durable engine; publishing goes on. Stats.Paused tells.
func (q *Queue[T]) Pause(ctx context.Context) error {
	_, err := manage(q, func(e Engine) (struct{}, error) { return struct{}{}, e.Pause(ctx) })
	return err
}

// Resume ends a pause.
func (q *Queue[T]) Resume(ctx context.Context) error {
	_, err := manage(q, func(e Engine) (struct{}, error) { return struct{}{}, e.Resume(ctx) })
	return err
}

// unheardOf is the answer for an ID that no engine can have: not all can even look for it.
func unheardOf(id string) error { return fmt.Errorf("task %q: %w", id, ErrNotFound) }

// askable leaves out the IDs that no engine can have. A selection of nothing else selects nothing.
func (s Selection) askable() Selection {
	odd := func(id string) bool { return !plain(id) }
	if !slices.ContainsFunc(s.IDs, odd) {
		return s
	}
	if s.IDs = slices.DeleteFunc(slices.Clone(s.IDs), odd); len(s.IDs) == 0 {
		return Selection{}
	}
	return s
}

// manage asks the engine and names the queue in its error.
func manage[T, R any](q *Queue[T], ask func(Engine) (R, error)) (R, error) {
	b, err := q.open()
	if err != nil {
		var zero R
		return zero, err
	}
	r, err := ask(b.engine)
	return r, named(q.name, err)
}

// listeners are told of every cancelled task. The zero value has none.
type listeners struct {
	mu  sync.Mutex
	all []*listener // replaced as a whole when it changes, so that it can be walked without the lock
}

type listener struct{ hear func(id string) }

func (l *listeners) add(f func(id string)) (remove func()) {
	added := &listener{f}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(slices.Clip(l.all), added)
	return func() { l.remove(added) }
}

func (l *listeners) remove(gone *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rest []*listener
	for _, other := range l.all {
		if other != gone {
			rest = append(rest, other)
		}
	}
	l.all = rest
}

func (l *listeners) tell(id string) {
	l.mu.Lock()
	all := l.all
	l.mu.Unlock()
	for _, one := range all {
		one.hear(id)
	}
}

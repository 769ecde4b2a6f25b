package plbatest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

// Result is what became of a task.
type Result struct {
	Outcome  task.Outcome // Done, Dropped, Dead or Cancelled
	Attempts int          // that were begun, snoozes included, those to undo not
	Err      error        // the last error's text; nil without one
}

// Feed publishes v to the queue and waits until the task has ended, over retries and snoozes. It fails the test when there is no such queue of T or the
// task has not ended after 10 s without progress.
func Feed[T any](a *App, name string, v T) Result {
	a.t.Helper()
	h, _ := a.QueueHandle(name)
	q, ok := h.(*queue.Queue[T])
	if !ok {
		a.t.Fatalf("plbatest: no queue %q of %T", name, v)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	receipt, err := q.Send(ctx, v)
	if err != nil {
		a.t.Fatalf("plbatest: %v", err)
	}
	return a.driver.await(a, receipt.ID)
}

// driver opens memory engines that encode payloads, and keeps what became of every task.
type driver struct {
	mu      sync.Mutex
	changed *sync.Cond
	tasks   map[string]*Result
	ended   map[string]bool
}

func newDriver() *driver {
	d := &driver{tasks: map[string]*Result{}, ended: map[string]bool{}}
	d.changed = sync.NewCond(&d.mu)
	return d
}

// await blocks until the task has ended.
func (d *driver) await(a *App, id string) Result {
	a.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		late = true
		d.changed.Broadcast()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.ended[id] {
		if late {
			a.t.Fatalf("plbatest: task %s has not ended within %s; so far: %+v", id, patience, d.tasks[id])
		}
		d.changed.Wait()
	}
	return *d.tasks[id]
}

// Name is "memory": the driver takes the place of the memory engine.
func (d *driver) Name() string { return "memory" }

// Capabilities claims what any engine can do, so that a module that requires it can be tested; nothing outlives the test.
func (d *driver) Capabilities() queue.Capabilities { return ^queue.InProcess }

// Settings are those of a memory queue.
func (d *driver) Settings() queue.Settings { return memory.Driver().Settings() }

// Open opens a memory engine under observation.
func (d *driver) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	e, err := memory.Driver(memory.Encoded()).Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &observed{Engine: e, d: d, leases: map[queue.Token]task.Info{}}, nil
}

// observed sees every lease and every answer pass.
type observed struct {
	queue.Engine
	d      *driver
	leases map[queue.Token]task.Info // guarded by d.mu
}

func (o *observed) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	ls, err := o.Engine.Receive(ctx, max, lease)
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	for _, l := range ls {
		o.leases[l.Token] = l.Info
		if !l.Info.Undo {
			o.d.result(l.ID).Attempts++
		}
	}
	return ls, err
}

func (o *observed) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	lost, err := o.Engine.Complete(ctx, cs)
	for _, c := range cs {
		if err == nil && !slices.Contains(lost, c.Token) {
			o.note(ctx, c)
		}
	}
	return lost, err
}

// note keeps what an answer made of a task. It has ended when the engine says so: not while its effects are to be undone.
func (o *observed) note(ctx context.Context, c queue.Completion) {
	t, err := o.Engine.Task(ctx, c.ID)
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	undo := o.leases[c.Token].Undo
	delete(o.leases, c.Token)
	r := o.d.result(c.ID)
	switch {
	case c.Cause != "":
		r.Err = errors.New(c.Cause)
	case !undo:
		r.Err = nil
	}
	switch {
	case errors.Is(err, queue.ErrNotFound), err == nil && t.State == queue.StateDone:
		r.Outcome = c.Outcome
	case err == nil && t.State == queue.StateDead:
		r.Outcome = task.Dead
	case err == nil && t.State == queue.StateCancelled:
		r.Outcome = task.Cancelled
	default:
		return
	}
	o.d.ended[c.ID] = true
	o.d.changed.Broadcast()
}

// result is the record of a task; the caller holds mu.
func (d *driver) result(id string) *Result {
	r := d.tasks[id]
	if r == nil {
		r = &Result{}
		d.tasks[id] = r
	}
	return r
}

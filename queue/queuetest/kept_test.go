package queuetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

// kept opens memory engines that outlive being closed, as long as their settings do, and that several share: what a durable engine of several
// processes looks like from outside.
type kept struct {
	queue.Driver
	breakIt func(queue.Engine) queue.Engine
	misread func(*queue.Opening) // what the engine makes of its opening; may be nil
	mu      sync.Mutex
	stores  map[store]queue.Engine
}

// store is what decides which engine is opened: the settings, and what a test has made of them.
type store struct {
	settings queue.Settings
	limits   queue.Common
	order    queue.Order
}

func newKept(b broken) *kept {
	k := &kept{Driver: memory.Driver(), breakIt: b.breakIt, misread: b.misread, stores: map[store]queue.Engine{}}
	if k.breakIt == nil {
		k.breakIt = func(e queue.Engine) queue.Engine { return e }
	}
	return k
}

func (k *kept) Capabilities() queue.Capabilities {
	return k.Driver.Capabilities() | queue.Durable | queue.ClusterWide
}

func (k *kept) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := store{o.Settings, *o.Settings.Limits(), o.Order}
	inner := k.stores[key]
	if inner == nil {
		settings := *o.Settings.(*memory.Settings) // not what a test changes later
		o.Settings = &settings
		if k.misread != nil {
			k.misread(&o)
		}
		var err error
		if inner, err = k.Driver.Open(ctx, o); err != nil {
			return nil, err
		}
		k.stores[key] = inner
	}
	closed, end := context.WithCancelCause(context.Background())
	return k.breakIt(&door{Engine: inner, closed: closed, end: end}), nil
}

// door is one opening of a kept engine.
type door struct {
	queue.Engine
	closed context.Context
	end    context.CancelCauseFunc
}

func (d *door) Close(context.Context) error {
	d.end(queue.ErrClosed)
	return nil
}

// until is ctx, ended also when the door is closed.
func (d *door) until(ctx context.Context) (context.Context, func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.closed, func() { cancel(queue.ErrClosed) })
	return ctx, func(err error) error {
		defer cancel(nil)
		stop()
		if err != nil && errors.Is(context.Cause(ctx), queue.ErrClosed) {
			return queue.ErrClosed
		}
		return err
	}
}

func (d *door) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	if err := context.Cause(d.closed); err != nil {
		return nil, err
	}
	ctx, why := d.until(ctx)
	receipts, err := d.Engine.Publish(ctx, rs, wait)
	return receipts, why(err)
}

func (d *door) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if err := context.Cause(d.closed); err != nil {
		return nil, err
	}
	ctx, why := d.until(ctx)
	ls, err := d.Engine.Receive(ctx, max, lease)
	return ls, why(err)
}

func (d *door) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
	return through(d, func() (queue.Renewed, error) { return d.Engine.Renew(ctx, ts, lease) })
}

func (d *door) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	return through(d, func() ([]queue.Token, error) { return d.Engine.Complete(ctx, cs) })
}

func (d *door) Stats(ctx context.Context) (queue.Stats, error) {
	return through(d, func() (queue.Stats, error) { return d.Engine.Stats(ctx) })
}

func (d *door) Tasks(ctx context.Context, q queue.Query) (queue.Page, error) {
	return through(d, func() (queue.Page, error) { return d.Engine.Tasks(ctx, q) })
}

func (d *door) Task(ctx context.Context, id string) (queue.Task, error) {
	return through(d, func() (queue.Task, error) { return d.Engine.Task(ctx, id) })
}

func (d *door) Cancel(ctx context.Context, id, cause string) error {
	_, err := through(d, func() (int, error) { return 0, d.Engine.Cancel(ctx, id, cause) })
	return err
}

func (d *door) Requeue(ctx context.Context, sel queue.Selection) (int, error) {
	return through(d, func() (int, error) { return d.Engine.Requeue(ctx, sel) })
}

func (d *door) RunNow(ctx context.Context, sel queue.Selection) (int, error) {
	return through(d, func() (int, error) { return d.Engine.RunNow(ctx, sel) })
}

func (d *door) Purge(ctx context.Context, sel queue.Selection) (int, error) {
	return through(d, func() (int, error) { return d.Engine.Purge(ctx, sel) })
}

func (d *door) Pause(ctx context.Context) error {
	_, err := through(d, func() (int, error) { return 0, d.Engine.Pause(ctx) })
	return err
}

func (d *door) Resume(ctx context.Context) error {
	_, err := through(d, func() (int, error) { return 0, d.Engine.Resume(ctx) })
	return err
}

func (d *door) Checkpoints(t queue.Token) task.Checkpoints { return notes{d.Engine.Checkpoints(t), d} }

// notes are the checkpoints behind a door.
type notes struct {
	task.Checkpoints
	d *door
}

func (n notes) Save(ctx context.Context, path string, v any) error {
	_, err := through(n.d, func() (int, error) { return 0, n.Checkpoints.Save(ctx, path, v) })
	return err
}

func through[R any](d *door, do func() (R, error)) (r R, err error) {
	if err := context.Cause(d.closed); err != nil {
		return r, err
	}
	return do()
}

package queuetest

import (
	"context"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// bent is an engine with some of its answers bent.
type bent struct {
	queue.Engine
	publish  func(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error)
	receive  func(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error)
	renew    func(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error)
	complete func(ctx context.Context, cs []queue.Completion) ([]queue.Token, error)
	keep     func(t queue.Token) task.Checkpoints
	stats    func(s queue.Stats) queue.Stats
	cancel   func(ctx context.Context, id, cause string) error
	requeue  func(ctx context.Context, sel queue.Selection) (int, error)
	runNow   func(ctx context.Context, sel queue.Selection) (int, error)
	purge    func(ctx context.Context, sel queue.Selection) (int, error)
	hold     func(ctx context.Context) error
	resume   func(ctx context.Context) error
	page     func(ctx context.Context, q queue.Query) (queue.Page, error)
	list     func(p *queue.Page)
	view     func(t *queue.Task)
	end      func(ctx context.Context) error
}

func (b *bent) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	if b.publish == nil {
		return b.Engine.Publish(ctx, rs, wait)
	}
	return b.publish(ctx, rs, wait)
}

func (b *bent) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if b.receive == nil {
		return b.Engine.Receive(ctx, max, lease)
	}
	return b.receive(ctx, max, lease)
}

func (b *bent) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
	if b.renew == nil {
		return b.Engine.Renew(ctx, ts, lease)
	}
	return b.renew(ctx, ts, lease)
}

func (b *bent) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	if b.complete == nil {
		return b.Engine.Complete(ctx, cs)
	}
	return b.complete(ctx, cs)
}

func (b *bent) Checkpoints(t queue.Token) task.Checkpoints {
	if b.keep == nil {
		return b.Engine.Checkpoints(t)
	}
	return b.keep(t)
}

func (b *bent) Stats(ctx context.Context) (queue.Stats, error) {
	s, err := b.Engine.Stats(ctx)
	if b.stats != nil {
		s = b.stats(s)
	}
	return s, err
}

func (b *bent) Tasks(ctx context.Context, q queue.Query) (queue.Page, error) {
	if b.page != nil {
		return b.page(ctx, q)
	}
	page, err := b.Engine.Tasks(ctx, q)
	if b.list != nil {
		b.list(&page)
	}
	for i := range page.Tasks {
		if b.view != nil {
			b.view(&page.Tasks[i])
		}
	}
	return page, err
}

func (b *bent) Task(ctx context.Context, id string) (queue.Task, error) {
	t, err := b.Engine.Task(ctx, id)
	if b.view != nil && err == nil {
		b.view(&t)
	}
	return t, err
}

func (b *bent) Cancel(ctx context.Context, id, cause string) error {
	if b.cancel == nil {
		return b.Engine.Cancel(ctx, id, cause)
	}
	return b.cancel(ctx, id, cause)
}

func (b *bent) Requeue(ctx context.Context, sel queue.Selection) (int, error) {
	if b.requeue == nil {
		return b.Engine.Requeue(ctx, sel)
	}
	return b.requeue(ctx, sel)
}

func (b *bent) RunNow(ctx context.Context, sel queue.Selection) (int, error) {
	if b.runNow == nil {
		return b.Engine.RunNow(ctx, sel)
	}
	return b.runNow(ctx, sel)
}

func (b *bent) Purge(ctx context.Context, sel queue.Selection) (int, error) {
	if b.purge == nil {
		return b.Engine.Purge(ctx, sel)
	}
	return b.purge(ctx, sel)
}

func (b *bent) Pause(ctx context.Context) error {
	if b.hold == nil {
		return b.Engine.Pause(ctx)
	}
	return b.hold(ctx)
}

func (b *bent) Resume(ctx context.Context) error {
	if b.resume == nil {
		return b.Engine.Resume(ctx)
	}
	return b.resume(ctx)
}

func (b *bent) Close(ctx context.Context) error {
	if b.end == nil {
		return b.Engine.Close(ctx)
	}
	return b.end(ctx)
}

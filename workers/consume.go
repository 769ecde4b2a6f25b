package workers

import (
	"reflect"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
)

// Consumer is a worker that takes tasks from a queue. The runtime stops it after the sources that feed it.
type Consumer interface {
	Worker
	QueueName() string
}

// Consume makes a worker that handles the tasks of q with h, Concurrency(n) at once (default 1). Every attempt gets a span of the trace
// that the publisher began, the task's Info (task.From) and its checkpoints in the context.
//
// The handler's answer is read by task.Classify. A panic or runtime.Goexit fails the attempt alone. On a forced stop a task whose handler
// gave up goes back to the queue with the attempt not counted.
func Consume[T any](name string, q *queue.Queue[T], h Handler[T], opts ...ConsumeOption) Worker {
	c := &consumer[T]{life: newLife(name, "consume"), queue: q, handler: h}
	c.opts = consumeOptions{concurrency: 1, lease: time.Minute}
	for _, o := range opts {
		o.consume(&c.opts)
	}
	if q == nil {
		c.fault("the queue is nil")
	}
	if isNil(h) {
		c.fault("the handler is nil")
	}
	if c.opts.timeout < 0 {
		c.fault("the timeout must not be negative, not %s", c.opts.timeout)
	}
	if c.opts.lease < time.Second {
		c.fault("the lease must be at least 1s, not %s", c.opts.lease)
	}
	if c.opts.retry == nil {
		c.opts.retry = func(attempt int, _ error) time.Duration { return queue.DefaultRetry(attempt) }
	}
	c.body = c.consume
	return c
}

// isNil also sees a typed nil pointer, such as a pipeline that did not build.
func isNil(h any) bool {
	if h == nil {
		return true
	}
	v := reflect.ValueOf(h)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}

type consumer[T any] struct {
	*life
	queue   *queue.Queue[T]
	handler Handler[T]
	opts    consumeOptions
}

// QueueName is the queue that the worker takes from.
func (c *consumer[T]) QueueName() string { return c.queue.Name() }

// Equip takes what the runtime lends; the operator's concurrency overrides the code's.
func (c *consumer[T]) Equip(env Env) error {
	if n := env.Settings.Concurrency; n != nil {
		c.opts.concurrency = *n
	}
	if c.opts.concurrency < 1 {
		c.fault("concurrency must be at least 1, not %d", c.opts.concurrency)
	}
	return c.life.Equip(env)
}

// Status adds the concurrency.
func (c *consumer[T]) Status() Status {
	s := c.life.Status()
	s.Concurrency = c.opts.concurrency
	return s
}

// consume is the body: one slot waits for work, the others come and go with it.
func (c *consumer[T]) consume(r *run) error {
	k := &crew[T]{c: c, r: r, slots: map[*slot[T]]struct{}{}}
	r.ready()
	k.start()
	k.wg.Wait()
	k.closeRenewal()
	return nil
}

// backoff of a queue that cannot be asked: 100 ms, doubled up to 10 s.
func receiveBackoff(failures int) time.Duration {
	return min(100*time.Millisecond<<min(failures, 10), 10*time.Second)
}

// receive asks for work until there is some or the intake ends (nil). A queue that is closed underneath is asked again like one that cannot be reached: it
// may be opened again.
func (c *consumer[T]) receive(r *run, limit int) []queue.Delivery[T] {
	for failures := 0; ; failures++ {
		batch, err := c.queue.Receive(r.intake, limit, c.opts.lease)
		if err == nil {
			if failures > 0 {
				c.setHealth(health.Report{State: health.StateOK})
			}
			return batch
		}
		if r.intake.Err() != nil {
			return nil
		}
		c.noteError(err)
		c.setHealth(health.Of(health.Degraded(err)))
		c.env.Logger.Error("cannot receive", "worker", c.name, "queue", c.queue.Name(), "error", err)
		timer := time.NewTimer(receiveBackoff(failures))
		select {
		case <-timer.C:
		case <-r.intake.Done():
			timer.Stop()
			return nil
		}
	}
}

// giveBack returns tasks that were received but not begun; the attempt does not count.
func (c *consumer[T]) giveBack(r *run, rest []queue.Delivery[T]) {
	if len(rest) == 0 {
		return
	}
	cs := make([]queue.Completion, len(rest))
	for i, d := range rest {
		cs[i] = returned(d.Token)
	}
	c.complete(r, cs)
	r.giveBack(len(rest))
}

// complete tells the queue what became of tasks. The answer of a cancelled handler counts too, so it has a context that ends only with the life itself.
func (c *consumer[T]) complete(r *run, cs []queue.Completion) {
	lost, err := c.queue.Complete(r.answers, cs)
	for _, t := range lost {
		c.env.Logger.Warn("lease lost before the answer: another run may repeat the task", "worker", c.name, "queue", c.queue.Name(), "task", t.ID)
	}
	if err != nil {
		c.noteError(err)
		c.env.Logger.Error("cannot complete: the tasks come back when their leases end", "worker", c.name, "queue", c.queue.Name(), "tasks", len(cs), "error", err)
	}
}

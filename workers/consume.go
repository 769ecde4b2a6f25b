package workers

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
)

// Consumer is a worker that takes tasks from a queue. The runtime stops it after the sources that feed it.
type Consumer interface {
	Worker
	QueueName() string
}

// Scaler is implemented by the workers that Consume makes. Scale changes how many tasks are handled at once. More takes effect at once, also while all
// slots are busy; with less no work is killed: whoever is too many takes nothing new. The error names the worker when n is less than 1.
//
// The latest call wins over the configuration (platform.workers.<name>.concurrency), which wins over the code (Concurrency). It lasts until the process
// ends, over stops and restarts of the worker. Status.Concurrency tells what holds at present.
type Scaler interface {
	Scale(n int) error
}

// Consume makes a worker that handles the tasks of q with h, Concurrency(n) at once (default 1). Every attempt gets a span of the trace
// that the publisher began, the task's Info (task.From) and its checkpoints in the context.
//
// The handler's answer is read by task.Classify. A panic or runtime.Goexit fails the attempt alone. On a forced stop a task whose handler
// gave up goes back to the queue with the attempt not counted. The worker is a Scaler and a Pauser. While its queue cannot be asked it is degraded, and after 30 s unhealthy.
//
// A handler that is a task.Attacher is attached at every start, which fails with its error, and detached at every stop, after the last task; an error of that
// is the worker's (Err, and the receipt of the stop). That its queue's engine cannot keep the checkpoints it needs, or that it can do nothing with so few slots
// (task.SlotsChecker), is a fault at registration.
func Consume[T any](name string, q *queue.Queue[T], h Handler[T], opts ...ConsumeOption) Worker {
	c := &consumer[T]{life: newLife(name, "consume"), queue: q, handler: h}
	c.opts = consumeOptions{concurrency: 1, lease: time.Minute}
	for _, o := range opts {
		o.consume(&c.opts)
	}
	if q == nil {
		c.fault("the queue is nil")
	}
	if err := faultOf(h); err != nil {
		c.fault("%w", err)
	} else if c.attachers = attachersOf(h); q != nil && c.attachers.NeedsCheckpoints() {
		q.Require(queue.Checkpointed, fmt.Sprintf("the handler of worker %q", name))
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
	c.body = c.man
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
	queue     *queue.Queue[T]
	handler   Handler[T]
	attachers attachers // the parts of handler that are told of the worker's life
	opts      consumeOptions

	scaled atomic.Int64            // the concurrency set at run time; 0 while none is
	crew   atomic.Pointer[crew[T]] // of the present or last life
	away   atomic.Bool             // the queue could not be asked; written by the scout
	parks  atomic.Bool             // the handler has parked once
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
	} else if err := c.attachers.CheckSlots(c.opts.concurrency); err != nil {
		c.fault("concurrency %d: %w", c.opts.concurrency, err)
	}
	return c.life.Equip(env)
}

// concurrency is what was set at run time, else what the configuration says, else the code.
func (c *consumer[T]) concurrency() int {
	if n := c.scaled.Load(); n > 0 {
		return int(n)
	}
	return c.opts.concurrency
}

// Scale implements Scaler.
func (c *consumer[T]) Scale(n int) error {
	if n < 1 {
		return fmt.Errorf("worker %q: concurrency must be at least 1, not %d; to take no tasks at all, pause the worker", c.name, n)
	}
	c.scaled.Store(int64(n))
	c.env.Logger.Info("worker scaled", "worker", c.name, "concurrency", n)
	c.rearrange()
	return nil
}

// Pause implements Pauser.
func (c *consumer[T]) Pause() {
	if c.pause() {
		c.rearrange()
	}
}

// Resume implements Pauser.
func (c *consumer[T]) Resume() {
	if c.resume() {
		c.rearrange()
	}
}

// rearrange makes a change known to the present life. One that begins at this moment shows its crew before it reads what was changed.
func (c *consumer[T]) rearrange() {
	if k := c.crew.Load(); k != nil {
		k.arrange()
	}
}

// Status adds the concurrency.
func (c *consumer[T]) Status() Status {
	s := c.life.Status()
	s.Concurrency = c.concurrency()
	return s
}

// man is the body: one slot waits for work, the others come and go with it.
func (c *consumer[T]) man(r *run) error {
	k, err := c.begin(r)
	if err != nil {
		return err
	}
	r.rest = k.dismiss
	return nil
}

// consume is the body for those who have more to do in the same life: it returns when the intake has ended and the slots are gone.
func (c *consumer[T]) consume(r *run) error {
	k, err := c.begin(r)
	if err != nil {
		return err
	}
	<-r.intake.Done()
	return k.dismiss(r)
}

func (c *consumer[T]) begin(r *run) (*crew[T], error) {
	k := &crew[T]{c: c, r: r}
	if err := k.attach(); err != nil {
		return nil, err
	}
	c.crew.Store(k)
	k.unhear = c.queue.OnCancel(k.hear)
	r.ready()
	k.arrange()
	return k, nil
}

// backoff of a queue that cannot be asked: 100 ms, doubled up to 10 s.
func receiveBackoff(failures int) time.Duration {
	return min(100*time.Millisecond<<min(failures, 10), 10*time.Second)
}

// awayPatience is how long a queue may be out of reach before the worker is unhealthy, not only degraded.
const awayPatience = 30 * time.Second

// receive asks for work until there is some or ctx ends (nil). A queue that is closed underneath is asked again like one that cannot be reached: it
// may be opened again.
func (k *crew[T]) receive(ctx context.Context, limit int) (batch []queue.Lease) {
	c, left := k.c, true
	defer func() {
		if left { // by runtime.Goexit of the engine; the next scout goes on
			k.cannotReceive(errGoexit)
		}
	}()
	for k.failures == 0 || k.backOff(ctx) {
		err := guarded(func() (err error) {
			batch, err = c.queue.Claim(ctx, limit, c.opts.lease)
			return err
		})
		if err == nil {
			if k.failures = 0; c.away.Swap(false) {
				c.setHealth(health.Report{State: health.StateOK})
			}
			break
		}
		if ctx.Err() != nil {
			break
		}
		k.cannotReceive(err)
	}
	if left = false; len(batch) == 0 {
		k.failures = 0 // called back; the next scout asks at once
	}
	return batch
}

// cannotReceive notes that the queue could not be asked.
func (k *crew[T]) cannotReceive(err error) {
	c := k.c
	if k.failures++; k.failures == 1 {
		k.failing = time.Now()
	}
	c.away.Store(true)
	c.noteError(err)
	if time.Since(k.failing) < awayPatience {
		c.setHealth(health.Of(health.Degraded(err)))
	} else {
		c.setHealth(health.Of(err))
	}
	c.env.Logger.Error("cannot receive", "worker", c.name, "queue", c.queue.Name(), "error", err)
}

// backOff waits before the queue is asked again; false: ctx has ended.
func (k *crew[T]) backOff(ctx context.Context) bool {
	timer := time.NewTimer(receiveBackoff(k.failures - 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// complete tells the queue what became of tasks. The answer of a cancelled handler counts too, so it has a context that ends only with the life itself.
func (c *consumer[T]) complete(r *run, cs []queue.Completion) {
	var lost []queue.Token
	err := guarded(func() (err error) {
		lost, err = c.queue.Complete(r.answers, cs)
		return err
	})
	for _, t := range lost {
		c.env.Logger.Warn("lease lost before the answer: another run may repeat the task", "worker", c.name, "queue", c.queue.Name(), "task", t.ID)
	}
	if err != nil {
		c.noteError(err)
		c.env.Logger.Error("cannot complete: the tasks come back when their leases end", "worker", c.name, "queue", c.queue.Name(), "tasks", len(cs), "error", err)
	}
}

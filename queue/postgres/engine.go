package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/plba/plba/queue"
)

// engine implements queue.Engine: it is one queue of a store, in this process.
type engine struct {
	*store
	name    string
	limits  queue.Common
	order   queue.Order
	poll    time.Duration
	release func()

	published batcher[publication]
	completed batcher[completion]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	keeper sync.WaitGroup
	kicked chan struct{} // the keeper is to look now

	counting chan struct{} // holds one while somebody counts the tasks, who has
	census   census

	idMu sync.Mutex
	id   int32 // of the queue in the database, 0: not known yet

	mu        sync.Mutex
	closed    bool
	calls     sync.WaitGroup // Add under mu, while not closed
	receivers line
	fillers   line      // who waits for room
	next      time.Time // when the keeper is to look at the latest
	tally     tally
}

// tally counts what went through the queue here since it was opened.
type tally struct{ published, completed int64 }

func newEngine(st *store, o queue.Opening, s *Settings, release func()) *engine {
	e := &engine{
		store: st, name: o.Queue, limits: *s.Limits(), order: o.Order, poll: s.Poll, release: release,
		kicked: make(chan struct{}, 1), counting: make(chan struct{}, 1),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.published.flush = e.flushPublications
	e.completed.flush = e.flushCompletions
	return e
}

func (e *engine) start() {
	e.join(e)
	e.keeper.Go(e.keep)
}

// limited says whether claims have to be counted over all processes.
func (e *engine) limited() bool { return e.limits.MaxRunning > 0 || e.limits.Rate.PerSecond > 0 }

// enter lets a call in; leave ends it. The context it gives ends with the engine too.
func (e *engine) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	e.calls.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.ctx, func() { cancel(queue.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		e.calls.Done()
	}, nil
}

// call runs f as one call of the engine's. An error that came of closing says so.
func (e *engine) call(ctx context.Context, f func(ctx context.Context) error) error {
	inside, leave, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = f(inside)
	if err != nil && ctx.Err() == nil && e.ctx.Err() != nil {
		return queue.ErrClosed
	}
	return err
}

// queueID is the queue's number in the database; the first to ask makes tables and queue.
func (e *engine) queueID(ctx context.Context) (int32, error) {
	e.idMu.Lock()
	defer e.idMu.Unlock()
	if e.id != 0 {
		return e.id, nil
	}
	err := e.do(ctx, func(ctx context.Context) error {
		if err := e.prepare(ctx); err != nil {
			return err
		}
		if _, err := e.pool.Exec(ctx, e.sql(addQueueSQL), e.name); err != nil {
			return err
		}
		return e.pool.QueryRow(ctx, e.sql(findQueueSQL), e.name).Scan(&e.id)
	})
	return e.id, err
}

// kick lets the keeper look at the queue now.
func (e *engine) kick() {
	select {
	case e.kicked <- struct{}{}:
	default:
	}
}

// news says that tasks can be claimed now that could not before: n of them, here and in other processes.
func (e *engine) news(n int) {
	e.wakeReceivers(n)
	e.publish(e.name)
}

func (e *engine) wakeReceivers(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.receivers.wake(n)
}

func (e *engine) wakeFillers() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fillers.wake(len(e.fillers))
}

// expect lets the keeper look at the queue when something is due to happen.
func (e *engine) expect(at time.Time) {
	e.mu.Lock()
	sooner := at.Before(e.next)
	if sooner {
		e.next = at
	}
	e.mu.Unlock()
	if sooner {
		e.kick()
	}
}

// Close implements queue.Engine. Who waits is sent away; what is on its way to the database is waited for. Leases that are out stay as they are.
func (e *engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.receivers.wake(len(e.receivers))
	e.fillers.wake(len(e.fillers))
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends as soon as the database answers, or does not within the timeout
		defer close(ended)
		e.calls.Wait()
		e.published.wait()
		e.completed.wait()
		e.cancel()
		e.keeper.Wait()
		e.leave(e)
		e.release()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		e.cancel()
		return ctx.Err()
	}
}

// line is who waits, in the order of coming.
type line []chan struct{}

// wake lets the first n go.
func (l *line) wake(n int) {
	n = min(n, len(*l))
	for _, c := range (*l)[:n] {
		close(c)
	}
	*l = (*l)[n:]
}

// join takes a place at the end.
func (l *line) join() chan struct{} {
	c := make(chan struct{})
	*l = append(*l, c)
	return c
}

// leave gives a place up; false: it was woken.
func (l *line) leave(c chan struct{}) bool {
	for i, other := range *l {
		if other == c {
			*l = append((*l)[:i], (*l)[i+1:]...)
			return true
		}
	}
	return false
}

// place takes a place in a line: whoever takes it before looking misses nothing that happens after that.
func (e *engine) place(l *line) (chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, queue.ErrClosed
	}
	return l.join(), nil
}

// quit gives a place up. If it was woken meanwhile, or there is more, the next one looks.
func (e *engine) quit(l *line, c chan struct{}, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !l.leave(c) || more {
		l.wake(1)
	}
}

// stay waits in a place until it is woken, at the latest so long, or until ctx ends. Whoever is woken and does not look because ctx ended wakes the next.
func (e *engine) stay(ctx context.Context, l *line, c chan struct{}, most time.Duration) error {
	timer := time.NewTimer(max(most, time.Millisecond))
	defer timer.Stop()
	var err error
	select {
	case <-c:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !l.leave(c) && err != nil {
		l.wake(1)
	}
	return err
}

package workers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// slot handles one task after the other. It is what the handler of its task knows as task.Slots.
type slot[T any] struct {
	crew  *crew[T]
	place int // in crew.slots; guarded by crew.mu

	mu      sync.Mutex
	current queue.Token         // the lease at hand
	rest    []queue.Delivery[T] // of the batch: leased, not begun
	ctx     context.Context     // of handlers, reused from task to task until it is cancelled
	cancel  context.CancelCauseFunc

	parks atomic.Int32 // how many parts of the handler wait for other tasks; written under crew.mu
	turn  int          // numbers the tasks that left something parked behind; guarded by crew.mu
}

// work is the life of a slot: handle what it was given, wait for work as the scout, and so on; leave when another one waits.
func (s *slot[T]) work() {
	k := s.crew
	regular := false
	defer func() {
		s.close()
		if !regular {
			k.replace(s)
		}
	}()
	for {
		s.handleAll()
		ctx, ok := k.takeScout(s)
		if !ok {
			break
		}
		s.scout(ctx)
	}
	regular = true
}

// scout waits for work, for itself and for as many slots as there may be.
func (s *slot[T]) scout(ctx context.Context) {
	k := s.crew
	cancels := k.cancels.Load()
	most, each := k.demand()
	batch := k.c.receive(ctx, most)
	excess := k.found(s, batch, each)
	if len(batch) == 0 {
		return
	}
	k.scheduleRenewal()
	k.c.giveBack(k.r, excess)
	if k.cancels.Load() != cancels {
		k.extend(k.leases()) // one of them may have been cancelled before it was noted
	}
}

// take gives the slot tasks to handle, leased for it.
func (s *slot[T]) take(tasks []queue.Delivery[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = tasks
}

// next makes the next lease of the batch the one at hand and gives the handler's context.
func (s *slot[T]) next() (d queue.Delivery[T], ctx context.Context, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 {
		return d, nil, false
	}
	d, s.rest = s.rest[0], s.rest[1:]
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(s.crew.r.ctx)
	}
	s.current = d.Token
	return d, s.ctx, true
}

// handleAll handles the batch. When the stop comes at least its first task is handled: for it the slot was sent.
func (s *slot[T]) handleAll() {
	began := time.Now()
	handled := 0
	defer func() { // also on runtime.Goexit: what was not begun goes back
		s.giveBack()
		if handled > 0 {
			s.crew.notePace(time.Since(began), handled)
		}
	}()
	for !s.crew.yield.Load() && (handled == 0 || s.crew.r.intake.Err() == nil) {
		d, ctx, ok := s.next()
		if !ok {
			return
		}
		handled++
		s.handle(ctx, d)
	}
}

// giveBack gives up what is leased and not begun.
func (s *slot[T]) giveBack() {
	s.mu.Lock()
	rest := s.rest
	s.rest = nil
	s.mu.Unlock()
	s.crew.c.giveBack(s.crew.r, rest)
}

// handle takes one task through its steps: begin, trace, run, classify, answer, end.
func (s *slot[T]) handle(ctx context.Context, d queue.Delivery[T]) {
	c, r := s.crew.c, s.crew.r
	r.act.begin()
	ctx, span := c.startSpan(ctx, d.Info)
	err := errGoexit
	defer func() {
		cause := context.Cause(ctx)
		s.end()
		done := c.answer(ctx, d.Info, err, cause)
		if done.Token = d.Token; !errors.Is(cause, task.ErrLeaseLost) {
			c.complete(r, []queue.Completion{done})
		}
		endSpan(span, done, err)
		c.book(r, done, err)
	}()
	err = c.call(ctx, d, s)
}

// end lets go of the lease at hand, and of what its handler left parked.
func (s *slot[T]) end() {
	s.mu.Lock()
	s.current = queue.Token{}
	s.mu.Unlock()
	s.unparkAll()
}

func (s *slot[T]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(nil)
	}
}

// leases adds the leases that are not answered yet.
func (s *slot[T]) leases(of holders[T]) holders[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of == nil {
		of = holders[T]{}
	}
	if s.current != (queue.Token{}) {
		of[s.current] = s
	}
	for _, d := range s.rest {
		of[d.Token] = s
	}
	return of
}

// has says whether the slot holds a lease on that task.
func (s *slot[T]) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.ID == id || slices.ContainsFunc(s.rest, func(d queue.Delivery[T]) bool { return d.ID == id })
}

// lose ends the handler's context if it has the lease at hand, and takes it out of the batch if it only waits: then it is true.
func (s *slot[T]) lose(t queue.Token, cause error) (waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == t {
		s.cancel(cause)
		return false
	}
	before := len(s.rest)
	s.rest = slices.DeleteFunc(s.rest, func(d queue.Delivery[T]) bool { return d.Token == t })
	return len(s.rest) < before
}

// call runs the handler with the task at hand in its context.
func (c *consumer[T]) call(ctx context.Context, d queue.Delivery[T], slots task.Slots) (err error) {
	if d.Err != nil {
		return d.Err // the payload cannot be decoded; it is kept and retried
	}
	if d.Info.Undo && !c.attachers.Compensates() {
		return errNoUndo("the handler of worker " + c.name)
	}
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
	}()
	ctx = task.With(ctx, d.Info, c.queue.Checkpoints(d.Token), slots)
	if c.opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.opts.timeout, &TimeoutError{c.name, c.opts.timeout})
		defer cancel()
	}
	return c.handler.Handle(ctx, d.Value)
}

package workers

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"go.opentelemetry.io/otel/trace"
)

// slot handles one task after the other. It is what the handler of its task knows as task.Slots. crew.mu guards what is not said to be its own.
type slot[T any] struct {
	crew    *crew[T]
	run     func() // work
	place   int    // in crew.slots
	coming  bool   // it was begun and has not come for its first task
	current *attempt[T]
	ctx     context.Context // of handlers, reused from task to task until it is cancelled
	cancel  context.CancelCauseFunc

	finished bool         // the task at hand is, and the queue not told; its own
	parks    atomic.Int32 // how many parts of the handler wait for other tasks; written under crew.mu
	turn     int          // numbers the tasks that left something parked behind
}

// work is the life of a slot: handle tasks while there are any, wait for them as the scout, leave when another one waits.
func (s *slot[T]) work() {
	k := s.crew
	var began time.Time
	handled := 0 // since then
	regular, busy := false, false
	rest := func() {
		if handled > 0 {
			k.notePace(time.Since(began), handled)
			handled = 0
		}
		if busy {
			busy = false
			k.r.act.end()
		}
	}
	defer func() {
		rest()
		if !regular {
			k.replace(s)
		}
	}()
	for {
		do := k.next(s)
		if do == scout {
			if rest(); k.ask(s) {
				do = handle
			}
		}
		switch do {
		case handle:
			if !busy {
				busy = true
				k.r.act.begin()
			}
			if handled == 0 {
				began = time.Now()
			}
			handled++
			s.handle()
		case tell:
			k.tell()
		case leave:
			regular = true
			return
		case scout: // in vain
		}
		if handled == largestShare {
			k.notePace(time.Since(began), handled)
			handled = 0
		}
	}
}

// handle takes the task at hand through its steps: trace, run, classify, answer.
func (s *slot[T]) handle() {
	c, a := s.crew.c, s.current
	ctx, span := c.startSpan(s.ctx, &a.Info)
	err := errGoexit
	defer func() {
		s.unparkAll()
		if err == nil && s.crew.gathers(&a.Info) {
			s.finished = true
			endSpan(span, queue.Completion{Outcome: task.Done}, nil)
		} else {
			s.answer(ctx, span, err)
		}
	}()
	err = c.call(ctx, a, s)
}

// answer tells the queue at once what became of the task at hand.
func (s *slot[T]) answer(ctx context.Context, span trace.Span, err error) {
	k, a := s.crew, s.current
	cause := context.Cause(ctx)
	k.mu.Lock()
	s.current = nil
	k.mu.Unlock()
	done := k.c.answer(ctx, &a.Info, err, cause)
	if done.Token = a.Token; !errors.Is(cause, task.ErrLeaseLost) {
		k.c.complete(k.r, []queue.Completion{done})
	}
	endSpan(span, done, err)
	k.c.book(k.r, done, err)
}

// loseLocked ends the handler's context if it has the lease at hand.
func (s *slot[T]) loseLocked(t queue.Token, cause error) bool {
	if s.current == nil || s.current.Token != t {
		return false
	}
	s.cancel(cause)
	return true
}

// call runs the handler with the task at hand in its context.
func (c *consumer[T]) call(ctx context.Context, a *attempt[T], slot *slot[T]) (err error) {
	v, err := c.queue.Value(a.Lease)
	if err != nil {
		return err // the payload cannot be decoded; it is kept and retried
	}
	if a.Info.Undo && !c.attachers.Compensates() {
		return errNoUndo("the handler of worker " + c.name)
	}
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v)
		}
	}()
	a.Context, a.slot = ctx, slot
	ctx = a
	if c.opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.opts.timeout, &TimeoutError{c.name, c.opts.timeout})
		defer cancel()
	}
	return c.handler.Handle(ctx, v)
}

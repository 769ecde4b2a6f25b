package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/plba/plba/task"
)

// gathering is one batch on its way. Tasks gather: each waits on its own goroutine, and one of them, the one that has
// the token, watches the clock. Then one claims it, the one that filled it or the one with the token, and works
// for all. There is no other goroutine.
type gathering[In, Out any] struct {
	*batch[In, Out]
	due  time.Time
	lead chan struct{} // holds the token
	now  chan struct{} // closed when no slot can bring more
	done chan struct{} // closed when there are answers

	// Guarded by batch.mu. ins, members and tracer do not change once it is claimed.
	ins     []In
	members []*member
	tracer  trace.Tracer // of the first one that is traced
	heard   []task.Slots // those that tell when they are saturated
	deaf    []func()     // ends that
	hurried bool
	claimed bool
	alive   int // claimed: members whose contexts have not ended
	ctx     context.Context
	cancel  context.CancelCauseFunc

	// Written before done is closed.
	span  trace.SpanContext
	outs  []Out
	items ItemErrors
	err   error
}

// member is a task in a gathering, or an element of one.
type member struct {
	index int
	party *party
	waits bool // counted as waiting; written under batch.mu until it is claimed
	span  trace.SpanContext
}

func newGathering[In, Out any](b *batch[In, Out]) *gathering[In, Out] {
	g := &gathering[In, Out]{
		batch: b,
		due:   time.Now().Add(b.wait),
		lead:  make(chan struct{}, 1),
		now:   make(chan struct{}),
		done:  make(chan struct{}),
	}
	g.lead <- struct{}{}
	return g
}

// await lets a member wait for answers. It works for all when it has the token at the right moment. The error is that
// of a member that has left.
func (g *gathering[In, Out]) await(ctx context.Context, m *member) error {
	if m.party != nil {
		g.park(m)
	}
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return g.leave(ctx, m)
	case <-g.lead:
	}
	if left := time.Until(g.due); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-g.done:
			return nil
		case <-ctx.Done():
			g.lead <- struct{}{}
			return g.leave(ctx, m)
		case <-g.now:
		case <-timer.C:
		}
	}
	g.mu.Lock()
	mine := g.claim()
	g.mu.Unlock()
	if mine {
		g.work(ctx, m)
		return nil
	}
	select { // it was filled at this moment
	case <-g.done:
		return nil
	case <-ctx.Done():
		return g.leave(ctx, m)
	}
}

// listen asks the crews that a member's task may belong to, to tell when all of their slots wait. Under the lock.
func (g *gathering[In, Out]) listen(m *member) {
	for _, c := range m.party.crewsToAsk() {
		if !slices.Contains(g.heard, c) {
			g.heard = append(g.heard, c)
			g.deaf = append(g.deaf, c.OnSaturated(g.hurry))
		}
	}
}

// park says that the member waits. That may take a while, so it may be claimed before.
func (g *gathering[In, Out]) park(m *member) {
	m.party.park()
	g.mu.Lock()
	late := g.claimed // then whoever has claimed it reads waits
	if !late {
		m.waits = true
	}
	g.mu.Unlock()
	if late {
		m.party.unpark()
	}
}

// hurry has the one with the token claim the gathering.
func (g *gathering[In, Out]) hurry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.hurried {
		g.hurried = true
		close(g.now)
	}
}

// claim closes the gathering; the caller works for it. False: another one does. Under the lock.
func (g *gathering[In, Out]) claim() bool {
	if g.claimed {
		return false
	}
	g.claimed = true
	g.close()
	g.alive = len(g.members)
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	return true
}

// close lets nobody join any more. Under the lock.
func (g *gathering[In, Out]) close() {
	if g.open == g {
		g.open = nil
	}
	for _, deafen := range g.deaf {
		deafen()
	}
	g.deaf = nil
}

// leave takes a member out whose context has ended: its item is not worked on. If it is already, the member waits for
// the answers, and the batch's context ends with that of its last member.
func (g *gathering[In, Out]) leave(ctx context.Context, m *member) error {
	if g.depart(ctx, m) {
		m.party.unpark()
		return interrupted(ctx)
	}
	<-g.done
	return nil
}

func (g *gathering[In, Out]) depart(ctx context.Context, m *member) (left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.claimed {
		if g.alive--; g.alive == 0 {
			g.cancel(context.Cause(ctx))
		}
		return false
	}
	g.ins = slices.Delete(g.ins, m.index, m.index+1)
	g.members = slices.Delete(g.members, m.index, m.index+1)
	for _, behind := range g.members[m.index:] {
		behind.index--
	}
	if len(g.members) == 0 {
		g.close()
	}
	return true
}

// work runs the function for all members, on the goroutine of the one that has claimed the gathering.
func (g *gathering[In, Out]) work(ctx context.Context, m *member) {
	stop := context.AfterFunc(ctx, func() { g.depart(ctx, m) })
	defer func() {
		stop()
		g.cancel(nil)
		close(g.done)
	}()
	for _, m := range g.members { // before anyone goes on: the next task in a slot must not be taken for the last one
		if m.waits {
			m.party.unpark()
		}
	}
	g.err = ErrGoexit // unless the function returns
	span := g.begin()
	defer func() {
		if v := recover(); v != nil {
			g.err = newPanicError(v)
		}
		endSpan(span, g.err)
	}()
	outs, err := g.fn(trace.ContextWithSpan(g.ctx, span), g.ins)
	g.settle(outs, err)
}

// begin starts the batch's own span, a root that is linked to the spans of its members.
func (g *gathering[In, Out]) begin() trace.Span {
	if g.tracer == nil {
		return noop.Span{}
	}
	links := make([]trace.Link, 0, len(g.members))
	for _, m := range g.members {
		if m.span.IsValid() {
			links = append(links, trace.Link{SpanContext: m.span})
		}
	}
	_, span := g.tracer.Start(g.ctx, g.name+" batch", trace.WithNewRoot(), trace.WithLinks(links...), trace.WithAttributes(
		attribute.String("pipeline.stage", g.name), attribute.Int("pipeline.batch.size", len(g.ins))))
	g.span = span.SpanContext()
	return span
}

// settle reads the function's answer.
func (g *gathering[In, Out]) settle(outs []Out, err error) {
	n := len(g.ins)
	items, some := itemErrors(err)
	failed := len(items.Unwrap())
	switch {
	case err != nil && !some:
		g.err = err
	case some && len(items) != n:
		g.err = fmt.Errorf("%w: %d items, ItemErrors of %d (return nil when none failed)", ErrBatchResults, n, len(items))
	case len(outs) != n && failed < n:
		g.err = fmt.Errorf("%w: %d items, %d outputs", ErrBatchResults, n, len(outs))
	default:
		g.outs, g.items, g.err = outs, items, nil
	}
}

// itemErrors finds ItemErrors in err. Joined with another error they do not count: the other one concerns all items.
func itemErrors(err error) (ItemErrors, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		if items, ok := err.(ItemErrors); ok {
			return items, true
		}
	}
	return nil, false
}

// answer gives a member what the function said about its item.
func (g *gathering[In, Out]) answer(m *member, out *Out) error {
	switch {
	case g.err != nil:
		return g.err
	case g.items != nil && g.items[m.index] != nil:
		return g.items[m.index]
	}
	*out = g.outs[m.index]
	return nil
}

package control

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrSlow ends a subscription that was not read as fast as things happen: what it would have got next is not kept any more.
var ErrSlow = errors.New("the reader is too slow for the events")

// ErrClosed ends subscriptions when the control plane stops.
var ErrClosed = errors.New("the control plane is closed")

// Subscription reads the events of an application, one batch after the other. It is used from one goroutine. A reader that is slow holds up nothing and
// nobody; in the end it gets ErrSlow.
type Subscription struct {
	svc    *Service
	ctx    context.Context // of the service
	filter EventFilter
	number uint64 // of the last event that was looked at
	resume bool   // the first look, at which events may be missed
	missed bool   // what came between is not known
}

// Subscribe reads events from now on, or those after the one with the ID after, as far as they are kept: the first event is EventMissed when some are not. There
// may be 256 subscriptions at once; one more is ErrTooMany. Close ends it.
func (s *Service) Subscribe(f EventFilter, after string) (*Subscription, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	sub := &Subscription{svc: s, ctx: s.life(), filter: f, number: s.hub.newest()}
	if after != "" {
		var known bool
		sub.number, known = s.hub.number(after)
		sub.number = min(sub.number, s.hub.newest()) // one that was never given out: from now on
		sub.resume, sub.missed = true, !known        // of another process: from the beginning of what is kept
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.listeners == maxSubscribers {
		return nil, &Error{Kind: ErrTooMany, Detail: fmt.Sprintf("there are %d readers of events already; end one of them first", maxSubscribers)}
	}
	s.hub.listeners++
	return sub, nil
}

// Close ends the subscription. It is called once.
func (sub *Subscription) Close() {
	sub.svc.hub.mu.Lock()
	defer sub.svc.hub.mu.Unlock()
	sub.svc.hub.listeners--
}

// Next waits for events that the filter wants and gives them, the oldest first. The error is ErrSlow, ErrClosed or why ctx ended.
func (sub *Subscription) Next(ctx context.Context) ([]Event, error) {
	batch, err := sub.next(ctx)
	list := make([]Event, len(batch))
	for i, t := range batch {
		list[i] = t.Event
	}
	return list, err
}

func (sub *Subscription) next(ctx context.Context) ([]*told, error) {
	for {
		events, missed, more := sub.svc.hub.after(sub.number)
		if missed && !sub.resume {
			return nil, ErrSlow
		}
		batch := sub.take(events, missed)
		if len(batch) > 0 {
			return batch, nil
		}
		if more == nil {
			continue // all that there was is not wanted
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-sub.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// take moves on behind the events and gives those that are wanted.
func (sub *Subscription) take(events []*told, missed bool) (batch []*told) {
	if missed || sub.missed {
		gap := Event{Type: EventMissed, At: time.Now().UTC(), ID: sub.svc.hub.id(sub.number)}
		if len(events) > 0 {
			gap.ID = sub.svc.hub.id(events[0].number - 1)
		}
		batch = append(batch, &told{Event: gap})
	}
	sub.resume, sub.missed = false, false
	for _, t := range events {
		sub.number = t.number
		if sub.filter.wants(&t.Event) {
			batch = append(batch, t)
		}
	}
	return batch
}

// Events gives up to limit kept events (1 to 1000; more counts as 1000, 0 as 100) behind the one with the ID after, the oldest first; "" begins with the oldest. missed says that
// some behind it are not kept any more. last is the after that goes on.
func (s *Service) Events(f EventFilter, after string, limit int) (list []Event, last string, missed bool, err error) {
	limit, err = pageSize(limit)
	if err = errors.Join(err, f.validate()); err != nil {
		return nil, "", false, err
	}
	number, known := s.hub.number(after)
	number = min(number, s.hub.newest())
	list, last = []Event{}, after
	for {
		events, gone, more := s.hub.after(number)
		missed = missed || gone
		for _, t := range events {
			if len(list) == limit {
				return list, last, missed || !known && after != "", nil
			}
			number, last = t.number, t.ID
			if f.wants(&t.Event) {
				list = append(list, t.Event)
			}
		}
		if more != nil {
			return list, last, missed || !known && after != "", nil
		}
	}
}

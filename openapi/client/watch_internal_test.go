package client

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// script is a way whose connections go as written: each listens for some events and then fails, or falls silent.
type script struct {
	way

	turns []turn
	asked []time.Duration // when, since the beginning
	began time.Time
}

type turn struct {
	refused error   // no connection
	events  []Event // one a second
	ends    error   // nil: it falls silent
}

func (s *script) listen(ctx context.Context, _ *request) (stream, error) {
	s.asked = append(s.asked, time.Since(s.began).Round(time.Millisecond))
	t := s.turns[0]
	s.turns = s.turns[1:]
	return &played{ctx, t}, t.refused
}

type played struct {
	ctx  context.Context
	turn turn
}

func (p *played) next() (Event, error) {
	switch {
	case len(p.turn.events) > 0:
		time.Sleep(time.Second)
		e := p.turn.events[0]
		p.turn.events = p.turn.events[1:]
		return e, nil
	case p.turn.ends != nil:
		return Event{}, p.turn.ends
	}
	<-p.ctx.Done()
	return Event{}, p.ctx.Err()
}

func (*played) close() {}

// A stream that falls silent is taken for broken; pauses grow while nothing comes, and begin anew when something did.
func TestWatchInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &UnreachableError{"there", io.ErrUnexpectedEOF}
		s := &script{began: time.Now(), turns: []turn{
			{events: []Event{{ID: "a"}, {}, {ID: "b"}}}, // silent after 3 s
			{refused: down}, {refused: down}, {refused: down}, {refused: &Error{Problem: Problem{Status: 503}}}, {refused: down}, {refused: down},
			{events: []Event{{ID: "c"}}, ends: io.EOF},
			{ends: &Error{Problem: Problem{Status: 403, Detail: "not any more"}}},
		}}
		var told []string
		var broken []error
		var last error
		w := Watch{Broken: func(err error) { broken = append(broken, err) }}
		for e, err := range (&Client{way: s}).Watch(t.Context(), w) {
			if last = err; err == nil {
				told = append(told, e.ID)
			}
		}
		if !slices.Equal(told, []string{"a", "b", "c"}) || !errors.Is(last, ErrDenied) || len(broken) != 8 || !errors.Is(broken[0], errSilent) || !errors.Is(broken[7], io.EOF) {
			t.Errorf("%v, %v, %v", told, last, broken)
		}
		var pauses []time.Duration
		for i, at := range s.asked[1:] {
			pauses = append(pauses, at-s.asked[i])
		}
		ms := time.Millisecond
		want := []time.Duration{3*time.Second + silence + 250*ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 5000 * ms, 5000 * ms, 1250 * ms}
		if !slices.Equal(pauses, want) {
			t.Errorf("%v, want %v", pauses, want)
		}
	})
}

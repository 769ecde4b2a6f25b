package workers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/workers"
)

// A listener ends by being told to; everything else is a failure, which the supervisor will see.
func TestListenEnds(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fn     func(*workers.Session) error
		stop   bool
		events string
		want   error
	}{
		"when told to":     {func(s *workers.Session) error { <-s.Stopping(); return nil }, true, "start ready stop halt", nil},
		"before that":      {func(*workers.Session) error { return nil }, false, "start ready fail", workers.ErrEnded},
		"with an error":    {func(*workers.Session) error { return boom }, false, "start ready fail", boom},
		"at the stop, bad": {func(s *workers.Session) error { <-s.Stopping(); return boom }, true, "start ready stop fail", boom},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workers.Listen("l", func(_ context.Context, s *workers.Session) error {
					s.Ready()
					return c.fn(s)
				})
				rec := equip(t, w)
				_ = w.Start(t.Context()) // may see the end already
				if c.stop {
					w.Stop(forever(), forever())
				}
				<-w.Done()
				if !errors.Is(w.Err(), c.want) || rec.String() != c.events || w.Status().Kind != "listen" {
					t.Errorf("%v, events %q, status %+v", w.Err(), rec, w.Status())
				}
			})
		})
	}
}

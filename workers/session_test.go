package workers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/workers"
)

// Do is a piece of work: in flight while it lasts, counted by how it ends, whatever way that is.
func TestSessionDo(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		work         func() error
		done, failed uint64
		lastError    string
	}{
		"done":   {func() error { return nil }, 1, 0, ""},
		"failed": {func() error { return boom }, 0, 1, "boom"},
		"panic":  {func() error { panic(boom) }, 0, 1, "panic: boom"},
		"Goexit": {func() error { goexit(); return nil }, 0, 1, "runtime.Goexit was called instead of returning"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w workers.Worker
				w = workers.Listen("l", func(_ context.Context, s *workers.Session) error {
					err := s.Do(func() error { // it implies Ready
						if st := w.Status(); st.InFlight != 1 || st.State != workers.Busy {
							t.Errorf("%+v", st)
						}
						return c.work()
					})
					<-s.Stopping()
					if err != nil && !errors.Is(err, boom) {
						t.Error(err)
					}
					return nil
				})
				start(t, w)
				synctest.Wait()
				w.Stop(forever(), forever())
				if st := w.Status(); st.InFlight != 0 || st.Done != c.done || st.Failed != c.failed || st.LastError != c.lastError {
					t.Errorf("%+v", st)
				} else if named := strings.Contains(st.LastStack, "session_test.go"); named != (name == "panic") {
					t.Errorf("the status says of where it happened: %q", st.LastStack)
				}
			})
		})
	}
}

package workers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/plba/plba/workers"
)

// late is a context that lets whoever waits with it look only when the worker's life is over.
type late struct {
	context.Context
	w workers.Worker
}

func (c late) Done() <-chan struct{} {
	<-c.w.Done()
	return nil
}

// A worker that was ready has started, however soon it ends after that.
func TestReadyThenOverIsAStart(t *testing.T) {
	boom := errors.New("boom")
	for i := range 30 { // there is chance in it
		w := workers.Loop("brief", func(_ context.Context, s *workers.Session) error { s.Ready(); return boom })
		if err := w.Start(late{t.Context(), w}); err != nil {
			t.Fatalf("start %d: %v", i+1, err)
		}
		if err := w.Err(); !errors.Is(err, boom) {
			t.Fatalf("end %d: %v", i+1, err)
		}
	}
}

package workers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openQueue gives a queue on a memory engine of its own.
func openQueue[T any](t testing.TB, name string, capacity int) *queue.Queue[T] {
	t.Helper()
	q, err := queue.For[T](name)
	if err != nil {
		t.Fatal(err)
	}
	s := memory.Driver().Settings().(*memory.Settings)
	s.Capacity = capacity
	e, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: name, Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	q.Bind(e, queue.Binding{})
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return q
}

func forever() context.Context { return context.Background() }

func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func after(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// pass lets virtual time go by and everybody else settle.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

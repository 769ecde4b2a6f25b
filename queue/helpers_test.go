package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
)

type mail struct {
	Account string
	UID     uint32
}

// made makes a queue that is fine.
func made[T any](t testing.TB, name string, spec ...queue.Spec[T]) *queue.Queue[T] {
	t.Helper()
	q, err := queue.For(name, spec...)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// spy is a memory engine whose records can be looked at, and that fails on demand.
type spy struct {
	queue.Engine
	mu      sync.Mutex
	records []queue.Record
	calls   int
	fail    error // the answer to everything
	bend    func(*queue.Lease)
}

func newSpy(t testing.TB, capacity int) *spy {
	t.Helper()
	engine, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: "spied", Settings: &memory.Settings{Common: queue.Common{Capacity: capacity, DeadLetters: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return &spy{Engine: engine}
}

func (s *spy) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	s.mu.Lock()
	s.records = append(s.records, rs...)
	s.calls++
	s.mu.Unlock()
	return s.Engine.Publish(ctx, rs, wait)
}

func (s *spy) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	ls, err := s.Engine.Receive(ctx, max, lease)
	for i := range ls {
		if s.bend != nil {
			s.bend(&ls[i])
		}
	}
	return ls, err
}

func (s *spy) last(t testing.TB) queue.Record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == 0 {
		t.Fatal("nothing was published")
	}
	return s.records[len(s.records)-1]
}

// bound makes a queue on an engine that can be looked at.
func bound[T any](t testing.TB, b queue.Binding, spec ...queue.Spec[T]) (*queue.Queue[T], *spy) {
	t.Helper()
	q, s := made(t, "mails", spec...), newSpy(t, 10_000)
	q.Bind(s, b)
	return q, s
}

func receiveOne[T any](t testing.TB, q *queue.Queue[T]) queue.Delivery[T] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ds, err := q.Receive(ctx, 1, time.Minute)
	if err != nil || len(ds) != 1 {
		t.Fatalf("Receive: %d deliveries, %v", len(ds), err)
	}
	return ds[0]
}

// wants demands that err is want and reads like text.
func wants(t testing.TB, what string, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || err == nil || err.Error() != text {
		t.Errorf("%s: %v\nexpected %v, reading: %s", what, err, want, text)
	}
}

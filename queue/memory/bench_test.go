package memory_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

const benchCapacity = 1000

// BenchmarkQueue is the whole way of a task: publish, receive in batches, complete in batches.
func BenchmarkQueue(b *testing.B) {
	b.Run("consumers=1", func(b *testing.B) { benchQueue(b, 1) })
	b.Run("consumers=8", func(b *testing.B) { benchQueue(b, 8) })
}

// BenchmarkChannel is the same number of values over a bare channel with as many goroutines: the floor.
func BenchmarkChannel(b *testing.B) {
	b.Run("consumers=1", func(b *testing.B) { benchChannel(b, 1) })
	b.Run("consumers=8", func(b *testing.B) { benchChannel(b, 8) })
}

type ref struct {
	Account string
	UID     uint32
}

func openQueue(b *testing.B, capacity int) *queue.Queue[ref] {
	b.Helper()
	engine, err := memory.Driver().Open(b.Context(), queue.Opening{Queue: "bench", Settings: &memory.Settings{Common: queue.Common{Capacity: capacity}}})
	if err != nil {
		b.Fatal(err)
	}
	q, err := queue.For[ref]("bench")
	if err != nil {
		b.Fatal(err)
	}
	q.Bind(engine, queue.Binding{})
	b.Cleanup(func() { _ = q.Unbind().Close(context.Background()) })
	return q
}

func benchQueue(b *testing.B, consumers int) {
	q := openQueue(b, benchCapacity)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var handled atomic.Int64
	var wg sync.WaitGroup
	for range consumers {
		wg.Go(func() {
			var completions []queue.Completion
			for {
				ds, err := q.Receive(ctx, 32, time.Minute)
				if err != nil {
					return
				}
				completions = completions[:0]
				for _, d := range ds {
					completions = append(completions, queue.Completion{Token: d.Token, Outcome: task.Done})
				}
				if _, err := q.Complete(ctx, completions); err != nil {
					b.Error(err)
				}
				if handled.Add(int64(len(ds))) == int64(b.N) {
					cancel()
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := q.Publish(ctx, ref{"sales", uint32(i)}); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
	if handled.Load() != int64(b.N) {
		b.Fatalf("handled %d of %d", handled.Load(), b.N)
	}
}

func benchChannel(b *testing.B, consumers int) {
	c := make(chan ref, benchCapacity)
	var handled atomic.Int64
	var wg sync.WaitGroup
	for range consumers {
		wg.Go(func() {
			for range c {
				handled.Add(1)
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		c <- ref{"sales", uint32(i)}
	}
	close(c)
	wg.Wait()
	if handled.Load() != int64(b.N) {
		b.Fatalf("handled %d of %d", handled.Load(), b.N)
	}
}

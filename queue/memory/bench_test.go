package memory_test

import (
	"context"
	"slices"
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

// BenchmarkChannel is the same number of values over a bare channel with as many goroutines: the floor. With a buffer of the queue's capacity sender
// and receivers hardly ever meet; without one they meet for each value.
func BenchmarkChannel(b *testing.B) {
	b.Run("buffered/consumers=1", func(b *testing.B) { benchChannel(b, 1, benchCapacity) })
	b.Run("buffered/consumers=8", func(b *testing.B) { benchChannel(b, 8, benchCapacity) })
	b.Run("unbuffered/consumers=1", func(b *testing.B) { benchChannel(b, 1, 0) })
	b.Run("unbuffered/consumers=8", func(b *testing.B) { benchChannel(b, 8, 0) })
}

// BenchmarkPickup is the time from Publish to the return of Receive, of a consumer who waits at an empty queue.
func BenchmarkPickup(b *testing.B) {
	q := openQueue(b, benchCapacity)
	picked := make(chan time.Time)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	wg.Go(func() {
		for {
			ds, err := q.Receive(ctx, 1, time.Minute)
			if err != nil {
				return
			}
			now := time.Now()
			if _, err := q.Complete(ctx, []queue.Completion{{Token: ds[0].Token}}); err != nil {
				b.Error(err)
			}
			picked <- now
		}
	})
	waits := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		if err := q.Publish(ctx, ref{"sales", 1}); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, (<-picked).Sub(began))
	}
	cancel()
	wg.Wait()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2]), "p50-ns")
	b.ReportMetric(float64(waits[len(waits)*99/100]), "p99-ns")
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

func benchChannel(b *testing.B, consumers, buffer int) {
	c := make(chan ref, buffer)
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

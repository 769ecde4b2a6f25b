package workers_test

import (
	"context"
	"fmt"
	"log/slog"
	goruntime "runtime"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// BenchmarkIdle starts ten thousand workers that have nothing to do and tells what each of them holds: bytes of heap and stack, and goroutines. The queues
// of the consumers are measured apart, so that their share is not counted as the workers'.
func BenchmarkIdle(b *testing.B) {
	const many = 10_000
	b.Run("consume", func(b *testing.B) {
		for b.Loop() {
			queues := make([]*queue.Queue[int], many)
			before := take()
			for i := range queues {
				queues[i] = openQueue[int](b, fmt.Sprint("q", i), 100)
			}
			take().report(b, before, many, "queue")
			idle(b, many, func(i int) workers.Worker {
				return workers.Consume(fmt.Sprint("w", i), queues[i], workers.Func(func(context.Context, int) error { return nil }), workers.Concurrency(8))
			})
		}
	})
	b.Run("poll", func(b *testing.B) {
		for b.Loop() {
			idle(b, many, func(i int) workers.Worker {
				return workers.Poll(fmt.Sprint("w", i), time.Hour, func(context.Context) (int, error) { return 0, nil })
			})
		}
	})
}

// idle starts the workers, waits until they rest, reports, and stops them.
func idle(b *testing.B, many int, worker func(i int) workers.Worker) {
	ws := make([]workers.Worker, many)
	env := workers.Env{Logger: slog.New(slog.DiscardHandler), Tracing: noTracing(b)} // one for all, as the runtime lends it
	before := take()
	for i := range ws {
		ws[i] = worker(i)
		if err := ws[i].(workers.Equipped).Equip(env); err != nil {
			b.Fatal(err)
		}
		if err := ws[i].Start(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for _, w := range ws {
		for s := w.Status(); s.State != workers.Idle || s.InFlight > 0 || s.Kind == "poll" && s.Done == 0; s = w.Status() {
			time.Sleep(time.Millisecond)
		}
	}
	take().report(b, before, many, "worker")
	for _, w := range ws {
		w.Stop(forever(), forever())
	}
}

func noTracing(b *testing.B) *tracing.Service {
	s, err := tracing.NewWith(tracing.NoOpTransport{}, 1, "bench")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

type held struct{ heap, stack, goroutines int64 }

// take measures what the process holds now.
func take() held {
	goruntime.GC()
	goruntime.GC() // the second one ends what the first one's finalizers and pools let go
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return held{heap: int64(m.HeapAlloc), stack: int64(m.StackInuse), goroutines: int64(goruntime.NumGoroutine())}
}

func (h held) report(b *testing.B, before held, many int, of string) {
	b.ReportMetric(float64(h.heap-before.heap)/float64(many), "heap-B/"+of)
	b.ReportMetric(float64(h.stack-before.stack)/float64(many), "stack-B/"+of)
	b.ReportMetric(float64(h.goroutines-before.goroutines)/float64(many), "goroutines/"+of)
}

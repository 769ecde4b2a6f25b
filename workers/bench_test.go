package workers_test

import (
	"context"
	goruntime "runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

// benchCapacity is the queue's, and the buffer of the channel that it is compared with.
const benchCapacity = 1000

// BenchmarkPublishHandled measures a task from Publish to the end of its handler, over the memory queue, beside a bare channel with as many goroutines: in turns,
// in short rounds, as other programs want the cores too. A channel with a buffer of the queue's capacity is a ring of values: its goroutines hardly ever meet;
// without a buffer they meet for each value. ns/op is the time of all three together; the figures are what counts: ns of a task, and the medians of the ratios.
func BenchmarkPublishHandled(b *testing.B) {
	for _, publishers := range []int{1, 8} {
		for _, slots := range []int{1, 8} {
			b.Run("publishers="+strconv.Itoa(publishers)+"/slots="+strconv.Itoa(slots), func(b *testing.B) {
				benchPublishHandled(b, publishers, slots, func(ctx context.Context, q *queue.Queue[int], n int) error {
					for range n {
						if err := q.Publish(ctx, 1); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
	}
	b.Run("batches=100/slots=8", func(b *testing.B) {
		batch := make([]int, 100)
		benchPublishHandled(b, 1, 8, func(ctx context.Context, q *queue.Queue[int], n int) error {
			for ; n > 0; n -= len(batch) {
				if _, err := q.PublishAll(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func benchPublishHandled(b *testing.B, publishers, slots int, publish func(context.Context, *queue.Queue[int], int) error) {
	const round = 16000
	q := openQueue[int](b, "q", benchCapacity)
	w := workers.Consume("w", q, workers.Func(func(context.Context, int) error { return nil }), workers.Concurrency(slots))
	if err := w.(workers.Equipped).Equip(workers.Env{}); err != nil {
		b.Fatal(err)
	}
	if err := w.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer w.Stop(forever(), forever())
	var total, mallocs int64
	overQueue := func() {
		total += round
		inParallel(publishers, func() {
			if err := publish(b.Context(), q, round/publishers); err != nil {
				b.Error(err)
			}
		})
		for s := (queue.Stats{}); s.Completed < total; goruntime.Gosched() {
			s, _ = q.Stats(b.Context())
		}
	}
	overChannel := func(buffer int) func() {
		return func() {
			c := make(chan int, buffer)
			var handling sync.WaitGroup
			for range slots {
				handling.Go(func() {
					for range c {
					}
				})
			}
			inParallel(publishers, func() {
				for range round / publishers {
					c <- 1
				}
			})
			close(c)
			handling.Wait()
		}
	}
	var buffered, unbuffered, times []float64
	overQueue()
	for b.Loop() {
		before := heapObjects()
		task := perTask(round, overQueue)
		mallocs += heapObjects() - before
		times = append(times, task)
		buffered = append(buffered, task/perTask(round, overChannel(benchCapacity)))
		unbuffered = append(unbuffered, task/perTask(round, overChannel(0)))
	}
	b.ReportMetric(median(times), "ns/task")
	b.ReportMetric(median(buffered), "x-buffered")
	b.ReportMetric(median(unbuffered), "x-unbuffered")
	b.ReportMetric(float64(mallocs)/float64(len(times)*round), "allocs/task")
}

func inParallel(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
}

// perTask is how many nanoseconds f took for each of n tasks.
func perTask(n int, f func()) float64 {
	began := time.Now()
	f()
	return float64(time.Since(began)) / float64(n)
}

func heapObjects() int64 {
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.Mallocs)
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// BenchmarkBusyIdle measures what beginning and ending a piece of work costs through a Session.
func BenchmarkBusyIdle(b *testing.B) {
	for name, piece := range map[string]func(*workers.Session){
		"Begin": func(s *workers.Session) { s.Begin()(nil) },
		"Do":    func(s *workers.Session) { _ = s.Do(func() error { return nil }) },
	} {
		b.Run(name, func(b *testing.B) {
			sessions := make(chan *workers.Session, 1)
			w := workers.Loop("w", func(_ context.Context, s *workers.Session) error {
				s.Ready()
				sessions <- s
				<-s.Stopping()
				return nil
			})
			if err := w.(workers.Equipped).Equip(workers.Env{}); err != nil {
				b.Fatal(err)
			}
			if err := w.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			s := <-sessions
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					piece(s)
				}
			})
			b.StopTimer()
			w.Stop(forever(), forever())
		})
	}
}

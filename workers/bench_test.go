package workers_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/plba/plba/workers"
)

// BenchmarkPublishHandled measures a task from Publish to the end of its handler, over the memory queue, beside a bare channel with as many goroutines.
func BenchmarkPublishHandled(b *testing.B) {
	for _, slots := range []int{1, 8} {
		b.Run("channel/slots="+strconv.Itoa(slots), func(b *testing.B) {
			c := make(chan int, 1024)
			var wg sync.WaitGroup
			for range slots {
				wg.Go(func() {
					for range c {
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				c <- 1
			}
			close(c)
			wg.Wait()
		})
		b.Run("plba/slots="+strconv.Itoa(slots), func(b *testing.B) {
			q := openQueue[int](b, "q", 1024)
			var handled sync.WaitGroup
			w := workers.Consume("w", q, workers.Func(func(context.Context, int) error { handled.Done(); return nil }), workers.Concurrency(slots))
			if err := w.(workers.Equipped).Equip(workers.Env{}); err != nil {
				b.Fatal(err)
			}
			if err := w.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				handled.Add(1)
				if err := q.Publish(ctx, 1); err != nil {
					b.Fatal(err)
				}
			}
			handled.Wait()
			b.StopTimer()
			w.Stop(forever(), forever())
		})
	}
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

package workers

import (
	"context"
	goruntime "runtime"
	"testing"
)

// BenchmarkAccounting measures what the platform books per task, over eight goroutines: begun, ended, how, and the busy state that follows: the way of a
// consumer's slots. BenchmarkBusyIdle is the same through a Session, which adds the function that Begin hands out.
func BenchmarkAccounting(b *testing.B) {
	l := newLife("w", "bench")
	l.body = func(r *run) error { r.ready(); <-r.intake.Done(); return nil }
	if err := l.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	r := l.cur.Load()
	b.SetParallelism((8 + goruntime.GOMAXPROCS(0) - 1) / goruntime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.act.begin()
			l.count(r, nil)
		}
	})
	b.StopTimer()
	l.Stop(context.Background(), context.Background())
	if s := l.Status(); s.Done != uint64(b.N) || s.InFlight != 0 {
		b.Errorf("%d booked, %+v", b.N, s)
	}
}

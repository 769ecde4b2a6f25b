package runtime_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// footprint is what a process holds.
type footprint struct {
	goroutines, descriptors int
	heap                    int64
}

// measure takes the footprint once the heap is swept. Descriptors are 0 where the system does not list them.
func measure() footprint {
	goruntime.GC()
	goruntime.GC() // finalizers have run
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	fds, _ := os.ReadDir("/proc/self/fd")
	return footprint{goroutines(), len(fds), int64(m.HeapAlloc)}
}

// within says whether it is no more than the other, but for the slack that a heap has.
func (f footprint) within(before footprint) bool {
	return f.goroutines <= before.goroutines && f.descriptors <= before.descriptors && f.heap <= before.heap+512<<10
}

// Restarts of workers, by operators and by the supervisor, and of the application, in real time: goroutines, descriptors and heap stay what they were.
func TestRestartsAreFlat(t *testing.T) {
	rounds := volume(100, 1000)
	file := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	a := run(t, func(r *runtime.Registry) {
		var store *os.File
		r.Resource("store", func(context.Context) (err error) { store, err = os.Open(file); return err }, func(context.Context) error { return store.Close() })
		r.Health("check", nothing, runtime.Every(time.Millisecond))
		jobs := runtime.QueueOf[int](r, "jobs")
		r.Worker(workers.Poll("poll", time.Millisecond, func(ctx context.Context) (int, error) { return 0, jobs.Publish(ctx, 1) }))
		r.Worker(workers.Consume("consumer", jobs, handle(func(context.Context, int) error { return nil }), workers.Concurrency(4)))
		r.Worker(workers.Serve("web", "127.0.0.1:0", http.NotFoundHandler()))
		r.Worker(workers.Loop("loop", func(_ context.Context, s *workers.Session) error {
			s.Ready()
			select {
			case <-s.Stopping():
				return nil
			case <-end:
				return errBoom // what follows waits for its restart, until an operator starts it
			}
		}))
	})
	restarts := func(n int) {
		for i := range n {
			for _, name := range []string{"poll", "consumer", "web"} {
				if _, err := a.RestartWorker(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			w, _ := a.WorkerHandle("loop")
			over := w.Done()
			end <- struct{}{}
			<-over
			startWorker(t, a, "loop")
			if i%5 == 0 {
				_, _ = a.Stop(t.Context()) // not clean when what the poll published last was never taken
				start(t, a)
			}
		}
	}
	restarts(rounds / 2)
	before := measure()
	restarts(rounds)
	after := measure()
	again, late := time.NewTicker(10*time.Millisecond), time.NewTimer(10*time.Second)
	defer again.Stop()
	defer late.Stop()
	for !after.within(before) { // what has just ended may still be on its way out
		select {
		case <-again.C:
			after = measure()
		case <-late.C:
			t.Fatalf("%+v after %d rounds of restarts, %+v before", after, rounds, before)
		}
	}
	t.Logf("%+v after %d rounds of restarts, %+v before", after, rounds, before)
	_, _ = a.Stop(t.Context())
}

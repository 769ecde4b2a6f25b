//go:build unix

package control_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// flow is an application through which tasks run as fast as they can. Of each thousand some fail for good.
type flow struct {
	*plane
	tasks  *queue.Queue[int]
	failed int // of each thousand
	left   atomic.Int64
	over   chan struct{}
}

func newFlow(b *testing.B, failed int) *flow {
	f := &flow{failed: failed, over: make(chan struct{}, 1)}
	app := newBot()
	app.more = func(r *runtime.Registry) {
		f.tasks = runtime.QueueOf[int](r, "flow")
		r.Worker(workers.Consume("flowing", f.tasks, workers.Func(func(_ context.Context, n int) (err error) {
			if n%1000 < f.failed {
				err = task.Permanent(errors.New("no such customer"))
			}
			if f.left.Add(-1) == 0 {
				f.over <- struct{}{}
			}
			return err
		}), workers.Concurrency(4)))
	}
	f.plane = planeOf(b, app, map[string]any{"platform.tracing.transport": "none"})
	if err := f.app.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	f.token = tokenLine.FindStringSubmatch(f.terminal.String())[1]
	f.waitIdle()
	return f
}

// run lets so many tasks through and gives what one took, of processor time of the whole process and by the clock.
func (f *flow) run(b *testing.B, n int) (cpu, wall float64) {
	b.Helper()
	f.left.Store(int64(n))
	began, used := time.Now(), processorTime(b)
	for i := range n {
		if err := f.tasks.Publish(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
	<-f.over
	return float64(processorTime(b)-used) / float64(n), float64(time.Since(began)) / float64(n)
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// subscribe lets n clients read all events until the returned function is called, which gives how many bytes came.
func (f *flow) subscribe(b *testing.B, n int) (end func() int64) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	var bytes atomic.Int64
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.http.Addr()+"/api/v1/events", nil)
		if err != nil {
			b.Fatal(err)
		}
		bearer(f.token)(req)
		res, err := (&http.Client{Transport: f.client.Transport}).Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		wg.Go(func() {
			defer func() { _ = res.Body.Close() }()
			got, _ := io.Copy(io.Discard, res.Body) // until it is cancelled
			bytes.Add(got)
		})
	}
	return func() int64 { cancel(); wg.Wait(); return bytes.Load() }
}

// BenchmarkSubscribers compares a task with nobody listening to events and with 100 clients that read them all, in turns. The clients are in the same process, so what they take is
// counted too.
func BenchmarkSubscribers(b *testing.B) {
	for name, failed := range map[string]int{"all succeed": 0, "some fail": 5} {
		b.Run(name, func(b *testing.B) {
			const subscribers, tasks = 100, 300_000
			f := newFlow(b, failed)
			f.run(b, tasks)
			var cpu, wall [2][]float64
			var bytes int64
			for b.Loop() {
				for i, n := range []int{0, subscribers} {
					end := f.subscribe(b, n)
					c, w := f.run(b, tasks)
					f.command("/api/v1/workers/mail-polling/resume", "") // something is told for sure
					bytes += end()
					cpu[i], wall[i] = append(cpu[i], c), append(wall[i], w)
				}
			}
			if bytes == 0 {
				b.Fatal("nobody was told anything")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(cpu[0]), "cpu-ns/task-alone")
			b.ReportMetric(median(cpu[1])/median(cpu[0]), "cpu-ratio")
			b.ReportMetric(median(wall[1])/median(wall[0]), "wall-ratio")
			b.ReportMetric(slices.Min(cpu[1])/slices.Min(cpu[0]), "least-cpu-ratio")
			b.ReportMetric(slices.Min(wall[1])/slices.Min(wall[0]), "least-wall-ratio")
		})
	}
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

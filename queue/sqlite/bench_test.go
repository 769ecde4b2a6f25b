package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

const benchPayload = 256 // bytes

func openBench(b *testing.B) queue.Engine {
	b.Helper()
	e, err := Driver().Open(b.Context(), queue.Opening{Queue: "bench", Settings: &Settings{Path: filepath.Join(b.TempDir(), "bench.db")}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return e
}

func record() queue.Record {
	return queue.Record{
		Info:    task.Info{ID: uuid.Must(uuid.NewV7()).String(), Queue: "bench", Kind: "bench", MaxAttempts: 20},
		Payload: queue.Payload{Bytes: make([]byte, benchPayload)},
	}
}

// BenchmarkSync is what everything durable is measured against: a page written and synced, again and again.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "synced"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		if _, err := f.WriteAt(page, int64(i%1024)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// concurrently shares b.N rounds of work among n goroutines.
func concurrently(b *testing.B, n int, work func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := work(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("publishers=%d", n), func(b *testing.B) {
			e := openBench(b)
			concurrently(b, n, func() error {
				_, err := e.Publish(b.Context(), []queue.Record{record()}, true)
				return err
			})
		})
	}
}

// BenchmarkCycle publishes, receives and completes; each of the goroutines handles what it is given, and not what it published.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("at_once=%d", n), func(b *testing.B) {
			e := openBench(b)
			concurrently(b, n, func() error {
				if _, err := e.Publish(b.Context(), []queue.Record{record()}, true); err != nil {
					return err
				}
				ls, err := e.Receive(b.Context(), 1, time.Minute)
				if err != nil {
					return err
				}
				_, err = e.Complete(b.Context(), []queue.Completion{{Token: ls[0].Token, Outcome: task.Done}})
				return err
			})
		})
	}
}

// BenchmarkBacklog works off tasks of a queue that holds many: a claim must not cost more because of it. What is worked off is published again, so the backlog
// stays.
func BenchmarkBacklog(b *testing.B) {
	for _, backlog := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("tasks=%d", backlog), func(b *testing.B) {
			e := openBench(b)
			const batch = 250
			records := func() []queue.Record {
				rs := make([]queue.Record, batch)
				for i := range rs {
					rs[i] = record()
				}
				return rs
			}
			for range backlog / batch {
				if _, err := e.Publish(b.Context(), records(), true); err != nil {
					b.Fatal(err)
				}
			}
			for done := 0; b.Loop(); done++ {
				if done%batch == 0 {
					b.StopTimer()
					if _, err := e.Publish(b.Context(), records(), true); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					ls, err := e.Receive(b.Context(), batch, time.Minute)
					if err != nil || len(ls) != batch {
						b.Fatalf("%d leases, %v", len(ls), err)
					}
					cs := make([]queue.Completion, batch)
					for i := range cs {
						cs[i] = queue.Completion{Token: ls[i].Token}
					}
					if _, err := e.Complete(b.Context(), cs); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

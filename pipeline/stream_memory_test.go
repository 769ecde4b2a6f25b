package pipeline_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plba/plba/pipeline"
)

// A slow stage bounds memory: of the values of a fast stage before it no more are alive than fit into the hands of both and onto the belt between
// them, however many tasks wait and however many have gone through.
func TestMemoryIsBoundedBeforeASlowStage(t *testing.T) {
	type page [1 << 18]byte
	var made, alive atomic.Int64
	turn := make(chan struct{})
	const readers, belt, writers, tasks = 3, 5, 2, 200
	p := pipeline.New[int, int]("p").
		Stage(pipeline.Map("read", func(context.Context, int) (*page, error) {
			v := new(page)
			made.Add(1)
			alive.Add(1)
			runtime.AddCleanup(v, func(n *atomic.Int64) { n.Add(-1) }, &alive)
			return v, nil
		})).
		Stage(pipeline.Map("write", func(_ context.Context, v *page) (int, error) { <-turn; return int(v[0]), nil })).
		MustBuild().Streamed(map[string]int{"read": readers, "write": writers}, belt)
	(&slots{size: tasks}).attachTo(t, p)
	var all sync.WaitGroup
	for range tasks {
		all.Go(func() {
			if _, err := p.Run(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	for through := range tasks {
		turn <- struct{}{}
		if through%20 != 0 {
			continue
		}
		// What is dead is noticed some time after a collection; what lives stays alive however often we look.
		for look := 0; alive.Load() > readers+belt+writers; look++ {
			if look == 100 {
				t.Fatalf("%d of %d values are alive after %d have gone through", alive.Load(), made.Load(), through)
			}
			runtime.GC()
		}
	}
	all.Wait()
	if made.Load() != tasks {
		t.Errorf("%d values were made", made.Load())
	}
}

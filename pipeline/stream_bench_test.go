package pipeline_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/pipeline"
)

// Both modes and the channels have so many goroutines for each stage, belts of that length, and tasks under way.
const (
	benchHands  = 2
	benchBuffer = 16
	benchSlots  = 64
)

// ticket is a task on its way through channels by hand: the slot that has it waits until it comes out, as a worker's does.
type ticket struct {
	ctx  context.Context
	l    left
	r    right
	err  error
	done chan struct{}
}

// channels are six stages by hand.
type channels struct {
	belts [6]chan *ticket
	pools [6]sync.WaitGroup
}

func newChannels() *channels {
	c := &channels{}
	for i := range c.belts {
		c.belts[i] = make(chan *ticket, benchBuffer)
	}
	for i := range c.belts {
		for range benchHands {
			c.pools[i].Go(func() {
				for t := range c.belts[i] {
					if i%2 == 0 {
						t.r, t.err = there(t.ctx, t.l)
					} else {
						t.l, t.err = back(t.ctx, t.r)
					}
					if t.err != nil || i == len(c.belts)-1 {
						t.done <- struct{}{}
					} else {
						c.belts[i+1] <- t
					}
				}
			})
		}
	}
	return c
}

func (c *channels) run(t *ticket, in left) (left, error) {
	t.l, t.err = in, nil
	c.belts[0] <- t
	<-t.done
	return t.l, t.err
}

func (c *channels) close() {
	for i := range c.belts {
		close(c.belts[i])
		c.pools[i].Wait()
	}
}

// share has as many goroutines as there are slots call run until they have done so n times.
func share(n int, begin func() (run func())) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range benchSlots {
		wg.Go(func() {
			run := begin()
			for left.Add(-1) >= 0 {
				run()
			}
		})
	}
	wg.Wait()
}

// streamed is the six stages in stream mode, until the test has ended.
func streamed(b *testing.B) *pipeline.Pipeline[left, left] {
	hands := map[string]int{}
	for _, name := range stageNames {
		hands[name] = benchHands
	}
	p := sixStages().Streamed(hands, benchBuffer)
	detach, err := p.Attach(&slots{size: benchSlots})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = detach(context.Background()) })
	return p
}

// byChannels and byStream are one slot's way of running six stages.
func byChannels(c *channels) func() (run func()) {
	return func() func() {
		t := &ticket{ctx: inTask(), done: make(chan struct{}, 1)}
		var l left
		return func() { l, _ = c.run(t, l) }
	}
}

func byStream(p *pipeline.Pipeline[left, left]) func() (run func()) {
	return func() func() {
		ctx := inTask()
		var l left
		return func() { l, _ = p.Run(ctx, l) }
	}
}

func BenchmarkStream(b *testing.B) {
	b.Run("channels", func(b *testing.B) {
		c := newChannels()
		defer c.close()
		b.ReportAllocs()
		b.ResetTimer()
		share(b.N, byChannels(c))
	})
	b.Run("pipeline", func(b *testing.B) {
		p := streamed(b)
		b.ReportAllocs()
		b.ResetTimer()
		share(b.N, byStream(p))
	})
}

// batcher is a batcher by hand: items come to a goroutine that gathers them.
type batcher struct {
	in chan *parcel
	wg sync.WaitGroup
}

type parcel struct {
	in   left
	out  right
	err  error
	done chan struct{}
}

func newBatcher(size int, wait time.Duration, fn func(context.Context, []left) ([]right, error)) *batcher {
	b := &batcher{in: make(chan *parcel)}
	b.wg.Go(func() {
		var open []*parcel
		timer := time.NewTimer(wait)
		defer timer.Stop()
		flush := func() {
			ins := make([]left, len(open))
			for i, p := range open {
				ins[i] = p.in
			}
			outs, err := fn(context.Background(), ins)
			for i, p := range open {
				if p.err = err; err == nil {
					p.out = outs[i]
				}
				p.done <- struct{}{}
			}
			open = open[:0]
		}
		for {
			select {
			case p, ok := <-b.in:
				if !ok {
					return
				}
				if open = append(open, p); len(open) == 1 {
					timer.Reset(wait)
				}
				if len(open) == size {
					flush()
				}
			case <-timer.C:
				if len(open) > 0 {
					flush()
				}
			}
		}
	})
	return b
}

func (b *batcher) run(ctx context.Context, p *parcel, in left) (right, error) {
	p.in = in
	select {
	case b.in <- p:
	case <-ctx.Done():
		return right{}, ctx.Err()
	}
	<-p.done
	return p.out, p.err
}

func thereAll(ctx context.Context, in []left) ([]right, error) {
	out := make([]right, len(in))
	for i, l := range in {
		out[i], _ = there(ctx, l)
	}
	return out, nil
}

const batchSize, batchWait = 32, time.Millisecond

// byBatcher and byBatch are one slot's way of having an item in a batch.
func byBatcher(ctx context.Context, gather *batcher) func() (run func()) {
	return func() func() {
		p := &parcel{done: make(chan struct{}, 1)}
		return func() { _, _ = gather.run(ctx, p, left{}) }
	}
}

func byBatch(ctx context.Context) func() (run func()) {
	p := pipeline.New[left, right]("p").Stage(pipeline.Batch("b", batchSize, batchWait, thereAll)).MustBuild()
	return func() func() { return func() { _, _ = p.Run(ctx, left{}) } }
}

func BenchmarkBatch(b *testing.B) {
	ctx, cancel := context.WithCancel(inTask())
	defer cancel()
	b.Run("by-hand", func(b *testing.B) {
		gather := newBatcher(batchSize, batchWait, thereAll)
		defer gather.wg.Wait()
		defer close(gather.in)
		b.ReportAllocs()
		share(b.N, byBatcher(ctx, gather))
	})
	b.Run("pipeline", func(b *testing.B) {
		b.ReportAllocs()
		share(b.N, byBatch(ctx))
	})
}

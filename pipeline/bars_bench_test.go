package pipeline_test

import (
	"context"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/pipeline"
)

// versus measures two ways of doing the same thing n times, in turns, so that whatever else the machine does meets
// both. It reports medians of the rounds: of ours (ns/op), of the way by hand (hand-ns/op), and of the ratio of
// neighbours. Rounds are long enough to have their share of garbage collections.
func versus(b *testing.B, n int, byHand, ours func(n int)) {
	byHand(n)
	ours(n)
	b.ResetTimer()
	var hand, our, ratio []float64
	for done := 0; done < b.N; done += n {
		h, o := timed(n, byHand), timed(n, ours)
		hand, our, ratio = append(hand, h), append(our, o), append(ratio, o/h)
	}
	b.ReportMetric(median(hand), "hand-ns/op")
	b.ReportMetric(median(our), "ns/op")
	b.ReportMetric(median(ratio), "ratio")
}

func timed(n int, run func(n int)) (perRun float64) {
	start := time.Now()
	run(n)
	return float64(time.Since(start)) / float64(n)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// times makes a round of single runs.
func times(run func()) func(n int) {
	return func(n int) {
		for range n {
			run()
		}
	}
}

// BenchmarkBars has one ratio for each bar that docs/benchmarks.md tells of. Give it a count, as in -benchtime 2000000x.
func BenchmarkBars(b *testing.B) {
	six := sixStages()
	byHand := func(ctx context.Context) func(n int) { return times(func() { result, _ = chain(ctx, result) }) }
	ours := func(ctx context.Context) func(n int) { return times(func() { result, _ = six.Run(ctx, result) }) }
	b.Run("run", func(b *testing.B) {
		ctx := inTask()
		versus(b, 20_000, byHand(ctx), ours(ctx))
	})
	b.Run("cancellable", func(b *testing.B) {
		ctx, cancel := context.WithCancel(inTask())
		defer cancel()
		versus(b, 20_000, byHand(ctx), ours(ctx))
	})
	b.Run("unsampled", func(b *testing.B) {
		ctx, _ := spanned(b, sdktrace.NeverSample())
		versus(b, 20_000, byHand(ctx), ours(ctx))
	})
	b.Run("recording", func(b *testing.B) {
		ctx, tracer := spanned(b, sdktrace.AlwaysSample())
		versus(b, 2_000, times(func() { result, _ = tracedChain(ctx, tracer, result) }), ours(ctx))
	})
	in := make([]left, 5)
	for name, work := range map[string]int{"each": 20_000, "each-idle": 0} {
		b.Run(name, func(b *testing.B) {
			fn, ctx := working(work), inTask()
			p := eachStages(fn)
			versus(b, 1_000, times(func() { _, _ = eachByHand(ctx, in, fn) }), times(func() { _, _ = p.Run(ctx, in) }))
		})
	}
	b.Run("both", func(b *testing.B) {
		ctx, p := inTask(), bothStages()
		versus(b, 5_000, times(func() { result, _ = bothByHand(ctx, result) }), times(func() { result, _ = p.Run(ctx, result) }))
	})
	b.Run("stream", func(b *testing.B) {
		c := newChannels()
		defer c.close()
		hand, p := byChannels(c), byStream(streamed(b))
		versus(b, 30_000, func(n int) { share(n, hand) }, func(n int) { share(n, p) })
	})
	b.Run("batch", func(b *testing.B) {
		ctx, cancel := context.WithCancel(inTask())
		defer cancel()
		gather := newBatcher(batchSize, batchWait, thereAll)
		defer gather.wg.Wait()
		defer close(gather.in)
		hand, p := byBatcher(ctx, gather), byBatch(ctx)
		versus(b, 30_000, func(n int) { share(n, hand) }, func(n int) { share(n, p) })
	})
}

// spanned is the context of a task with a span of a provider of its own.
func spanned(b *testing.B, sampler sdktrace.Sampler) (context.Context, trace.Tracer) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(discard{}))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	tracer := provider.Tracer("bench")
	ctx, span := tracer.Start(inTask(), "task")
	b.Cleanup(func() { span.End() })
	return ctx, tracer
}

func bothByHand(ctx context.Context, in left) (left, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := group{slots: make(chan struct{}, 2), cancel: cancel}
	var x, y right
	g.run(func() (err error) { x, err = there(ctx, in); return err })
	g.run(func() (err error) { y, err = there(ctx, in); return err })
	err := g.wait()
	in.a = x.a + y.a
	return in, err
}

func bothStages() *pipeline.Pipeline[left, left] {
	merge := func(_ context.Context, in left, x, y right) (left, error) { in.a = x.a + y.a; return in, nil }
	return pipeline.New[left, left]("p").Stage(pipeline.Both("both", pipeline.Map("x", there), pipeline.Map("y", there), merge)).MustBuild()
}

package pipeline_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// left and right are values of the size of a small business record.
type (
	left  struct{ a, b, c, d, e, f, g, h int64 }
	right struct{ a, b, c, d, e, f, g, h int64 }
)

//go:noinline
func there(_ context.Context, x left) (right, error) { x.a++; return right(x), nil }

//go:noinline
func back(_ context.Context, x right) (left, error) { x.b++; return left(x), nil }

// chain is what the six stages are measured against: the calls an author would write by hand.
func chain(ctx context.Context, x left) (left, error) {
	y, err := there(ctx, x)
	if err != nil {
		return left{}, err
	}
	if x, err = back(ctx, y); err != nil {
		return left{}, err
	}
	if y, err = there(ctx, x); err != nil {
		return left{}, err
	}
	if x, err = back(ctx, y); err != nil {
		return left{}, err
	}
	if y, err = there(ctx, x); err != nil {
		return left{}, err
	}
	return back(ctx, y)
}

func sixStages() *pipeline.Pipeline[left, left] {
	return pipeline.New[left, left]("six").
		Stage(pipeline.Map("s1", there)).Stage(pipeline.Map("s2", back)).
		Stage(pipeline.Map("s3", there)).Stage(pipeline.Map("s4", back)).
		Stage(pipeline.Map("s5", there)).Stage(pipeline.Map("s6", back)).
		MustBuild()
}

// tracedChain is chain with the spans an author would write by hand.
func tracedChain(ctx context.Context, tracer trace.Tracer, x left) (left, error) {
	var y right
	for i := range 3 {
		err := traced(ctx, tracer, stageNames[2*i], func(ctx context.Context) (err error) {
			y, err = there(ctx, x)
			return err
		})
		if err != nil {
			return left{}, err
		}
		err = traced(ctx, tracer, stageNames[2*i+1], func(ctx context.Context) (err error) {
			x, err = back(ctx, y)
			return err
		})
		if err != nil {
			return left{}, err
		}
	}
	return x, nil
}

var stageNames = []string{"s1", "s2", "s3", "s4", "s5", "s6"}

func traced(ctx context.Context, tracer trace.Tracer, name string, fn func(context.Context) error) error {
	ctx, span := tracer.Start(ctx, name, trace.WithAttributes(
		attribute.String("pipeline.name", "six"),
		attribute.String("pipeline.stage", name),
		attribute.String("pipeline.stage.kind", "map"),
	))
	defer span.End()
	err := fn(ctx)
	if err != nil {
		span.RecordError(err)
	}
	return err
}

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

var result left

// inTask is the context a worker gives its handler.
func inTask() context.Context {
	return task.With(context.Background(), task.Info{ID: "t1"}, nil, nil)
}

func BenchmarkSixStages(b *testing.B) {
	p := sixStages()
	b.Run("by-hand", func(b *testing.B) {
		ctx := inTask()
		b.ReportAllocs()
		for b.Loop() {
			result, _ = chain(ctx, result)
		}
	})
	b.Run("pipeline", func(b *testing.B) {
		ctx := inTask()
		b.ReportAllocs()
		for b.Loop() {
			result, _ = p.Run(ctx, result)
		}
	})
	b.Run("pipeline-cancellable", func(b *testing.B) {
		ctx, cancel := context.WithCancel(inTask())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			result, _ = p.Run(ctx, result)
		}
	})
	for name, sampler := range map[string]sdktrace.Sampler{"unsampled": sdktrace.NeverSample(), "recording": sdktrace.AlwaysSample()} {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(discard{}))
		b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
		tracer := provider.Tracer("bench")
		b.Run("by-hand-"+name, func(b *testing.B) {
			ctx, span := tracer.Start(inTask(), "task")
			defer span.End()
			b.ReportAllocs()
			for b.Loop() {
				result, _ = tracedChain(ctx, tracer, result)
			}
		})
		b.Run("pipeline-"+name, func(b *testing.B) {
			ctx, span := tracer.Start(inTask(), "task")
			defer span.End()
			b.ReportAllocs()
			for b.Loop() {
				result, _ = p.Run(ctx, result)
			}
		})
	}
}

// group is the core of errgroup.Group with a limit.
type group struct {
	wg     sync.WaitGroup
	slots  chan struct{}
	once   sync.Once
	err    error
	cancel context.CancelCauseFunc
}

func (g *group) run(fn func() error) {
	g.slots <- struct{}{}
	g.wg.Go(func() {
		defer func() { <-g.slots }()
		if err := fn(); err != nil {
			g.once.Do(func() { g.err = err; g.cancel(err) })
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	g.cancel(g.err)
	return g.err
}

// eachByHand is a fan-out by hand, four elements at once.
func eachByHand(ctx context.Context, in []left, fn func(context.Context, left) (right, error)) ([]right, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := group{slots: make(chan struct{}, 4), cancel: cancel}
	out := make([]right, len(in))
	for i := range in {
		g.run(func() (err error) {
			out[i], err = fn(ctx, in[i])
			return err
		})
	}
	return out, g.wait()
}

func eachStages(fn func(context.Context, left) (right, error)) *pipeline.Pipeline[[]left, []right] {
	return pipeline.New[[]left, []right]("p").Stage(pipeline.Each("each", pipeline.Map("one", fn), pipeline.AtOnce(4))).MustBuild()
}

// working is a stage that has so much to do.
func working(work int) func(context.Context, left) (right, error) {
	return func(ctx context.Context, x left) (right, error) {
		for i := range work {
			x.h += int64(i) ^ x.g
		}
		return there(ctx, x)
	}
}

func BenchmarkEach(b *testing.B) {
	in := make([]left, 5)
	for _, work := range []int{0, 20_000} {
		fn := working(work)
		name := "work=" + strconv.Itoa(work)
		b.Run("group/"+name, func(b *testing.B) {
			ctx := inTask()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = eachByHand(ctx, in, fn)
			}
		})
		b.Run("each/"+name, func(b *testing.B) {
			p, ctx := eachStages(fn), inTask()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Run(ctx, in)
			}
		})
	}
}

// What one policy costs a stage that succeeds at once.
func BenchmarkPolicy(b *testing.B) {
	stage := pipeline.Map("s", there)
	use := func(ctx context.Context, _ pipeline.StageInfo, next func(context.Context) error) error {
		return next(ctx)
	}
	yes := func(error) bool { return true }
	for _, c := range []struct {
		name string
		p    *pipeline.Builder[left, right]
	}{
		{"none", pipeline.New[left, right]("p").Stage(stage)},
		{"retry", pipeline.New[left, right]("p").Stage(stage.Retry(3).RetryIf(yes))},
		{"fallback", pipeline.New[left, right]("p").Stage(stage.Fallback(func(context.Context, left, error) (right, error) { return right{}, nil }))},
		{"breaker", pipeline.New[left, right]("p").Stage(stage.Breaker(5, time.Second))},
		{"rate", pipeline.New[left, right]("p").Stage(stage.Rate(1e9, 1e9))},
		{"limit", pipeline.New[left, right]("p").Stage(stage.Limit(4))},
		{"timeout", pipeline.New[left, right]("p").Stage(stage.Timeout(time.Second))},
		{"middleware", pipeline.New[left, right]("p").Stage(stage).Use(use)},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, ctx := c.p.MustBuild(), inTask()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Run(ctx, result)
			}
		})
	}
}

// Two branches at once beside two goroutines by hand.
func BenchmarkBoth(b *testing.B) {
	b.Run("by-hand", func(b *testing.B) {
		ctx := inTask()
		b.ReportAllocs()
		for b.Loop() {
			result, _ = bothByHand(ctx, result)
		}
	})
	b.Run("both", func(b *testing.B) {
		p, ctx := bothStages(), inTask()
		b.ReportAllocs()
		for b.Loop() {
			result, _ = p.Run(ctx, result)
		}
	})
}

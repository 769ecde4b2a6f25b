package pipeline_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// slots are those of a worker.
type slots struct {
	size int

	mu      sync.Mutex
	parked  int
	most    int
	flushes map[int]func()
	next    int
	wg      sync.WaitGroup
}

func (s *slots) Size() int { return s.size }

func (s *slots) Park() (unpark func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked++
	s.most = max(s.most, s.parked)
	s.check()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parked--
	})
}

func (s *slots) OnSaturated(flush func()) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushes == nil {
		s.flushes = map[int]func(){}
	}
	s.next++
	n := s.next
	s.flushes[n] = flush
	s.check()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.flushes, n)
	}
}

func (s *slots) check() {
	if s.parked < s.size {
		return
	}
	for n, flush := range s.flushes {
		delete(s.flushes, n)
		s.wg.Go(flush)
	}
}

// attachTo attaches the pipeline until the end of the test.
func (s *slots) attachTo(t *testing.T, p task.Attacher) {
	t.Helper()
	detach, err := p.Attach(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := detach(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// handle is the context of a task in one of the slots.
func (s *slots) handle(ctx context.Context, id string) context.Context {
	return task.With(ctx, task.Info{ID: id, Attempt: 1, MaxAttempts: 3}, nil, s)
}

// idle checks that no slot counts as waiting any more, and nobody listens.
func (s *slots) idle(t *testing.T) {
	t.Helper()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parked != 0 || len(s.flushes) != 0 {
		t.Errorf("%d slots parked, %d listeners", s.parked, len(s.flushes))
	}
}

func TestFewerSlotsThanABatchHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		s := &slots{size: 3}
		p, a, began := b.pipeline(100, time.Hour), newAnswers(), time.Now()
		s.attachTo(t, p)
		for v := range 6 {
			a.run(s.handle(t.Context(), fmt.Sprint(v)), p, v)
		}
		a.wg.Wait()
		b.want(t, []int{0, 1, 2}, []int{3, 4, 5})
		if got := time.Since(began); got != 0 {
			t.Errorf("it took %s", got)
		}
		s.idle(t)
	})
}

func TestSlotsThatMayBringMoreAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		s := &slots{size: 3}
		p, a, began := b.pipeline(100, time.Minute), newAnswers(), time.Now()
		s.attachTo(t, p)
		a.run(s.handle(t.Context(), "a"), p, 1)
		a.run(s.handle(t.Context(), "b"), p, 2)
		b.want(t)
		a.wg.Wait()
		b.want(t, []int{1, 2})
		if got := time.Since(began); got != time.Minute {
			t.Errorf("it took %s", got)
		}
		s.idle(t)
	})
}

// A task waits when all of its elements do, not with the first of them.
func TestElementsOfATaskFillABatch(t *testing.T) {
	for atOnce, want := range map[int][][]int{1: {{1}, {2}, {3}, {4}, {5}}, 2: {{1, 2}, {3, 4}, {5}}, 8: {{1, 2, 3, 4, 5}}} {
		synctest.Test(t, func(t *testing.T) {
			var b batches
			s := &slots{size: 1}
			p := pipeline.New[[]int, []int]("p").
				Stage(pipeline.Each("e", pipeline.New[int, int]("i").Stage(pipeline.Map("prepare", func(_ context.Context, v int) (int, error) {
					time.Sleep(time.Duration(v) * time.Second)
					return v, nil
				})).Stage(pipeline.Batch("b", 100, time.Hour, b.do)).MustBuild(), pipeline.AtOnce(atOnce))).
				MustBuild()
			s.attachTo(t, p)
			began := time.Now()
			got, err := p.Run(s.handle(t.Context(), "a"), []int{1, 2, 3, 4, 5})
			if err != nil || !slices.Equal(got, []int{10, 20, 30, 40, 50}) {
				t.Error(got, err)
			}
			for _, seen := range b.seen {
				slices.Sort(seen)
			}
			b.want(t, want...)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %s", took)
			}
			s.idle(t)
		})
	}
}

func TestElementThatEndsItsGoroutineBringsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		s := &slots{size: 1}
		stage := pipeline.New[int, int]("i").Stage(pipeline.Map("prepare", func(_ context.Context, v int) (int, error) {
			switch v {
			case 2:
				runtime.Goexit()
			case 3:
				panic("out of paper")
			}
			return v, nil
		})).Stage(pipeline.Batch("b", 100, time.Hour, b.do)).MustBuild()
		p := pipeline.New[[]int, []int]("p").Stage(pipeline.Each("e", stage, pipeline.CollectErrors())).MustBuild()
		s.attachTo(t, p)
		began := time.Now()
		_, err := p.Run(s.handle(t.Context(), "a"), []int{1, 2, 3, 4})
		if err == nil || time.Since(began) != 0 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		s.idle(t)
	})
}

func TestTwoWorkersOfOnePipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		one, two := &slots{size: 2}, &slots{size: 5}
		p, a, began := b.pipeline(100, time.Hour), newAnswers(), time.Now()
		one.attachTo(t, p)
		two.attachTo(t, p)
		a.run(two.handle(t.Context(), "a"), p, 1)
		a.run(one.handle(t.Context(), "b"), p, 2)
		a.run(one.handle(t.Context(), "c"), p, 3)
		a.wg.Wait()
		b.want(t, []int{1, 2, 3})
		if got := time.Since(began); got != 0 {
			t.Errorf("it took %s", got)
		}
		one.idle(t)
		two.idle(t)
	})
}

func TestCancelledMemberIsNoLongerParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		s := &slots{size: 2}
		p, a := b.pipeline(100, time.Hour), newAnswers()
		s.attachTo(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		a.run(s.handle(ctx, "a"), p, 1)
		cancel()
		a.wg.Wait()
		s.idle(t)
		b.want(t)
	})
}

func TestContextOfABatchIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type private struct{}
		b := batches{end: func(ctx context.Context, in []int) ([]int, error) {
			_, isTask := task.From(ctx)
			if isTask || task.Key(ctx) != "" || ctx.Value(private{}) != nil {
				t.Errorf("task %t, key %q, value %v", isTask, task.Key(ctx), ctx.Value(private{}))
			}
			if _, bounded := ctx.Deadline(); bounded {
				t.Error("it has a deadline of one of the tasks")
			}
			return in, nil
		}}
		s := &slots{size: 3}
		p, a := b.pipeline(2, time.Hour), newAnswers()
		s.attachTo(t, p)
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), private{}, 1), time.Minute)
		defer cancel()
		for v := range 2 {
			a.run(s.handle(ctx, "a"), p, v)
		}
		a.wg.Wait()
		b.want(t, []int{0, 1})
	})
}

func TestSpanOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		var b batches
		p, a := b.pipeline(2, time.Hour), newAnswers()
		for v := range 2 {
			ctx, span := provider.Tracer("worker").Start(t.Context(), "process")
			a.run(ctx, p, v)
			defer span.End()
		}
		a.wg.Wait()
		spans := map[string][]sdktrace.ReadOnlySpan{}
		for _, s := range recorder.Ended() {
			spans[s.Name()] = append(spans[s.Name()], s)
		}
		if len(spans["b batch"]) != 1 || len(spans["b"]) != 2 {
			t.Fatalf("spans %v", tree(recorder.Ended()))
		}
		batch := spans["b batch"][0]
		if batch.Parent().IsValid() || len(batch.Links()) != 2 {
			t.Errorf("parent %v, links %v", batch.Parent(), batch.Links())
		}
		set := attribute.NewSet(batch.Attributes()...)
		if size, _ := set.Value("pipeline.batch.size"); size.AsInt64() != 2 {
			t.Errorf("attributes %v", batch.Attributes())
		}
		for _, s := range spans["b"] {
			if len(s.Links()) != 1 || s.Links()[0].SpanContext.SpanID() != batch.SpanContext().SpanID() {
				t.Errorf("links of a member: %v", s.Links())
			}
		}
	})
}

func TestCheckSlots(t *testing.T) {
	var b batches
	alone := b.pipeline(10, time.Second)
	inside := pipeline.New[[]int, []int]("p").Stage(pipeline.Each("e", alone, pipeline.AtOnce(4))).MustBuild()
	const tooMany = `batch "p/%s" gathers 10 items, and %d slots never bring so many at once: it takes %d, or a smaller batch`
	for _, c := range []struct {
		p    task.SlotsChecker
		size int
		want string
	}{
		{alone, 10, ""}, {alone, 9, fmt.Sprintf(tooMany, "b", 9, 10)},
		{inside, 3, ""}, {inside, 2, fmt.Sprintf(tooMany, "e/p/b", 2, 3)},
	} {
		got := ""
		if err := c.p.CheckSlots(c.size); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d slots: %q, want %q", c.size, got, c.want)
		}
	}
}

// A pipeline that no worker has attached gathers until its time, and so do the items of those that come later.
func TestDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		s := &slots{size: 1}
		p, a, began := b.pipeline(100, time.Hour), newAnswers(), time.Now()
		detach, err := p.Attach(s)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time does nothing
			if err := detach(t.Context()); err != nil {
				t.Error(err)
			}
		}
		a.run(s.handle(t.Context(), "a"), p, 1)
		a.wg.Wait()
		if got := time.Since(began); got != time.Hour || s.most != 0 {
			t.Errorf("it took %s, %d slots were parked", got, s.most)
		}
		if _, err := p.Attach(nil); err == nil {
			t.Error("attached to nothing")
		}
	})
}

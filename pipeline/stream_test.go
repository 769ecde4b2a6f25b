package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// takes makes a stage that takes a while and notes how many run at once.
func takes(name string, d time.Duration, most *atomic.Int64) *pipeline.Step[int, int] {
	var now atomic.Int64
	return pipeline.Map(name, func(ctx context.Context, v int) (int, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		select {
		case <-time.After(d):
			return v + 1, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
}

func TestStreamModeGivesEachStageItsOwnHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b, c atomic.Int64
		p := pipeline.New[int, int]("p").
			Stage(takes("download", time.Second, &a)).
			Stage(takes("parse", 4*time.Second, &b)).
			Stage(takes("write", time.Second, &c)).
			MustBuild().Streamed(map[string]int{"download": 2, "parse": 8}, 4)
		s := &slots{size: 32}
		s.attachTo(t, p)
		answers, began := newAnswers(), time.Now()
		for v := range 32 {
			answers.run(s.handle(t.Context(), "t"), p, v)
		}
		answers.wg.Wait()
		for v := range 32 {
			if answers.outs[v] != v+3 || answers.errs[v] != nil {
				t.Errorf("%d: %d, %v", v, answers.outs[v], answers.errs[v])
			}
		}
		if a.Load() != 2 || b.Load() != 8 || c.Load() != 1 {
			t.Errorf("at once: %d, %d, %d", a.Load(), b.Load(), c.Load())
		}
		// 32 tasks, one a second through the last stage, which has its first after 5 seconds.
		if took := time.Since(began); took != 37*time.Second {
			t.Errorf("it took %s", took)
		}
		if n := p.Counters(); n["p"].Done != 32 || n["p/parse"].Done != 32 || n["p/write"].InFlight != 0 {
			t.Errorf("counters %+v", n)
		}
	})
}

// A slow stage makes those before it wait: what lies between them is bounded.
func TestSlowStageInStreamMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var read atomic.Int64
		stuck := make(chan struct{})
		p := pipeline.New[int, []byte]("p").
			Stage(pipeline.Map("read", func(_ context.Context, v int) ([]byte, error) { read.Add(1); return make([]byte, 1<<10), nil })).
			Stage(pipeline.Map("slow", func(_ context.Context, b []byte) ([]byte, error) { <-stuck; return b, nil })).
			MustBuild().Streamed(map[string]int{"read": 3, "slow": 2}, 5)
		(&slots{size: 1000}).attachTo(t, p)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := p.Run(t.Context(), 1); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := read.Load(); got != 2+5+3 { // in the slow stage, in front of it, in the hands of the first one
			t.Errorf("%d were read", got)
		}
		close(stuck)
		wg.Wait()
		if got := read.Load(); got != 1000 {
			t.Errorf("%d were read in the end", got)
		}
	})
}

func TestFailuresInStreamModeAreThoseOfTheirTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stage := pipeline.Map("s", func(_ context.Context, v int) (int, error) {
			switch v % 6 {
			case 0:
				return 0, errAway
			case 1:
				panic("out of paper")
			case 2:
				runtime.Goexit()
			case 3:
				return 0, task.Drop("not ours")
			}
			return v, nil
		})
		p := pipeline.New[int, int]("p").Stage(add("a", 0)).Stage(stage).Stage(add("b", 1)).MustBuild().Streamed(map[string]int{"s": 2}, 0)
		(&slots{size: 60}).attachTo(t, p)
		answers := newAnswers()
		for v := range 60 {
			answers.run(t.Context(), p, v)
		}
		answers.wg.Wait()
		want := map[int]string{0: "p/s: database away", 1: "p/s: panic: out of paper", 2: "p/s: " + pipeline.ErrGoexit.Error(), 3: "p/s: dropped: not ours"}
		for v := range 60 {
			err, out := answers.errs[v], answers.outs[v]
			if text := want[v%6]; text != "" && (err == nil || err.Error() != text || out != 0) || text == "" && (err != nil || out != v+1) {
				t.Errorf("%d: %d, %v", v, out, err)
			}
		}
		if n := p.Counters(); n["p/s"].Failed != 30 || n["p/s"].Dropped != 10 || n["p/s"].Done != 20 || n["p/s"].InFlight != 0 || n["p"].InFlight != 0 {
			t.Errorf("counters %+v", n)
		}
	})
}

func TestCancelledInStreamMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		stuck := make(chan struct{})
		p := pipeline.New[int, int]("p").
			Stage(d.noted("a", nil)).
			Stage(pipeline.Tap("b", func(context.Context, int) error { <-stuck; return nil })).
			Stage(d.noted("c", nil)).
			MustBuild().Streamed(nil, 0)
		(&slots{size: 9}).attachTo(t, p)
		ctx, cancel := context.WithCancelCause(t.Context())
		answers := newAnswers()
		for v := range 3 { // one in b, one at its door in the hands of a, one at the door of a
			answers.run(ctx, p, v)
		}
		d.want(t, "a(0)", "a(1)")
		cancel(task.ErrForced)
		synctest.Wait()
		if err := answers.errs[2]; err == nil || err.Error() != "p/a: stopped by force" {
			t.Errorf("the one at the door: %v", err)
		}
		if len(answers.errs) != 1 {
			t.Errorf("those inside were not waited for: %v", answers.errs)
		}
		close(stuck)
		answers.wg.Wait()
		for v, text := range map[int]string{0: "p/c: stopped by force", 1: "p/b: stopped by force"} {
			if err := answers.errs[v]; err == nil || err.Error() != text || !errors.Is(err, task.ErrForced) {
				t.Errorf("%d: %v", v, err)
			}
		}
		d.want(t)
	})
}

func TestNotAttached(t *testing.T) {
	run := pipeline.New[int, int]("p").Stage(add("a", 1)).MustBuild()
	p := run.Streamed(nil, 0)
	refused := func() {
		t.Helper()
		if _, err := p.Run(t.Context(), 1); !errors.Is(err, pipeline.ErrNotAttached) || !strings.HasPrefix(err.Error(), "p: ") {
			t.Errorf("Run: %v", err)
		}
	}
	refused()
	s := &slots{size: 1}
	for range 2 {
		first, err := p.Attach(s)
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.Attach(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, detach := range []func(context.Context) error{first, second} {
			if got, err := p.Run(t.Context(), 1); got != 2 || err != nil {
				t.Errorf("Run = %d, %v", got, err)
			}
			if err := detach(t.Context()); err != nil {
				t.Error(err)
			}
		}
		refused()
	}
	if got, err := run.Run(t.Context(), 1); got != 2 || err != nil {
		t.Errorf("in run mode: %d, %v", got, err)
	}
}

func TestDetachWaitsForRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		p := pipeline.New[int, int]("p").Stage(add("a", 1)).
			Stage(pipeline.Tap("hangs", func(context.Context, int) error { <-stuck; return nil })).
			MustBuild().Streamed(nil, 0)
		detach, err := p.Attach(&slots{size: 1})
		if err != nil {
			t.Fatal(err)
		}
		answers := newAnswers()
		answers.run(t.Context(), p, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err = detach(ctx)
		if err == nil || err.Error() != `pipeline "p": runs have not ended in stage hangs: context deadline exceeded` || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		// A new life begins with goroutines of its own; the old ones end with their run.
		again, err := p.Attach(&slots{size: 1})
		if err != nil {
			t.Fatal(err)
		}
		close(stuck)
		answers.wg.Wait()
		if answers.outs[1] != 2 || answers.errs[1] != nil {
			t.Errorf("%v %v", answers.outs, answers.errs)
		}
		if err := again(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFaultsOfStreamMode(t *testing.T) {
	run := pipeline.New[int, int]("p").Stage(add("a", 1)).Stage(add("b", 1)).MustBuild()
	p := run.Streamed(map[string]int{"a": 0, "b": -1, "c": 2}, -1)
	_, attached := p.Attach(&slots{size: 1})
	_, ran := p.Run(t.Context(), 1)
	for what, err := range map[string]error{"Attach": attached, "CheckSlots": p.CheckSlots(1), "Run": ran} {
		var build *pipeline.BuildError
		if !errors.As(err, &build) || len(build.Faults) != 4 {
			t.Fatalf("%s: %v", what, err)
		}
		at, text := build.Faults[0].At, err.Error()
		if what != "Run" && !strings.HasPrefix(at, "pipeline/stream_test.go:") {
			t.Errorf("%s: at %s", what, at)
		}
		golden(t, "faults/stream-mode.txt", strings.ReplaceAll(text, at, "pipeline/stream_test.go")+"\n")
	}
	var build *pipeline.BuildError
	for _, stage := range []pipeline.AnyStage{run.Streamed(nil, 0), pipeline.Sub(run.Streamed(nil, 0))} {
		if _, err := pipeline.New[int, int]("q").Stage(stage).Build(); !errors.As(err, &build) || !strings.Contains(err.Error(), "stream mode") {
			t.Errorf("as a stage: %v", err)
		}
	}
}

func TestCheckpointsInStreamMode(t *testing.T) {
	var d diary
	s, failing := newShelf(), errAway
	p := d.line(&failing).Streamed(nil, 0)
	(&slots{size: 1}).attachTo(t, p)
	if _, err := p.Run(s.lease(t.Context()), 1); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	d.want(t, "a(1)", "b(2)", "c(3)", "d(4)", "e(5)")
	failing = nil
	if got, err := p.Run(s.lease(t.Context()), 1); got != 6 || err != nil {
		t.Errorf("Run = %d, %v", got, err)
	}
	d.want(t, "e(5)")

	failing = errDeclined
	u := d.settle(&failing).Streamed(nil, 0)
	(&slots{size: 1}).attachTo(t, u)
	if _, err := u.Run(t.Context(), 1); !errors.Is(err, errDeclined) {
		t.Fatal(err)
	}
	d.want(t, "reserve(1)", "look(2)", "charge(3)", "book(4)", "notify(5)", "undo charge(3)=4: settle/notify: card declined", "undo reserve(1)=2: settle/notify: card declined")
}

func TestLastCheckpointInStreamMode(t *testing.T) {
	var d diary
	s := newShelf()
	p := pipeline.New[int, int]("p").Stage(d.noted("a", nil).Checkpoint()).MustBuild().Streamed(nil, 0)
	(&slots{size: 1}).attachTo(t, p)
	for range 2 {
		if got, err := p.Run(s.lease(t.Context()), 1); got != 2 || err != nil {
			t.Errorf("Run = %d, %v", got, err)
		}
	}
	d.want(t, "a(1)")
}

func TestBatchInStreamMode(t *testing.T) {
	for name, c := range map[string]struct {
		hands, slots int
		want         [][]int
	}{
		"as many hands as it takes":      {3, 6, [][]int{{0, 1, 2}, {3, 4, 5}}},
		"no more than these hands bring": {2, 6, [][]int{{0, 1}, {2, 3}, {4, 5}}},
		"no more than these slots bring": {9, 2, [][]int{{0, 1}, {2, 3}, {4, 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b batches
				p := pipeline.New[int, int]("p").Stage(add("a", 0)).Stage(pipeline.Batch("b", 3, time.Hour, b.do)).MustBuild().
					Streamed(map[string]int{"b": c.hands}, 10)
				s := &slots{size: c.slots}
				s.attachTo(t, p)
				answers, began := newAnswers(), time.Now()
				for v := range 6 {
					answers.run(s.handle(t.Context(), fmt.Sprint(v)), p, v)
				}
				answers.wg.Wait()
				b.want(t, c.want...)
				if took := time.Since(began); took != 0 {
					t.Errorf("it took %s", took)
				}
				s.idle(t)
			})
		})
	}
	p := (&batches{}).pipeline(3, time.Hour).Streamed(nil, 0)
	if err := p.CheckSlots(9); err == nil || err.Error() != `batch "p/b" gathers 3 items, and 1 workers of its stage never bring so many at once: it takes 3, or a smaller batch` {
		t.Errorf("CheckSlots: %v", err)
	}
}

func TestSpansInStreamMode(t *testing.T) {
	p := pipeline.New[int, int]("p").Stage(add("a", 1)).Stage(add("b", 1)).MustBuild().Streamed(nil, 0)
	(&slots{size: 1}).attachTo(t, p)
	spans := recorded(t, sdktrace.AlwaysSample(), func(ctx context.Context) { _, _ = p.Run(ctx, 1) })
	want := []string{">a name=p stage=a stage.kind=map", ">b name=p stage=b stage.kind=map"}
	if got := tree(spans); !slices.Equal(got, want) {
		t.Errorf("spans %v", got)
	}
}

func TestGraphOfStreamMode(t *testing.T) {
	run := pipeline.New[int, int]("p").Stage(add("a", 1)).Stage(add("b", 1)).MustBuild()
	g := run.Streamed(map[string]int{"b": 7}, 3).Graph()
	a, _ := g.Find("p/a")
	b, _ := g.Find("p/b")
	root, _ := g.Find("p")
	if a.Policies["workers"] != "1" || b.Policies["workers"] != "7" || root.Policies["buffer"] != "3" {
		t.Errorf("graph %+v", g.Nodes)
	}
	if b, _ := run.Graph().Find("p/b"); len(b.Policies) != 0 {
		t.Errorf("the pipeline in run mode has changed: %+v", b)
	}
}

func TestKeysInStreamMode(t *testing.T) {
	var k keys
	p := pipeline.New[string, string]("p").Stage(k.stage("a")).Stage(k.stage("b")).MustBuild().Streamed(nil, 0)
	(&slots{size: 1}).attachTo(t, p)
	if _, err := p.Run(task.With(t.Context(), task.Info{ID: "t1"}, nil, nil), "x"); err != nil {
		t.Fatal(err)
	}
	k.want(t, "t1/p/a", "t1/p/b")
}

package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// counted is what the counters say, in short; without times.
func counted(all map[string]pipeline.Counters) map[string]string {
	short := map[string]string{}
	for id, c := range all {
		var parts []string
		for _, f := range []struct {
			name string
			n    int64
		}{{"in", c.InFlight}, {"done", c.Done}, {"failed", c.Failed}, {"dropped", c.Dropped}, {"retried", c.Retried}} {
			if f.n != 0 {
				parts = append(parts, fmt.Sprint(f.name, " ", f.n))
			}
		}
		short[id] = strings.Join(parts, ", ")
	}
	return short
}

func wantCounted(t *testing.T, all map[string]pipeline.Counters, want map[string]string) {
	t.Helper()
	got := counted(all)
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if got[id] != want[id] {
			t.Errorf("%s: %q, want %q", id, got[id], want[id])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d counters, want %d", len(got), len(want))
	}
}

// misbehave is a stage that ends as its value says.
func misbehave(name string) *pipeline.Step[int, int] {
	return pipeline.Map(name, func(_ context.Context, v int) (int, error) {
		switch v {
		case 1:
			return 0, errAway
		case 2:
			return 0, task.Drop("not ours")
		case 3:
			panic("out of paper")
		case 4:
			runtime.Goexit()
		case 5:
			return 0, task.Snooze(time.Second, "later")
		}
		return v, nil
	})
}

func TestCounters(t *testing.T) {
	inner := pipeline.New[int, int]("inner").Stage(misbehave("x")).Stage(add("y", 0)).MustBuild()
	merge := func(_ context.Context, v, _, _ int) (int, error) { return v, nil }
	answer := pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error { return nil })
	refuse := func(_ context.Context, v int) error {
		if v == 9 {
			return errOdd
		}
		return nil
	}
	p := pipeline.New[int, int]("p").
		Stage(add("a", 0)).
		Stage(misbehave("b").Retry(2, noPause)).
		Stage(pipeline.Validate("check", refuse, answer)).
		Stage(pipeline.Switch("sw", func(v int) bool { return v > 20 }, pipeline.On(true, add("big", 0)), pipeline.On(false, add("small", 0)))).
		Stage(pipeline.Both("both", add("l", 0), add("r", 0), merge)).
		Stage(pipeline.Pure("list", func(v int) []int {
			if v < 20 {
				return nil
			}
			return []int{0, 1, 2, 3, 4, 5, 6}
		})).
		Stage(pipeline.Each("each", inner, pipeline.CollectErrors()).Fallback(func(context.Context, []int, error) ([]int, error) { return nil, nil })).
		Stage(pipeline.Pure("sum", func(v []int) int { return len(v) })).
		MustBuild()
	for _, v := range []int{0, 1, 2, 3, 4, 5, 9, 30} {
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.Run(context.Background(), v) })
		wg.Wait()
	}
	wantCounted(t, p.Counters(), map[string]string{
		"p": "done 2, failed 4, dropped 2", "p/a": "done 8", "p/b": "done 3, failed 4, dropped 1, retried 1",
		"p/check": "done 2, dropped 1", "p/check/answer": "done 1",
		"p/sw": "done 2", "p/sw/big": "done 1", "p/sw/small": "done 1",
		"p/both": "done 2", "p/both/l": "done 2", "p/both/r": "done 2", "p/list": "done 2", "p/each": "done 2",
		"p/each/inner": "done 2, failed 4, dropped 1", "p/each/inner/x": "done 2, failed 4, dropped 1", "p/each/inner/y": "done 2", "p/sum": "done 2",
	})
	wantCounted(t, inner.Counters(), map[string]string{"inner": "", "inner/x": "", "inner/y": ""})
	nodes := map[string]bool{}
	for _, n := range p.Graph().Nodes {
		nodes[n.ID] = true
	}
	for id := range p.Counters() {
		if !nodes[id] {
			t.Errorf("the graph has no node %s", id)
		}
	}
}

func TestCountersWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		waits := pipeline.Map("wait", func(context.Context, int) (int, error) { <-stop; return 1, nil })
		p := pipeline.New[int, int]("p").Stage(add("a", 1)).Stage(waits.Limit(1)).Stage(add("b", 1)).MustBuild()
		outer := pipeline.New[[]int, []int]("outer").Stage(pipeline.Each("each", p)).MustBuild()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.Run(t.Context(), 1) })
		wg.Go(func() { _, _ = outer.Run(t.Context(), []int{1, 2}) })
		synctest.Wait()
		wantCounted(t, p.Counters(), map[string]string{"p": "in 1", "p/a": "done 1", "p/wait": "in 1", "p/b": ""})
		wantCounted(t, outer.Counters(), map[string]string{
			"outer": "in 1", "outer/each": "in 1", "outer/each/p": "in 2", "outer/each/p/a": "done 2", "outer/each/p/wait": "in 2", "outer/each/p/b": "",
		})
		close(stop)
		wg.Wait()
		for _, all := range []map[string]pipeline.Counters{p.Counters(), outer.Counters()} {
			for id, c := range all {
				if c.InFlight != 0 {
					t.Errorf("%s: %d in flight at the end", id, c.InFlight)
				}
			}
		}
	})
}

// A run that is cancelled between two stages has left the one and not entered the other.
func TestCountersOfACancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := pipeline.New[int, int]("p").
		Stage(pipeline.Tap("a", func(context.Context, int) error { cancel(); return nil })).
		Stage(add("b", 1)).MustBuild()
	_, _ = p.Run(ctx, 1)
	wantCounted(t, p.Counters(), map[string]string{"p": "failed 1", "p/a": "done 1", "p/b": ""})
}

func TestCountersOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := pipeline.Map("slow", func(_ context.Context, v int) (int, error) {
			<-time.After(time.Duration(v) * time.Second)
			return v, nil
		})
		p := pipeline.New[int, int]("p").Stage(slow).Stage(add("quick", 1)).MustBuild()
		for v := range 200 {
			_, _ = p.Run(t.Context(), v+1)
		}
		all := p.Counters()
		if c := all["p/slow"]; c.Timed != 200 || c.Mean() != 100500*time.Millisecond || time.Duration(c.Nanos) != 20100*time.Second {
			t.Errorf("slow: %+v, %s on average", c, c.Mean())
		}
		// The first run of a quick stage is timed, and then one of 64.
		if c := all["p/quick"]; c.Done != 200 || c.Timed != 4 && c.Timed != 1 || c.Mean() != 0 {
			t.Errorf("quick: %+v, %s on average", c, c.Mean())
		}
		if c := all["p"]; c.Timed != 200 || c.Mean() != 100500*time.Millisecond {
			t.Errorf("whole: %+v", c)
		}
	})
}

func TestCountersAsJSON(t *testing.T) {
	p := pipeline.New[int, int]("p").Stage(add("a", 1)).MustBuild()
	text, err := json.Marshal(p.Counters())
	if want := `{"p":{"in_flight":0,"done":0,"failed":0,"dropped":0,"retried":0,"timed":0,"nanos":0},` +
		`"p/a":{"in_flight":0,"done":0,"failed":0,"dropped":0,"retried":0,"timed":0,"nanos":0}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if (pipeline.Counters{}).Mean() != 0 {
		t.Error("a mean of nothing")
	}
}

// However many runs at once, nothing is counted twice or lost.
func TestCountersOfManyRuns(t *testing.T) {
	p := pipeline.New[int, int]("p").Stage(add("a", 0)).Stage(misbehave("b")).Stage(add("c", 0)).MustBuild()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 400 {
				_, _ = p.Run(context.Background(), []int{0, 1, 2, 3}[i%4])
				for id, c := range p.Counters() {
					if c.InFlight < 0 {
						t.Errorf("%s: %d in flight", id, c.InFlight)
					}
				}
			}
		})
	}
	wg.Wait()
	wantCounted(t, p.Counters(), map[string]string{
		"p": "done 800, failed 1600, dropped 800", "p/a": "done 3200", "p/b": "done 800, failed 1600, dropped 800", "p/c": "done 800",
	})
}

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

var ends = []string{"error", "permanent", "snooze", "retry after", "drop", "panic", "goexit"}

func drawLeaf(t *rapid.T, name string) plan {
	l := &leaf{
		name: name,
		kind: rapid.SampledFrom([]string{"map", "map", "tap", "filter", "pure"}).Draw(t, "kind"),
		add:  rapid.IntRange(-3, 3).Draw(t, "add"),
	}
	if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
		l.end = rapid.SampledFrom(ends).Draw(t, "end")
		l.failMod = rapid.IntRange(1, 3).Draw(t, "modulo")
		l.failRem = rapid.IntRange(0, l.failMod-1).Draw(t, "remainder")
		l.failTimes = rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "times")
	}
	l.attempts, l.timeout = drawPolicies(t)
	return l
}

func drawPolicies(t *rapid.T) (attempts int, timeout bool) {
	return rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "attempts"), rapid.Bool().Draw(t, "timeout")
}

func drawPlan(t *rapid.T, depth int, name string) plan {
	kind := rapid.IntRange(0, 5).Draw(t, "shape")
	switch {
	case depth > 0 && kind == 0:
		f := &fan{name: name}
		element := drawPlan(t, depth-1, "x")
		if one, ok := element.(single); ok {
			f.element = one
		} else {
			f.element = &sequence{name: "y", stages: []plan{element}}
		}
		f.atOnce = rapid.IntRange(1, 4).Draw(t, "at once")
		f.collect = rapid.Bool().Draw(t, "collect")
		f.keyed = rapid.Bool().Draw(t, "keyed")
		f.attempts = rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "attempts")
		return f
	case depth > 0 && kind == 1:
		return drawSequence(t, depth-1, name)
	}
	return drawLeaf(t, name)
}

func drawSequence(t *rapid.T, depth int, name string) *sequence {
	s := &sequence{name: name}
	for i := range rapid.IntRange(1, 4).Draw(t, "stages") {
		p := drawPlan(t, depth, fmt.Sprintf("s%d", i))
		s.stages = append(s.stages, p)
	}
	s.attempts, s.timeout = drawPolicies(t)
	return s
}

// Random pipelines do what a naive sequential interpreter says: the same results, errors, outcomes,
// idempotency keys and side effects, these in the same order wherever the pipeline leaves no choice.
func TestPipelinesDoWhatTheInterpreterSays(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		whole := drawSequence(t, 3, "p")
		whole.attempts = 0 // a pipeline alone has no policies
		for range 3 {
			v := rapid.IntRange(0, 12).Draw(t, "value")
			checkRun(t, whole, v, false, seen)
			checkRun(t, whole, v, true, seen)
		}
	})
	for _, end := range append(ends, "filtered", "collected", "done", "strict", "loose", "ended", "ended in a stream") {
		if seen[end] < 20 {
			t.Errorf("%q was met only %d times: the test has lost its point", end, seen[end])
		}
	}
	t.Logf("%v", seen)
}

// checkRun checks one run, in run mode or in stream mode.
func checkRun(t *rapid.T, whole *sequence, v int, streamed bool, seen map[string]int) {
	expected := newWorld(seen)
	want, fail := whole.interpret(expected, "p", v)

	actual := newWorld(nil)
	p := whole.pipeline(actual)
	if streamed {
		p = p.Streamed(nil, 1)
		detach, err := p.Attach(&slots{size: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer detach(context.Background())
	}
	got, err, returned := runApart(p, v)

	switch {
	case expected.loose:
		seen["loose"]++
		checkLoose(t, got, err)
		return
	case fail != nil && fail.exit && streamed:
		seen["ended in a stream"]++
		if !errors.Is(err, pipeline.ErrGoexit) || got != 0 {
			t.Fatalf("Run = %d, %v; want %v", got, err, pipeline.ErrGoexit)
		}
	case fail != nil && fail.exit:
		seen["ended"]++
		if returned {
			t.Fatalf("the goroutine should have ended, but Run = %d, %v", got, err)
		}
	case fail != nil:
		checkFailure(t, got, err, fail)
	case err != nil || got != want:
		t.Fatalf("Run(%d) = %d, %v; want %d", v, got, err, want)
	default:
		seen["done"]++
	}
	seen["strict"]++
	checkLogs(t, whole, actual.log, expected.log)
}

// runApart runs p on a goroutine of its own, which a stage may end.
func runApart(p *pipeline.Pipeline[int, int], v int) (got int, err error, returned bool) {
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err = p.Run(context.Background(), v)
		returned = true
	})
	wg.Wait()
	return got, err, returned
}

func checkFailure(t *rapid.T, got int, err error, want *failure) {
	var at *pipeline.StageError
	if !errors.As(err, &at) || err.Error() != want.text || got != 0 {
		t.Fatalf("Run = %d, %v; want the error %s", got, err, want.text)
	}
	if outcome, _ := task.Classify(err); outcome != want.outcome {
		t.Fatalf("%v: outcome %v, want %v", err, outcome, want.outcome)
	}
}

// checkLoose checks what holds whichever of several elements failed first.
func checkLoose(t *rapid.T, got int, err error) {
	if err == nil {
		return // retried, and other elements failed this time
	}
	var at *pipeline.StageError
	if !errors.As(err, &at) || !strings.HasPrefix(at.Path, "p/") || got != 0 {
		t.Fatalf("Run = %d, %v", got, err)
	}
}

// checkLogs compares side effects: in the order they happened when there is no choice, otherwise the order at
// each path.
func checkLogs(t *rapid.T, whole *sequence, got, want []string) {
	if parallel(whole) {
		got, want = slices.Clone(got), slices.Clone(want)
		slices.SortStableFunc(got, byPath)
		slices.SortStableFunc(want, byPath)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("side effects\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func byPath(a, b string) int {
	return strings.Compare(a[:strings.IndexByte(a, '(')], b[:strings.IndexByte(b, '(')])
}

func parallel(p plan) bool {
	switch p := p.(type) {
	case *sequence:
		return slices.ContainsFunc(p.stages, parallel)
	case *fan:
		return p.atOnce > 1 || parallel(p.element)
	}
	return false
}

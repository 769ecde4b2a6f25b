package pipeline

import (
	"context"
	"errors"
	"strconv"
	"testing"
)

// Whatever way a run ends, its frame goes back to the pool and holds nothing.
func TestFramesComeBackEmpty(t *testing.T) {
	var inUse *frame[*int, *int]
	p := New[*int, *int]("p").
		Stage(Pure("a", func(v *int) *int { return v })).
		Stage(Map("b", func(_ context.Context, v *int) (*int, error) {
			switch *v {
			case 1:
				return v, errors.New("refused")
			case 2:
				panic("out of paper")
			}
			return v, nil
		})).
		MustBuild()
	made := 0
	p.frames.New = func() any {
		made++
		inUse = newFrame[*int, *int](p.stages)
		return inUse
	}
	const runs = 300
	for i := range runs {
		v := i % 3
		_, err := p.Run(t.Context(), &v)
		if (err != nil) != (v > 0) {
			t.Errorf("%d: %v", v, err)
		}
		if inUse.in != nil {
			t.Errorf("%d: the frame still holds the input", v)
		}
		for j, l := range inUse.links {
			if l.(*linked[*int, *int]).out != nil {
				t.Errorf("%d: link %d still holds a value", v, j)
			}
		}
	}
	if made > runs/2 { // the race detector makes the pool forget some
		t.Errorf("%d frames for %d runs one after the other", made, runs)
	}
}

// A run without spans allocates the course of its stages and nothing else, a nested pipeline one more.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	step := func(name string) *Step[[4]int, [4]int] {
		return Map(name, func(_ context.Context, v [4]int) ([4]int, error) { return v, nil })
	}
	inner := New[[4]int, [4]int]("inner").Stage(step("a")).Stage(step("b").Retry(3)).MustBuild()
	outer := New[[4]int, [4]int]("outer").Stage(inner).Stage(step("c")).MustBuild()
	b := New[[4]int, [4]int]("long")
	for i := range 2*courseLength + 1 {
		b.Stage(step("s" + strconv.Itoa(i)))
	}
	for p, want := range map[*Pipeline[[4]int, [4]int]]float64{inner: 1, outer: 2, b.MustBuild(): 3} {
		got := testing.AllocsPerRun(200, func() {
			if _, err := p.Run(context.Background(), [4]int{}); err != nil {
				t.Error(err)
			}
		})
		if got > want {
			t.Errorf("%s: %v allocations a run, want %v", p.Name(), got, want)
		}
	}
}

func TestTypeName(t *testing.T) {
	for _, c := range []struct {
		n    *node
		want string
	}{
		{newNode[int, int]("", ""), "int"},
		{newNode[[]Graph, int]("", ""), "[]pipeline.Graph"},
		{newNode[map[string]*Graph, int]("", ""), "map[string]*pipeline.Graph"},
		{newNode[func(context.Context) <-chan error, int]("", ""), "func(context.Context) <-chan error"},
		{newNode[effect[effect[Graph, int], Graph], int]("", ""), "pipeline.effect[pipeline.effect[pipeline.Graph,int],pipeline.Graph]"},
	} {
		if got := typeName(c.n.in); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

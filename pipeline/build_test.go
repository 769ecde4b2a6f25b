package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/pipeline"
)

func TestBuildFaults(t *testing.T) {
	cases := faultyBuilds()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			err := cases[name]()
			var build *pipeline.BuildError
			if !errors.As(err, &build) || len(build.Faults) == 0 {
				t.Fatalf("error %v", err)
			}
			var fault *pipeline.Fault
			if !errors.As(err, &fault) || fault != build.Faults[0] {
				t.Error("the faults cannot be unwrapped")
			}
			for _, f := range build.Faults {
				if !strings.HasPrefix(f.At, "pipeline/faults_test.go:") {
					t.Errorf("fault at %q: %v", f.At, f)
				}
			}
			golden(t, "faults/"+strings.ReplaceAll(name, " ", "-")+".txt", err.Error()+"\n")
		})
	}
}

func TestMustBuildPanicsWithTheError(t *testing.T) {
	defer func() {
		err, _ := recover().(error)
		var build *pipeline.BuildError
		if !errors.As(err, &build) || build.Pipeline != "p" {
			t.Errorf("panic with %v", err)
		}
	}()
	pipeline.New[int, int]("p").MustBuild()
}

// A builder may be kept and used on: what it built before stays as it was.
func TestBuilderKept(t *testing.T) {
	b := pipeline.New[int, int]("p").Stage(add("a", 1))
	one := b.MustBuild()
	two := b.Stage(add("b", 10)).MustBuild()
	for _, c := range []struct {
		p    *pipeline.Pipeline[int, int]
		want int
	}{{one, 1}, {two, 11}} {
		if got, err := c.p.Run(t.Context(), 0); got != c.want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, c.want)
		}
	}
	if len(one.Graph().Nodes) != 2 || len(two.Graph().Nodes) != 3 {
		t.Error("the graphs share stages")
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "0": true, "mail_order.bot-2": true, strings.Repeat("x", 100): true,
		"": false, "A": false, "-a": false, ".": false, "a b": false, "a/b": false, "ä": false, "a\n": false, strings.Repeat("x", 101): false,
	} {
		_, asPipeline := pipeline.New[int, int](name).Stage(add("a", 1)).Build()
		_, asStage := pipeline.New[int, int]("p").Stage(add(name, 1)).Build()
		if (asPipeline == nil) != ok || (asStage == nil) != ok {
			t.Errorf("%q: as a pipeline %v, as a stage %v; want valid=%v", name, asPipeline, asStage, ok)
		}
	}
}

// embedded is a stage in an author's own type.
type embedded struct {
	call func(context.Context, int) (string, error)
	*pipeline.Step[int, string]
}

// Every stage can stand wherever a stage is taken, with its types inferred.
func TestInference(t *testing.T) {
	text := func(_ context.Context, v int) (string, error) { return fmt.Sprint(v), nil }
	inner := pipeline.New[int, string]("inner").Stage(pipeline.Map("text", text)).MustBuild()
	var (
		_ *pipeline.EachStep[int, string]     = pipeline.Each("e", pipeline.Map("m", text))
		_ *pipeline.EachStep[int, string]     = pipeline.Each("e", inner)
		_ *pipeline.EachStep[int, string]     = pipeline.Each("e", pipeline.Sub(inner))
		_ *pipeline.EachStep[[]int, []string] = pipeline.Each("e", pipeline.Each("f", inner))
		_ *pipeline.EachStep[[]int, []string] = pipeline.Each("e", pipeline.Each("f", inner).KeyedBy(func(v int) string { return fmt.Sprint(v) }))
		_ pipeline.Stage[[]int, []string]     = pipeline.Each("f", inner)
		_ *pipeline.EachStep[int, string]     = pipeline.Each("e", embedded{inner.Run, pipeline.Sub(inner)})
		_ *pipeline.Step[int, string]         = pipeline.Sub(inner)
	)
	p := pipeline.New[[][]int, [][]string]("p").Stage(pipeline.Each("e", pipeline.Each("f", inner))).MustBuild()
	got, err := p.Run(t.Context(), [][]int{{1}, {2, 3}})
	if err != nil || fmt.Sprint(got) != "[[1] [2 3]]" {
		t.Errorf("%v, %v", got, err)
	}
}

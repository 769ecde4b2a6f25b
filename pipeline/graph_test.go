package pipeline_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/pipeline"
)

type pair[A, B any] struct {
	a A
	b B
}

// drawn is a pipeline with everything a graph can show: every combinator, every policy.
func drawn() *pipeline.Pipeline[mail, pipeline.Done] {
	found := func(context.Context, item) (bool, error) { return true, nil }
	lookUp := func(context.Context, item) (pair[item, []id], error) { return pair[item, []id]{}, nil }
	price := pipeline.New[item, pair[item, []id]]("price").Describe("what an item costs").
		Stage(pipeline.Filter("known", found)).
		Stage(pipeline.Map("look-up", lookUp).Retry(3).RetryIf(func(error) bool { return true })).
		MustBuild()
	answer := pipeline.Sink("answer", func(context.Context, pipeline.Rejected[mail]) error { return nil })
	number := func(name string) *pipeline.Step[mail, int] { return pipeline.Pure(name, func(mail) int { return 0 }) }
	size := func(m mail) string { return m.body }
	keep := func(_ context.Context, m mail, _, _ int) (mail, error) { return m, nil }
	keep3 := func(_ context.Context, m mail, _, _, _ int) (mail, error) { return m, nil }
	keep4 := func(_ context.Context, m mail, _, _, _, _ int) (mail, error) { return m, nil }
	same := pipeline.Tap("same", func(context.Context, mail) error { return nil })
	return pipeline.New[mail, pipeline.Done]("orders").Describe("every combinator").
		Stage(pipeline.Tap("log", func(context.Context, mail) error { return nil }).Describe(`notes "all" <of> it`)).
		Stage(pipeline.Validate("check", func(context.Context, mail) error { return nil }, answer.Retry(2))).
		Stage(pipeline.Switch("size", size, pipeline.On("small", same), pipeline.On("large", pipeline.Tap("split", func(context.Context, mail) error { return nil })), pipeline.On("", same)).
			Otherwise(pipeline.Filter("unknown", func(context.Context, mail) (bool, error) { return false, nil })).Limit(3)).
		Stage(pipeline.Both("facts", number("a"), number("b"), keep)).
		Stage(pipeline.All3("more", number("a"), number("b"), number("c").Rate(2.5, 10), keep3)).
		Stage(pipeline.All4("most", number("a"), number("b"), number("c"), number("d"), keep4).Breaker(5, 30*time.Second, pipeline.OutOf(20))).
		Stage(pipeline.Map("parse", func(context.Context, mail) ([]item, error) { return nil, nil }).Timeout(30 * time.Second)).
		Stage(pipeline.Each("prices", pipeline.Sub(price).Timeout(time.Second).Breaker(3, time.Minute), pipeline.AtOnce(4), pipeline.CollectErrors()).
			KeyedBy(func(i item) string { return i.name })).
		Stage(pipeline.Pure("sum", func([]pair[item, []id]) chan<- struct{} { return nil })).
		Stage(pipeline.Sink("store", func(context.Context, chan<- struct{}) error { return nil }).
			PermanentIf(func(error) bool { return false }).Timeout(time.Minute).Retry(5).
			Fallback(func(context.Context, chan<- struct{}, error) (pipeline.Done, error) { return pipeline.Done{}, nil })).
		MustBuild()
}

var lines = regexp.MustCompile(`\.go:\d+`)

func TestGraphGolden(t *testing.T) {
	g := drawn().Graph()
	golden(t, "graph.json", lines.ReplaceAllString(string(g.JSON()), ".go:0"))
	golden(t, "graph.mmd", g.Mermaid())
}

func TestGraphOfOneStage(t *testing.T) {
	g := pipeline.New[int, int]("p").Stage(add("a", 1)).MustBuild().Graph()
	golden(t, "graph-one.mmd", g.Mermaid())
	n, ok := g.Find("p/a")
	if !ok || !strings.HasPrefix(n.At, "pipeline/graph_test.go:") {
		t.Errorf("node %+v, %v", n, ok)
	}
	if _, ok := g.Find("p/b"); ok {
		t.Error("found a stage that does not exist")
	}
}

// The drawing of a pipeline at work says at each node what has happened there.
func TestGraphWithCounters(t *testing.T) {
	g := pipeline.New[int, int]("p").Stage(pipeline.New[int, int]("q").Stage(add("a", 1).Retry(2)).MustBuild()).Stage(add("b", 1)).MustBuild().Graph()
	golden(t, "graph-counters.mmd", g.MermaidWith(map[string]pipeline.Counters{
		"p":     {InFlight: 2, Done: 1034, Failed: 3, Dropped: 1, Timed: 1038, Nanos: 1038 * 12_345_678},
		"p/q":   {InFlight: 1, Done: 1036, Failed: 2, Timed: 2, Nanos: 3000},
		"p/q/a": {Done: 1, Retried: 7},
	}))
}

func TestCountersAsText(t *testing.T) {
	for c, want := range map[pipeline.Counters]string{
		{}:                                     "0 done",
		{InFlight: 1}:                          "1 in flight, 0 done",
		{Failed: 1, Dropped: 2, Retried: 3}:    "0 done, 1 failed, 2 dropped, 3 retried",
		{Done: 2, Timed: 2, Nanos: 3}:          "2 done, 1ns each",
		{Done: 2, Timed: 1, Nanos: 1_234}:      "2 done, 1.23µs each",
		{Done: 2, Timed: 1, Nanos: 3_725e9}:    "2 done, 1h2m10s each",
		{Done: 2, Timed: 1, Nanos: 99_999_999}: "2 done, 100ms each",
	} {
		if got := c.String(); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

func TestGraphIsSound(t *testing.T) {
	g := drawn().Graph()
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if seen[n.ID] {
			t.Errorf("two nodes %q", n.ID)
		}
		if n.Parent != "" && (!seen[n.Parent] || n.ID != n.Parent+"/"+n.Name) {
			t.Errorf("node %q hangs under %q", n.ID, n.Parent)
		}
		seen[n.ID] = true
	}
	for _, e := range g.Edges {
		if !seen[e.From] || !seen[e.To] {
			t.Errorf("edge %+v leads to nowhere", e)
		}
	}
	var back pipeline.Graph
	if err := json.Unmarshal(g.JSON(), &back); err != nil || len(back.Nodes) != len(g.Nodes) {
		t.Errorf("JSON does not read back: %v", err)
	}
}

func TestGraphIsACopy(t *testing.T) {
	p := drawn()
	g := p.Graph()
	g.Nodes[0].Name, g.Edges[0].From = "changed", "changed"
	for _, n := range g.Nodes {
		for k := range n.Policies {
			n.Policies[k] = "changed"
		}
	}
	if strings.Contains(string(p.Graph().JSON()), "changed") {
		t.Error("changing a graph changes the pipeline's")
	}
}

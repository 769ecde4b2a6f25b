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

// drawn is a pipeline with everything a graph can show.
func drawn() *pipeline.Pipeline[mail, pipeline.Done] {
	price := pipeline.New[item, pair[item, []id]]("price").
		Stage(pipeline.Filter("known", func(context.Context, item) (bool, error) { return true, nil })).
		Stage(pipeline.Map("look-up", func(context.Context, item) (pair[item, []id], error) { return pair[item, []id]{}, nil }).Retry(3)).
		MustBuild()
	return pipeline.New[mail, pipeline.Done]("orders").
		Stage(pipeline.Tap("log", func(context.Context, mail) error { return nil })).
		Stage(pipeline.Map("parse", func(context.Context, mail) ([]item, error) { return nil, nil }).Timeout(30 * time.Second)).
		Stage(pipeline.Each("prices", pipeline.Sub(price).Timeout(time.Second), pipeline.AtOnce(4), pipeline.CollectErrors()).
			KeyedBy(func(i item) string { return i.name })).
		Stage(pipeline.Pure("sum", func([]pair[item, []id]) chan<- struct{} { return nil })).
		Stage(pipeline.Sink("store", func(context.Context, chan<- struct{}) error { return nil }).Timeout(time.Minute).Retry(5)).
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

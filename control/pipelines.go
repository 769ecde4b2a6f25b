package control

import (
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/runtime"
)

// PipelineSummary is one line in the list of pipelines.
type PipelineSummary struct {
	Name     string        `json:"name"`
	In       string        `json:"in"`     // Go type
	Out      string        `json:"out"`    // Go type
	Stages   int           `json:"stages"` // with those inside of stages
	Counters StageCounters `json:"counters"`
}

// StageCounters is what happened at a stage, or in a pipeline as a whole, since the process began. Runs of a pipeline that is nested in another one are counted
// at the nodes of the other one.
type StageCounters struct {
	InFlight     int64   `json:"in_flight"`     // runs that are inside of it now
	Done         int64   `json:"done"`          // runs that it gave an output
	Failed       int64   `json:"failed"`        // runs that ended in it with an error, also those that will be tried again
	Dropped      int64   `json:"dropped"`       // runs that ended in it without an error
	Retried      int64   `json:"retried"`       // attempts of its Retry after the first ones
	TimedRuns    int64   `json:"timed_runs"`    // how many of the runs that ended were timed
	TimedSeconds float64 `json:"timed_seconds"` // how long these took together
	MeanSeconds  float64 `json:"mean_seconds"`  // how long one of them took on average
}

func countersOf(c pipeline.Counters) StageCounters {
	return StageCounters{
		InFlight: c.InFlight, Done: c.Done, Failed: c.Failed, Dropped: c.Dropped, Retried: c.Retried,
		TimedRuns: c.Timed, TimedSeconds: time.Duration(c.Nanos).Seconds(), MeanSeconds: c.Mean().Seconds(),
	}
}

// PipelineDetail is all that is known of one pipeline: its graph, and what has happened at each node.
type PipelineDetail struct {
	Name  string          `json:"name"`
	In    string          `json:"in"`  // Go type
	Out   string          `json:"out"` // Go type
	Nodes []PipelineNode  `json:"nodes"`
	Edges []pipeline.Edge `json:"edges"`
}

// PipelineNode is a stage, or the pipeline itself, with what has happened there.
type PipelineNode struct {
	pipeline.Node
	Counters StageCounters `json:"counters"`
}

// detailOf puts graph and counters together.
func detailOf(g pipeline.Graph, counters map[string]pipeline.Counters) PipelineDetail {
	d := PipelineDetail{Name: g.Name, In: g.In, Out: g.Out, Edges: g.Edges, Nodes: make([]PipelineNode, len(g.Nodes))}
	for i, n := range g.Nodes {
		d.Nodes[i] = PipelineNode{n, countersOf(counters[n.ID])}
	}
	return d
}

// Pipelines lists pipelines in the order of registration, limit of them (1 to 1000; 0 counts as 100) after the one of that name. next is the after that goes
// on, "" at the end.
func (s *Service) Pipelines(after string, limit int) (list []PipelineSummary, next string, err error) {
	all := s.pipelines()
	names := make([]string, len(all))
	byName := make(map[string]shownPipeline, len(all))
	for i, p := range all {
		names[i] = p.Name()
		byName[p.Name()] = p
	}
	return page(names, after, limit, func(name string) (PipelineSummary, bool) {
		g := byName[name].Graph()
		return PipelineSummary{Name: name, In: g.In, Out: g.Out, Stages: len(g.Nodes) - 1, Counters: countersOf(byName[name].Counters()[name])}, true
	})
}

// Pipeline gives the graph of one pipeline and what has happened at each of its nodes.
func (s *Service) Pipeline(name string) (PipelineDetail, error) {
	p, err := s.pipeline(name)
	if err != nil {
		return PipelineDetail{}, err
	}
	return detailOf(p.Graph(), p.Counters()), nil
}

// PipelineDrawing is Pipeline as a Mermaid flowchart.
func (s *Service) PipelineDrawing(name string) (string, error) {
	p, err := s.pipeline(name)
	if err != nil {
		return "", err
	}
	return p.Graph().MermaidWith(p.Counters()), nil
}

// shownPipeline is a pipeline of whatever types.
type shownPipeline interface {
	Name() string
	Graph() pipeline.Graph
	Counters() map[string]pipeline.Counters
}

func (s *Service) pipeline(name string) (shownPipeline, error) {
	all := s.pipelines()
	names := make([]string, len(all))
	for i, p := range all {
		if p.Name() == name {
			return p, nil
		}
		names[i] = p.Name()
	}
	return nil, noSuch("pipeline", name, names)
}

// pipelines are those that the root package hung on the application.
func (s *Service) pipelines() (all []shownPipeline) {
	for _, x := range s.app.Extensions(runtime.PipelineKey) {
		if p, ok := x.(shownPipeline); ok {
			all = append(all, p)
		}
	}
	return all
}

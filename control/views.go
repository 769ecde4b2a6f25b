package control

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// WorkerFilter chooses workers. Its zero value chooses the first 100.
type WorkerFilter struct {
	State workers.State // "" for all
	Kind  string        // "" for all
	After string        // the name after which to go on
	Limit int           // 1 to 1000; more counts as 1000, 0 as 100
}

// Workers tells what workers are doing, in the order of registration. next is the After that goes on, "" at the end.
func (s *Service) Workers(f WorkerFilter) (list []workers.Status, next string, err error) {
	if f.State != "" && !slices.Contains(workers.Lifecycle().States(), f.State) {
		return nil, "", invalid("state", "state must be one of "+joined(workers.Lifecycle().States()))
	}
	all := s.app.Status().Workers
	byName := make(map[string]workers.Status, len(all))
	for _, w := range all {
		byName[w.Name] = w
	}
	return page(s.app.WorkerNames(), f.After, f.Limit, func(name string) (workers.Status, bool) {
		w := byName[name]
		return w, (f.State == "" || w.State == f.State) && (f.Kind == "" || w.Kind == f.Kind)
	})
}

// WorkerDetail is all that is known of one worker.
type WorkerDetail struct {
	runtime.WorkerInfo
	Lifecycle Lifecycle[workers.State, workers.Event] `json:"lifecycle"`
}

// Worker describes one worker: its state, the drawing of its machine, its last transitions, its health.
func (s *Service) Worker(name string) (WorkerDetail, error) {
	info, ok := s.app.Worker(name)
	if !ok {
		return WorkerDetail{}, noSuch("worker", name, s.app.WorkerNames())
	}
	if info.History == nil {
		info.History = []workers.Transition{}
	}
	if info.Activity == nil {
		info.Activity = []workers.Transition{}
	}
	return WorkerDetail{info, lifecycleAt(workers.Lifecycle(), info.State)}, nil
}

// PipelineSummary is one line in the list of pipelines.
type PipelineSummary struct {
	Name   string `json:"name"`
	In     string `json:"in"`     // Go type
	Out    string `json:"out"`    // Go type
	Stages int    `json:"stages"` // with those inside of stages
}

// Pipelines lists pipelines in the order of registration, limit of them (1 to 1000; 0 counts as 100) after the one of that name. next is the after that goes
// on, "" at the end.
func (s *Service) Pipelines(after string, limit int) (list []PipelineSummary, next string, err error) {
	var names []string
	byName := map[string]PipelineSummary{}
	for _, g := range s.graphs() {
		names = append(names, g.Name)
		byName[g.Name] = PipelineSummary{Name: g.Name, In: g.In, Out: g.Out, Stages: len(g.Nodes) - 1}
	}
	return page(names, after, limit, func(name string) (PipelineSummary, bool) { return byName[name], true })
}

// Pipeline gives the graph of one pipeline.
func (s *Service) Pipeline(name string) (pipeline.Graph, error) {
	graphs := s.graphs()
	names := make([]string, len(graphs))
	for i, g := range graphs {
		if g.Name == name {
			return g, nil
		}
		names[i] = g.Name
	}
	return pipeline.Graph{}, noSuch("pipeline", name, names)
}

// graphs are those of the pipelines that the root package hung on the application.
func (s *Service) graphs() (graphs []pipeline.Graph) {
	for _, x := range s.app.Extensions(runtime.PipelineKey) {
		if p, ok := x.(interface{ Graph() pipeline.Graph }); ok {
			graphs = append(graphs, p.Graph())
		}
	}
	return graphs
}

var knownTraces = []tracing.Kind{tracing.KindBusiness, tracing.KindTransition}

// maxTraces bounds a list of traces.
const maxTraces = 1000

// Traces lists the latest limit traces (at most 1000), the one with the latest news first, of the given kinds or of all. It is a conflict when the
// application does not keep traces.
func (s *Service) Traces(limit int, kinds ...tracing.Kind) ([]tracing.Summary, error) {
	recent, err := s.recent()
	if err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, invalid("limit", fmt.Sprintf("limit must be at least 1, not %d", limit))
	}
	for _, k := range kinds {
		if !slices.Contains(knownTraces, k) {
			return nil, invalid("kind", "kind must be one of "+joined(knownTraces))
		}
	}
	return recent.List(min(limit, maxTraces), kinds...), nil
}

// Trace gives one recent trace with its spans.
func (s *Service) Trace(id string) (tracing.Trace, error) {
	recent, err := s.recent()
	if err != nil {
		return tracing.Trace{}, err
	}
	t, ok := recent.Get(strings.ToLower(id))
	if !ok {
		return tracing.Trace{}, noSuch("recent trace", id, nil)
	}
	return t, nil
}

func (s *Service) recent() (*tracing.Recent, error) {
	if recent := s.app.Tracing().Recent(); recent != nil {
		return recent, nil
	}
	transport := s.app.Tracing().Transport()
	return nil, &Error{
		Kind: ErrConflict, State: transport, Allowed: []string{tracing.TransportMemory},
		Detail: fmt.Sprintf("this application keeps no traces: its trace transport is %q; set platform.tracing.transport: memory", transport),
	}
}

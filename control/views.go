package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plba/plba/fsm"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// Workers tells what each worker is doing, in the order of registration.
func (s *Service) Workers() []workers.Status { return s.app.Status().Workers }

// WorkerDetail is all that is known of one worker.
type WorkerDetail struct {
	runtime.WorkerInfo
	Lifecycle Lifecycle `json:"lifecycle"`
}

// Lifecycle is the state machine that every worker obeys, and where in it one worker is.
type Lifecycle struct {
	Initial workers.State   `json:"initial"`
	Current workers.State   `json:"current"`
	Allowed []workers.Event `json:"allowed"` // the events that can come next
	States  []workers.State `json:"states"`
	Moves   []Move          `json:"moves"`
	Mermaid string          `json:"mermaid"` // a stateDiagram-v2 with the current state marked
}

// Move is one row of the lifecycle table.
type Move struct {
	Event workers.Event   `json:"event"`
	From  []workers.State `json:"from"`
	To    workers.State   `json:"to"`
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

func lifecycleAt(t *fsm.Table[workers.State, workers.Event], current workers.State) Lifecycle {
	l := Lifecycle{
		Initial: t.Initial(), Current: current, Allowed: t.Allowed(current), States: t.States(), Moves: []Move{},
		Mermaid: t.Mermaid() + "    classDef current fill:#2b6cb0,color:#fff\n    class " + string(current) + " current\n",
	}
	for _, e := range t.Edges() {
		l.Moves = append(l.Moves, Move{Event: e.Event, From: e.From, To: e.To})
	}
	return l
}

// QueueState says whether a queue can be used.
type QueueState string

// The states of a queue.
const (
	QueueOpen        QueueState = "open"
	QueueClosed      QueueState = "closed"      // the runtime is stopped
	QueueUnavailable QueueState = "unavailable" // its engine does not answer; the log says why
)

// QueueDetail is what is known of one queue.
type QueueDetail struct {
	runtime.QueueInfo
	State QueueState   `json:"state"`
	Stats *queue.Stats `json:"stats,omitempty"` // of an open queue
}

// Queues describes the queues in the order of registration.
func (s *Service) Queues(ctx context.Context) []QueueDetail {
	list := []QueueDetail{}
	for _, name := range s.app.QueueNames() {
		if q, err := s.Queue(ctx, name); err == nil {
			list = append(list, q)
		}
	}
	return list
}

// Queue describes one queue.
func (s *Service) Queue(ctx context.Context, name string) (QueueDetail, error) {
	info, ok := s.app.Queue(name)
	if !ok {
		return QueueDetail{}, noSuch("queue", name, s.app.QueueNames())
	}
	stats, err := s.app.QueueStats(ctx, name)
	switch {
	case err == nil:
		return QueueDetail{info, QueueOpen, &stats}, nil
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrClosed):
		return QueueDetail{info, QueueClosed, nil}, nil
	}
	s.app.Logger().Warn("queue statistics are not available", "queue", name, "error", err)
	return QueueDetail{info, QueueUnavailable, nil}, nil
}

// PipelineSummary is one line in the list of pipelines.
type PipelineSummary struct {
	Name   string `json:"name"`
	In     string `json:"in"`     // Go type
	Out    string `json:"out"`    // Go type
	Stages int    `json:"stages"` // with those inside of stages
}

// Pipelines lists the pipelines in the order of registration.
func (s *Service) Pipelines() []PipelineSummary {
	list := []PipelineSummary{}
	for _, g := range s.graphs() {
		list = append(list, PipelineSummary{Name: g.Name, In: g.In, Out: g.Out, Stages: len(g.Nodes) - 1})
	}
	return list
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
		return nil, &Error{Kind: ErrInvalid, Field: "limit", Detail: fmt.Sprintf("limit must be at least 1, not %d", limit)}
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

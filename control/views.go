package control

import (
	"fmt"
	"slices"
	"strings"

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

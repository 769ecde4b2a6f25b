package control

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/fsm"
	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
)

// Probe is the answer yes of a probe.
type Probe struct {
	OK bool `json:"ok"`
}

func probeEndpoints() []entry {
	probe := func(id, path, summary, detail string, problems []int, ask func(*Service) (bool, string)) entry {
		return read(endpoint{
			id: id, method: http.MethodGet, path: path, access: accessProbe, lax: true, tag: tagProbes, summary: summary, detail: detail,
			answer: "Yes.", example: Probe{OK: true}, problems: problems,
		}, func(_ context.Context, s *Service, _ *struct{}) (Probe, error) {
			if ok, reason := ask(s); !ok {
				return Probe{}, &Error{Kind: ErrUnavailable, Detail: reason}
			}
			return Probe{OK: true}, nil
		})
	}
	no := []int{http.StatusServiceUnavailable}
	return []entry{
		probe("getLiveness", "/livez", "Is the process alive?", "Answers as long as the process can answer at all, whatever the runtime is doing.", nil,
			func(*Service) (bool, string) { return true, "" }),
		probe("getReadiness", "/readyz", "May the application get work?", "Yes while the runtime runs and nothing that belongs to readiness is unhealthy; "+
			"no before its start and from the beginning of a stop. The refusal names what is unhealthy.", no, (*Service).Ready),
		probe("getStartup", "/startupz", "Has the application come up?", "Yes once a start has succeeded and every startup check has been ok, and from then on.", no,
			(*Service).Started),
	}
}

// healthOutput has the status that the report amounts to.
type healthOutput struct {
	Status int
	Body   health.Report
}

func healthEndpoints(public bool) []entry {
	e := endpoint{
		id: "getHealth", method: http.MethodGet, path: "/health", access: accessRead, lax: true, polled: true, tag: tagRuntime, summary: "How is the application?",
		detail: "Aggregates workers, resources and checks; never waits for a check. `platform.control.public_health: true` opens it to everyone.",
		answer: "ok or degraded.", example: exampleHealth(health.StateOK),
	}
	if public {
		e.access = accessProbe
	}
	get := read(e, func(_ context.Context, s *Service, _ *struct{}) (health.Report, error) { return s.Health(), nil })
	get.bind = func(a *api) {
		register(a, e, func(context.Context, *struct{}) (*healthOutput, error) {
			out := &healthOutput{http.StatusOK, a.svc.Health()}
			if out.Body.State == health.StateUnhealthy {
				out.Status = http.StatusServiceUnavailable
			}
			return out, nil
		})
		a.OpenAPI().Paths[e.path].Get.Responses[strconv.Itoa(http.StatusServiceUnavailable)] = &huma.Response{
			Description: "unhealthy.",
			Content: map[string]*huma.MediaType{"application/json": {
				Schema: a.schema(reflect.TypeFor[health.Report]()), Example: exampleHealth(health.StateUnhealthy),
			}},
		}
	}
	return []entry{get, read(endpoint{
		id: "listHealthChanges", method: http.MethodGet, path: "/api/v1/health/changes", access: accessRead, polled: true, tag: tagRuntime, summary: "List changes of health",
		detail: "The last 100 changes with their causes, the latest first: of each component, and, without a name, of the application as a whole.",
		answer: "The changes.", example: HealthChangeList{exampleHealthChanges()},
	}, func(_ context.Context, s *Service, in *healthChangesInput) (HealthChangeList, error) {
		return HealthChangeList{s.HealthChanges(in.Name)}, nil
	})}
}

type healthChangesInput struct {
	Name string `query:"name" maxLength:"100" example:"mail-polling" doc:"Only of this component."`
}

// HealthChangeList is what GET /api/v1/health/changes answers.
type HealthChangeList struct {
	Changes []health.Change `json:"changes"`
}

func runtimeEndpoints() []entry {
	return []entry{
		read(endpoint{
			id: "getRuntime", method: http.MethodGet, path: "/api/v1/runtime", access: accessRead, polled: true, tag: tagRuntime, summary: "What is the application doing?",
			detail: "The state of the runtime and of each worker, the receipt of the last stop, and the last operation with its outcome.",
			answer: "The state.", example: exampleRuntime(),
		}, func(_ context.Context, s *Service, _ *struct{}) (RuntimeInfo, error) { return s.Runtime(), nil }),
		read(endpoint{
			id: "getRuntimeLifecycle", method: http.MethodGet, path: "/api/v1/runtime/lifecycle", access: accessRead, polled: true, tag: tagRuntime,
			summary: "Show the lifecycle of the runtime", detail: "The table and the drawing of its state machine, where in it the runtime is, and its last 100 moves, oldest first.",
			answer: "The lifecycle.", example: RuntimeLifecycle{lifecycleAt(runtime.Lifecycle(), runtime.Running), exampleMoves()},
		}, func(_ context.Context, s *Service, _ *struct{}) (RuntimeLifecycle, error) {
			return s.RuntimeLifecycle(), nil
		}),
		command(endpoint{
			id: askedStart, method: http.MethodPost, path: "/api/v1/runtime/start", access: accessCommand, tag: tagRuntime, summary: "Start the runtime",
			detail: "Opens queues and resources and starts the workers, in the background. It applies when the runtime is stopped.",
			status: http.StatusAccepted, answer: "The start has begun.", example: exampleStart(), body: ReasonBody{Reason: "the price list is there"},
			problems: []int{http.StatusConflict},
		}, func(ctx context.Context, s *Service, in *reasonInput) (Operation, error) {
			return s.Start(asker(ctx).Name, in.Body.reason())
		}),
		command(endpoint{
			id: askedStop, method: http.MethodPost, path: "/api/v1/runtime/stop", access: accessCommand, tag: tagRuntime, summary: "Stop the runtime",
			detail: "Stops the workers and closes resources and queues, in the background. The process and this API stay up, unless `exit` is true. " +
				"It applies while the runtime starts or runs; mode `force` also while it stops; `exit` always.",
			status: http.StatusAccepted, answer: "The stop has begun.", example: exampleStop(), body: StopBody{Timeout: "30s", Reason: "new price list"},
			problems: []int{http.StatusConflict},
		}, func(ctx context.Context, s *Service, in *stopInput) (Operation, error) {
			req, err := in.Body.request()
			if err != nil {
				return Operation{}, err
			}
			return s.Stop(asker(ctx).Name, req)
		}),
		command(endpoint{
			id: askedReload, method: http.MethodPost, path: "/api/v1/runtime/reload", access: accessCommand, tag: tagRuntime, summary: "Reload the configuration",
			detail: "Reads the configuration again and puts into effect what can change in a running process, in the background. One fault anywhere, and everything stays as it was. The operation " +
				"names the settings that changed and those that need a restart of the process. It applies in every state, one at a time.",
			status: http.StatusAccepted, answer: "The reload has begun.", example: exampleReload(), body: ReasonBody{Reason: "new price list"},
			problems: []int{http.StatusConflict},
		}, func(ctx context.Context, s *Service, in *reasonInput) (Operation, error) {
			return s.Reload(asker(ctx).Name, in.Body.reason())
		}),
	}
}

// HealthChanges gives the last 100 changes of health, the latest first; of one component, or of all with an empty name.
func (s *Service) HealthChanges(name string) []health.Change {
	history := s.app.HealthHistory()
	list := make([]health.Change, 0, len(history))
	for i := len(history) - 1; i >= 0; i-- {
		if name == "" || history[i].Name == name {
			list = append(list, history[i])
		}
	}
	return list
}

// RuntimeLifecycle is the state machine of the runtime, where in it it is, and its last moves.
type RuntimeLifecycle struct {
	Lifecycle[runtime.State, runtime.Event]
	History []runtime.Transition `json:"history"`
}

// RuntimeLifecycle describes the runtime's state machine.
func (s *Service) RuntimeLifecycle() RuntimeLifecycle {
	l := RuntimeLifecycle{lifecycleAt(runtime.Lifecycle(), runtime.Stopped), []runtime.Transition{}}
	if moves := s.app.History(); len(moves) > 0 {
		l = RuntimeLifecycle{lifecycleAt(runtime.Lifecycle(), moves[len(moves)-1].To), moves}
	}
	return l
}

// Lifecycle is a state machine, and where in it something is.
type Lifecycle[S, E ~string] struct {
	Initial S            `json:"initial"`
	Current S            `json:"current"`
	Allowed []E          `json:"allowed"` // the events that can come next
	States  []S          `json:"states"`
	Moves   []Move[S, E] `json:"moves"`
	Mermaid string       `json:"mermaid"` // a stateDiagram-v2 with the current state marked
}

// Move is one row of a lifecycle's table.
type Move[S, E ~string] struct {
	Event E   `json:"event"`
	From  []S `json:"from"`
	To    S   `json:"to"`
}

func lifecycleAt[S, E ~string](t *fsm.Table[S, E], current S) Lifecycle[S, E] {
	l := Lifecycle[S, E]{
		Initial: t.Initial(), Current: current, Allowed: t.Allowed(current), States: t.States(), Moves: []Move[S, E]{},
		Mermaid: t.Mermaid() + "    classDef current fill:#2b6cb0,color:#fff\n    class " + string(current) + " current\n",
	}
	for _, e := range t.Edges() {
		l.Moves = append(l.Moves, Move[S, E]{Event: e.Event, From: e.From, To: e.To})
	}
	return l
}

type (
	reasonInput struct{ Body *ReasonBody }
	stopInput   struct{ Body *StopBody }
)

// ReasonBody says why.
type ReasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"200" example:"new release" doc:"Why, for the log and the audit. Printable text."`
}

func (b *ReasonBody) reason() string {
	if b == nil {
		return ""
	}
	return b.Reason
}

// StopBody is how channels spell a StopRequest.
type StopBody struct {
	Mode    StopMode `json:"mode,omitempty" default:"graceful" doc:"graceful waits for the work in flight, within the budget; force cancels it at once."`
	Timeout string   `json:"timeout,omitempty" maxLength:"40" pattern:"^([0-9]+([.][0-9]+)?(ms|s|m|h))+$" example:"30s" doc:"The budget of the stop, at most 24h. Without it platform.shutdown.timeout holds."`
	Reason  string   `json:"reason,omitempty" maxLength:"200" example:"new release" doc:"Why, for the log and the receipt. Printable text."`
	Exit    bool     `json:"exit,omitempty" doc:"End the process too, with the configured budget: it takes neither mode force nor a timeout."`
}

func (b *StopBody) request() (StopRequest, error) {
	if b == nil {
		return StopRequest{}, nil
	}
	timeout, err := parseTimeout(b.Timeout)
	return StopRequest{Mode: b.Mode, Timeout: timeout, Reason: b.Reason, Exit: b.Exit}, err
}

func parseTimeout(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, invalid("timeout", "timeout must be a duration of more than 0s, such as 30s")
	}
	return d, nil
}

package control

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/health"
)

// Probe is the answer yes of a probe.
type Probe struct {
	OK bool `json:"ok"`
}

func (a *api) registerProbes() {
	probe := func(id, path, summary, detail string, problems []int, ask func() (bool, string)) {
		register(a, operation{
			id: id, method: http.MethodGet, path: path, access: accessProbe, lax: true, tag: tagProbes, summary: summary, detail: detail,
			answer: "Yes.", example: Probe{OK: true}, problems: problems,
		}, func(context.Context, *struct{}) (*said[Probe], error) {
			if ok, reason := ask(); !ok {
				return nil, newProblem(http.StatusServiceUnavailable, "%s", reason)
			}
			return &said[Probe]{Probe{OK: true}}, nil
		})
	}
	no := []int{http.StatusServiceUnavailable}
	probe("getLiveness", "/livez", "Is the process alive?", "Answers as long as the process can answer at all, whatever the runtime is doing.", nil,
		func() (bool, string) { return true, "" })
	probe("getReadiness", "/readyz", "May the application get work?", "Yes while the runtime runs and nothing that belongs to readiness is unhealthy; no before its start and from the beginning of a stop. The refusal names what is unhealthy.", no,
		func() (bool, string) { return a.svc.Ready() })
	probe("getStartup", "/startupz", "Has the application come up?", "Yes once a start has succeeded and every startup check has been ok, and from then on.", no,
		func() (bool, string) { return a.svc.Started() })
}

// healthOutput has the status that the report amounts to.
type healthOutput struct {
	Status int
	Body   health.Report
}

// acceptedOutput says where to look how the command goes on.
type acceptedOutput struct {
	Location string `header:"Location" doc:"Where to see how the command goes on." example:"/api/v1/runtime"`
	Body     Accepted
}

func (a *api) accepted(done Accepted, err error) (*acceptedOutput, error) {
	if err != nil {
		return nil, err
	}
	return &acceptedOutput{a.prefix + "/api/v1/runtime", done}, nil
}

func (a *api) registerRuntime() {
	register(a, operation{
		id: "getRuntime", method: http.MethodGet, path: "/api/v1/runtime", access: accessRead, tag: tagRuntime, summary: "What is the application doing?",
		detail: "The state of the runtime and of each worker, the receipt of the last stop, and the last command with its outcome.",
		answer: "The state.", example: exampleRuntime(),
	}, func(context.Context, *struct{}) (*said[RuntimeInfo], error) {
		return &said[RuntimeInfo]{a.svc.Runtime()}, nil
	})
	register(a, operation{
		id: "startRuntime", method: http.MethodPost, path: "/api/v1/runtime/start", access: accessCommand, tag: tagRuntime, summary: "Start the runtime",
		detail: "Opens queues and resources and starts the workers, in the background. It applies when the runtime is stopped.",
		status: http.StatusAccepted, answer: "The start has begun.", example: exampleStart(),
		problems: []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*acceptedOutput, error) {
		return a.accepted(a.svc.Start(asker(ctx).Name))
	})
	a.registerStop()
}

func (a *api) registerStop() {
	op := operation{
		id: "stopRuntime", method: http.MethodPost, path: "/api/v1/runtime/stop", access: accessCommand, tag: tagRuntime, summary: "Stop the runtime",
		detail: "Stops the workers and closes resources and queues, in the background. The process and this API stay up, unless `exit` is true. " +
			"It applies while the runtime starts or runs; mode `force` also while it stops; `exit` always.",
		status: http.StatusAccepted, answer: "The stop has begun.", example: exampleStop(),
		problems: []int{http.StatusConflict},
	}
	doc := op.document()
	doc.RequestBody = &huma.RequestBody{
		Description: "How to stop. Without a body: gracefully, within the configured budget.",
		Content:     map[string]*huma.MediaType{"application/json": {Example: StopBody{Timeout: "30s", Reason: "new price list"}}},
	}
	registerAs(a, op, doc, func(ctx context.Context, in *stopInput) (*acceptedOutput, error) {
		req, err := in.Body.request()
		if err != nil {
			return nil, err
		}
		return a.accepted(a.svc.Stop(asker(ctx).Name, req))
	})
	op.illustrate(doc)
}

func (a *api) registerHealth(public bool) {
	op := operation{
		id: "getHealth", method: http.MethodGet, path: "/health", access: accessRead, lax: true, tag: tagRuntime, summary: "How is the application?",
		detail: "Aggregates workers, resources and checks; never waits for a check. `platform.control.public_health: true` opens it to everyone.",
		answer: "ok or degraded.", example: exampleHealth(health.StateOK),
	}
	if public {
		op.access = accessProbe
	}
	register(a, op, func(context.Context, *struct{}) (*healthOutput, error) {
		report := a.svc.Health()
		status := http.StatusOK
		if report.State == health.StateUnhealthy {
			status = http.StatusServiceUnavailable
		}
		return &healthOutput{status, report}, nil
	})
	a.OpenAPI().Paths[op.path].Get.Responses[strconv.Itoa(http.StatusServiceUnavailable)] = &huma.Response{
		Description: "unhealthy.",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: a.schema(reflect.TypeFor[health.Report]()), Example: exampleHealth(health.StateUnhealthy),
		}},
	}
}

type stopInput struct {
	Body *StopBody
}

// StopBody is how HTTP spells a StopRequest.
type StopBody struct {
	Mode    StopMode `json:"mode,omitempty" enum:"graceful,force" default:"graceful" doc:"graceful waits for the work in flight, within the budget; force cancels it at once."`
	Timeout string   `json:"timeout,omitempty" maxLength:"40" pattern:"^([0-9]+([.][0-9]+)?(ms|s|m|h))+$" example:"30s" doc:"The budget of the stop, at most 24h. Without it platform.shutdown.timeout holds."`
	Reason  string   `json:"reason,omitempty" maxLength:"200" example:"new release" doc:"Why, for the log and the receipt. Printable text."`
	Exit    bool     `json:"exit,omitempty" doc:"End the process too, with the configured budget: it takes neither mode force nor a timeout."`
}

func (b *StopBody) request() (StopRequest, error) {
	if b == nil {
		return StopRequest{}, nil
	}
	req := StopRequest{Mode: b.Mode, Reason: b.Reason, Exit: b.Exit}
	if b.Timeout != "" {
		d, err := time.ParseDuration(b.Timeout)
		if err != nil || d <= 0 {
			return req, &Error{Kind: ErrInvalid, Field: "timeout", Detail: "timeout must be a duration of more than 0s, such as 30s"}
		}
		req.Timeout = d
	}
	return req, nil
}

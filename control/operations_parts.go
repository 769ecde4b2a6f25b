package control

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// The lists have an object around them, so that more can stand beside them one day.
type (
	// WorkerList is what GET /api/v1/workers answers.
	WorkerList struct {
		Workers []workers.Status `json:"workers"`
	}
	// QueueList is what GET /api/v1/queues answers.
	QueueList struct {
		Queues []QueueDetail `json:"queues"`
	}
	// PipelineList is what GET /api/v1/pipelines answers.
	PipelineList struct {
		Pipelines []PipelineSummary `json:"pipelines"`
	}
	// TraceList is what GET /api/v1/traces answers.
	TraceList struct {
		Traces []tracing.Summary `json:"traces"`
	}
)

type nameInput struct {
	Name string `path:"name" maxLength:"100" example:"email-processing" doc:"As the application registered it."`
}

func (a *api) registerParts() {
	register(a, operation{
		id: "listWorkers", method: http.MethodGet, path: "/api/v1/workers", access: accessRead, tag: tagParts, summary: "List the workers",
		detail: "What each worker is doing, in the order of registration.",
		answer: "The workers.", example: WorkerList{exampleRuntime().Workers},
	}, func(context.Context, *struct{}) (*said[WorkerList], error) {
		return &said[WorkerList]{WorkerList{a.svc.Workers()}}, nil
	})
	register(a, operation{
		id: "getWorker", method: http.MethodGet, path: "/api/v1/workers/{name}", access: accessRead, tag: tagParts, summary: "Show a worker",
		detail: "Its state, the table and the drawing of its state machine, its last transitions, its health.",
		answer: "The worker.", example: exampleWorker(), problems: []int{http.StatusNotFound},
	}, func(_ context.Context, in *nameInput) (*said[WorkerDetail], error) { return say(a.svc.Worker(in.Name)) })
	register(a, operation{
		id: "listQueues", method: http.MethodGet, path: "/api/v1/queues", access: accessRead, tag: tagParts, summary: "List the queues",
		detail: "Each queue with its engine and how many tasks are in which state, in the order of registration.",
		answer: "The queues.", example: QueueList{[]QueueDetail{exampleQueue()}},
	}, func(ctx context.Context, _ *struct{}) (*said[QueueList], error) {
		return &said[QueueList]{QueueList{a.svc.Queues(ctx)}}, nil
	})
	register(a, operation{
		id: "getQueue", method: http.MethodGet, path: "/api/v1/queues/{name}", access: accessRead, tag: tagParts, summary: "Show a queue",
		detail: "The queue with its engine and how many tasks are in which state.",
		answer: "The queue.", example: exampleQueue(), problems: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *nameInput) (*said[QueueDetail], error) {
		return say(a.svc.Queue(ctx, in.Name))
	})
	register(a, operation{
		id: "listPipelines", method: http.MethodGet, path: "/api/v1/pipelines", access: accessRead, tag: tagParts, summary: "List the pipelines",
		detail: "The pipelines in the order of registration.",
		answer: "The pipelines.", example: PipelineList{[]PipelineSummary{{Name: "orders", In: "domain.MailRef", Out: "pipeline.Done", Stages: 6}}},
	}, func(context.Context, *struct{}) (*said[PipelineList], error) {
		return &said[PipelineList]{PipelineList{a.svc.Pipelines()}}, nil
	})
	a.registerPipeline()
}

// say is the output of what a service method gives.
func say[T any](v T, err error) (*said[T], error) {
	if err != nil {
		return nil, err
	}
	return &said[T]{v}, nil
}

const mermaidType = "text/vnd.mermaid"

type pipelineInput struct {
	Name   string `path:"name" maxLength:"100" example:"orders" doc:"As the application registered it."`
	Format string `query:"format" enum:"json,mermaid" doc:"json or mermaid. Without it the header Accept decides."`
	Accept string `header:"Accept" hidden:"true"`
}

type pipelineOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Vary        string `header:"Vary" hidden:"true"`
	Body        []byte
}

func (a *api) registerPipeline() {
	op := operation{
		id: "getPipeline", method: http.MethodGet, path: "/api/v1/pipelines/{name}", access: accessRead, tag: tagParts, summary: "Show a pipeline",
		detail: "The graph of its stages, as JSON or as a Mermaid flowchart.",
		answer: "The graph.", problems: []int{http.StatusNotFound},
	}
	doc := op.document()
	doc.Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: a.schema(reflect.TypeFor[pipeline.Graph]()), Example: exampleGraph()},
		mermaidType:        {Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleGraph().Mermaid()},
	}
	registerAs(a, op, doc, func(_ context.Context, in *pipelineInput) (*pipelineOutput, error) {
		g, err := a.svc.Pipeline(in.Name)
		if err != nil {
			return nil, err
		}
		asMermaid := in.Format == "mermaid"
		if in.Format == "" {
			asMermaid = negotiation.SelectQValue(in.Accept, []string{"application/json", mermaidType}) == mermaidType
		}
		if asMermaid {
			return &pipelineOutput{mermaidType, "Accept", []byte(g.Mermaid())}, nil
		}
		return &pipelineOutput{"application/json", "Accept", g.JSON()}, nil
	})
}

type tracesInput struct {
	Limit int    `query:"limit" minimum:"1" default:"50" doc:"How many at most. More than 1000 counts as 1000."`
	Kind  string `query:"kind" enum:"business,transition" doc:"Only traces of the application's work, or only transitions of workers. Without it both."`
}

type traceInput struct {
	ID string `path:"id" maxLength:"100" example:"4bf92f3577b34da6a3ce929d0e0e4736" doc:"The trace ID in 32 hexadecimal digits."`
}

func (a *api) registerTraces() {
	register(a, operation{
		id: "listTraces", method: http.MethodGet, path: "/api/v1/traces", access: accessPrivate, tag: tagTraces, summary: "List recent traces",
		detail: "The one with the latest news first. A conflict unless `platform.tracing.transport` is `memory`.",
		answer: "The traces.", example: TraceList{[]tracing.Summary{exampleTrace().Summary}},
		problems: []int{http.StatusConflict},
	}, func(_ context.Context, in *tracesInput) (*said[TraceList], error) {
		var kinds []tracing.Kind
		if in.Kind != "" {
			kinds = append(kinds, tracing.Kind(in.Kind))
		}
		list, err := a.svc.Traces(in.Limit, kinds...)
		return say(TraceList{list}, err)
	})
	register(a, operation{
		id: "getTrace", method: http.MethodGet, path: "/api/v1/traces/{id}", access: accessPrivate, tag: tagTraces, summary: "Show a recent trace",
		detail: "The trace with its spans in the order of the tree. A conflict unless `platform.tracing.transport` is `memory`.",
		answer: "The trace.", example: exampleTrace(),
		problems: []int{http.StatusNotFound, http.StatusConflict},
	}, func(_ context.Context, in *traceInput) (*said[tracing.Trace], error) { return say(a.svc.Trace(in.ID)) })
}

func (a *api) registerDocument() {
	offer := func(id, path, name, media string, text func(spelled) []byte) {
		op := operation{
			id: id, method: http.MethodGet, path: path, access: accessRead, tag: tagDocument, summary: "This document as " + name,
			detail: "The OpenAPI 3.1 document of this API.", answer: "The document.",
		}
		doc := op.document()
		doc.Responses["200"].Content = map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeObject}}}
		registerAs(a, op, doc, func(context.Context, *struct{}) (*answered, error) {
			s, err := a.spell()
			return &answered{media, text(s)}, err
		})
	}
	offer("getDocumentAsJSON", "/openapi.json", "JSON", "application/json", func(s spelled) []byte { return s.json })
	offer("getDocumentAsYAML", "/openapi.yaml", "YAML", "application/yaml", func(s spelled) []byte { return s.yaml })
}

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
	"github.com/plba/plba/control/internal/input"
	"github.com/plba/plba/tracing"
)

// The lists have an object around them, so that more can stand beside them one day.
type (
	// PipelineList is what GET /api/v1/pipelines answers.
	PipelineList struct {
		Pipelines []PipelineSummary `json:"pipelines"`
		Next      string            `json:"next,omitempty"`
	}
	// TraceList is what GET /api/v1/traces answers.
	TraceList struct {
		Traces []tracing.Summary `json:"traces"`
	}
	// OperationList is what GET /api/v1/operations answers.
	OperationList struct {
		Operations []Operation `json:"operations"`
		Next       string      `json:"next,omitempty"`
	}
)

func pipelineEndpoints() []entry {
	return []entry{
		read(endpoint{
			id: "listPipelines", method: http.MethodGet, path: "/api/v1/pipelines", access: accessRead, polled: true, tag: tagPipelines, summary: "List the pipelines",
			detail: "The pipelines in the order of registration, each with what has happened in it as a whole.",
			answer: "The pipelines.", example: PipelineList{Pipelines: []PipelineSummary{examplePipeline()}},
		}, func(_ context.Context, s *Service, in *input.Page) (PipelineList, error) {
			list, next, err := s.Pipelines(in.After, in.Limit)
			return PipelineList{list, next}, err
		}),
		pipelineEndpoint(),
	}
}

const mermaidType = "text/vnd.mermaid"

type negotiatedInput struct {
	input.Pipeline
	Format string `query:"format" enum:"json,mermaid" doc:"json or mermaid. Without it the header Accept decides."`
	Accept string `header:"Accept" hidden:"true"`
}

type pipelineOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Vary        string `header:"Vary" hidden:"true"`
	Body        []byte
}

// pipelineEndpoint answers over HTTP in the form that is asked for; other channels have the graph.
func pipelineEndpoint() entry {
	e := endpoint{
		id: "getPipeline", method: http.MethodGet, path: "/api/v1/pipelines/{name}", access: accessRead, polled: true, tag: tagPipelines, summary: "Show a pipeline",
		detail: "The graph of its stages, and what has happened at each of them since the process began, as JSON or as a Mermaid flowchart.",
		answer: "The graph with its counters.", problems: []int{http.StatusNotFound},
	}
	get := read(e, func(_ context.Context, s *Service, in *input.Pipeline) (PipelineDetail, error) {
		return s.Pipeline(in.Name)
	})
	get.bind = func(a *api) {
		doc := e.document()
		doc.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: a.schema(reflect.TypeFor[PipelineDetail]()), Example: detailOf(exampleGraph(), exampleCounters())},
			mermaidType:        {Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleGraph().MermaidWith(exampleCounters())},
		}
		registerAs(a, e, doc, func(_ context.Context, in *negotiatedInput) (*pipelineOutput, error) {
			asMermaid := in.Format == "mermaid"
			if in.Format == "" {
				asMermaid = negotiation.SelectQValue(in.Accept, []string{"application/json", mermaidType}) == mermaidType
			}
			if asMermaid {
				drawing, err := a.svc.PipelineDrawing(in.Name)
				return &pipelineOutput{mermaidType, "Accept", []byte(drawing)}, err
			}
			detail, err := a.svc.Pipeline(in.Name)
			if err != nil {
				return nil, err
			}
			text, err := indented(detail)
			return &pipelineOutput{"application/json", "Accept", text}, err
		})
	}
	return get
}

// indented is v as JSON for people: Go types hold arrows, which stay as they are.
func indented(v PipelineDetail) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return text.Bytes(), err
}

type tracesInput struct {
	Limit int          `query:"limit" minimum:"1" default:"50" doc:"How many at most. More than 1000 counts as 1000."`
	Kind  tracing.Kind `query:"kind" doc:"Only traces of the application's work, or only transitions of workers. Without it both."`
}

type traceInput struct {
	ID string `path:"id" maxLength:"100" example:"4bf92f3577b34da6a3ce929d0e0e4736" doc:"The trace ID in 32 hexadecimal digits."`
}

func traceEndpoints() []entry {
	return []entry{
		read(endpoint{
			id: "listTraces", method: http.MethodGet, path: "/api/v1/traces", access: accessPrivate, tag: tagTraces, summary: "List recent traces",
			detail: "The one with the latest news first. A conflict unless `platform.tracing.transport` is `memory`.",
			answer: "The traces.", example: TraceList{[]tracing.Summary{exampleTrace().Summary}},
			problems: []int{http.StatusConflict},
		}, func(_ context.Context, s *Service, in *tracesInput) (TraceList, error) {
			var kinds []tracing.Kind
			if in.Kind != "" {
				kinds = append(kinds, in.Kind)
			}
			list, err := s.Traces(in.Limit, kinds...)
			return TraceList{list}, err
		}),
		read(endpoint{
			id: "getTrace", method: http.MethodGet, path: "/api/v1/traces/{id}", access: accessPrivate, tag: tagTraces, summary: "Show a recent trace",
			detail: "The trace with its spans in the order of the tree. A conflict unless `platform.tracing.transport` is `memory`.",
			answer: "The trace.", example: exampleTrace(),
			problems: []int{http.StatusNotFound, http.StatusConflict},
		}, func(_ context.Context, s *Service, in *traceInput) (tracing.Trace, error) { return s.Trace(in.ID) }),
	}
}

type operationsInput struct {
	State  OperationState `query:"state" doc:"Only those in this state."`
	Asked  string         `query:"asked" maxLength:"100" example:"stopWorker" doc:"Only those of this kind."`
	Target string         `query:"target" maxLength:"100" example:"email-processing" doc:"Only those about this worker or queue."`
	Before string         `query:"before" maxLength:"100" doc:"Go on before this ID: the next of the page before."`
	Limit  int            `query:"limit" minimum:"1" default:"100" doc:"How many at most. More than 1000 counts as 1000."`
}

type operationInput struct {
	ID string `path:"id" maxLength:"100" example:"m8x2k1-17" doc:"The ID of the operation."`
}

func operationEndpoints() []entry {
	return []entry{
		read(endpoint{
			id: "listOperations", method: http.MethodGet, path: "/api/v1/operations", access: accessRead, polled: true, tag: tagOperations, summary: "List operations",
			detail: "What was asked of the application and accepted, the latest first: by whom, why, how far it is, and what came of it. The last 1000 are remembered until the process ends.",
			answer: "The operations.", example: OperationList{Operations: []Operation{exampleStop()}},
		}, func(_ context.Context, s *Service, in *operationsInput) (OperationList, error) {
			list, next, err := s.Operations(OperationFilter{State: in.State, Asked: in.Asked, Target: in.Target, Before: in.Before, Limit: in.Limit})
			return OperationList{list, next}, err
		}),
		read(endpoint{
			id: "getOperation", method: http.MethodGet, path: "/api/v1/operations/{id}", access: accessRead, polled: true, tag: tagOperations, summary: "Show an operation",
			detail: "How far it is, and what came of it.",
			answer: "The operation.", example: exampleStopped(), problems: []int{http.StatusNotFound},
		}, func(_ context.Context, s *Service, in *operationInput) (Operation, error) { return s.Operation(in.ID) }),
	}
}

// documentEndpoints belong to HTTP alone.
func documentEndpoints() []entry {
	offer := func(id, path, name, media string, text func(spelled) []byte) entry {
		e := endpoint{
			id: id, method: http.MethodGet, path: path, access: accessRead, polled: true, forBrowsers: true, tag: tagDocument, summary: "This document as " + name,
			detail: "The OpenAPI 3.1 document of this API.", answer: "The document.",
		}
		return entry{endpoint: e, bind: func(a *api) {
			doc := e.document()
			doc.Responses["200"].Content = map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeObject}}}
			registerAs(a, e, doc, func(context.Context, *struct{}) (*answered, error) {
				s, err := a.spell()
				return &answered{media, text(s)}, err
			})
		}}
	}
	return []entry{
		offer("getDocumentAsJSON", "/openapi.json", "JSON", "application/json", func(s spelled) []byte { return s.json }),
		offer("getDocumentAsYAML", "/openapi.yaml", "YAML", "application/yaml", func(s spelled) []byte { return s.yaml }),
	}
}

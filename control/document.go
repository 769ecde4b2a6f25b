package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// The tags of operations.
const (
	tagProbes   = "Probes"
	tagRuntime  = "Runtime"
	tagParts    = "Workers, queues, pipelines"
	tagTraces   = "Traces"
	tagDocument = "Documentation"
)

// newDocument is the document before any operation.
func newDocument() *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", nameSchema)
	aliasEnums(schemas)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "PLBA control plane",
			Version: "1.0.0",
			Description: "What operators see and do of one application on PLBA: probes and health, the state of the runtime with start and stop, " +
				"workers with their state machines, queues, pipelines and recent traces.\n\n" +
				"A command answers 202 and goes on in the background; `GET /api/v1/runtime` tells how it went. Everything that is refused or fails " +
				"is answered with a problem as RFC 9457 describes it.\n\n" +
				"Each operation says in `security` which role it needs, and in `x-plba-access` when it needs no token: `always`, or `on_loopback`, " +
				"which means that the request comes from the same machine and that no tokens are configured.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			Contact: &huma.Contact{Name: "PLBA", URL: "https://github.com/plba/plba"},
		},
		Servers: []*huma.Server{
			{URL: "/", Description: "The application that serves this document"},
			{URL: "http://127.0.0.1:8080", Description: "The default of platform.control.listen"},
		},
		Tags: []*huma.Tag{
			{Name: tagProbes, Description: "For orchestrators and load balancers. Each also answers HEAD."},
			{Name: tagRuntime, Description: "What the application is doing, how it is, and start and stop."},
			{Name: tagParts, Description: "What the application is made of."},
			{Name: tagTraces, Description: "The latest traces of this process, kept in memory when `platform.tracing.transport` is `memory`."},
			{Name: tagDocument, Description: "This document. `/docs` shows it as a page that needs no internet."},
		},
		Components: &huma.Components{
			Schemas: schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{securityScheme: {
				Type: "http", Scheme: "bearer",
				Description: "One of `platform.control.tokens`; without any, the token that the application shows on its terminal when it starts.",
			}},
			Responses: map[string]*huma.Response{},
		},
	}
	problem := schemas.Schema(problemOfType, true, "")
	for status, r := range newRefusals() {
		doc.Components.Responses[r.name] = &huma.Response{
			Description: r.description,
			Headers:     r.headers,
			Content:     map[string]*huma.MediaType{problemType: {Schema: problem, Example: r.problem(status)}},
		}
	}
	return doc
}

const securityScheme = "token"

// document describes the operation. The answer of success gets its schema from huma.
func (op operation) document() huma.Operation {
	success := op.status
	if success == 0 {
		success = http.StatusOK
	}
	d := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path,
		Tags: []string{op.tag}, Summary: op.summary, Description: op.detail,
		DefaultStatus: success,
		Responses:     map[string]*huma.Response{strconv.Itoa(success): {Description: op.answer}},
		Metadata:      map[string]any{accessKey: op.access},
		Extensions:    map[string]any{"x-plba-access": op.access},
		MaxBodyBytes:  maxBody + 1, // the gate has read and measured it

		RejectUnknownQueryParameters: !op.lax,
	}
	statuses := []int{http.StatusBadRequest, http.StatusMisdirectedRequest, http.StatusInternalServerError}
	if op.access.Without == Always {
		d.Security = []map[string][]string{} // written, so that it does not look forgotten
	} else {
		d.Security = []map[string][]string{{securityScheme: {string(op.access.Role)}}}
		if op.access.Without == OnLoopback {
			d.Security = append(d.Security, map[string][]string{})
		}
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	}
	if op.method == http.MethodPost {
		statuses = append(statuses, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if !op.lax {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	refusals := newRefusals()
	for _, status := range slices.Concat(statuses, op.problems) {
		d.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + refusals[status].name}
	}
	return d
}

// illustrate adds the example, once huma has added the schema.
func (op operation) illustrate(d huma.Operation) {
	if media := d.Responses[strconv.Itoa(d.DefaultStatus)].Content["application/json"]; media != nil && op.example != nil {
		media.Example = op.example
	}
}

// spelled is the document in both spellings.
type spelled struct{ json, yaml []byte }

func spell(doc *huma.OpenAPI) (s spelled, err error) {
	plain, err := json.Marshal(doc)
	if err != nil {
		return s, fmt.Errorf("the OpenAPI document cannot be encoded: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, plain, "", "  "); err != nil {
		return s, fmt.Errorf("the OpenAPI document cannot be indented: %w", err)
	}
	indented.WriteByte('\n')
	s.json = indented.Bytes()
	if s.yaml, err = doc.YAML(); err != nil {
		return s, fmt.Errorf("the OpenAPI document cannot be spelled as YAML: %w", err)
	}
	return s, nil
}

// Spec is the OpenAPI 3.1 document of the control plane as indented JSON. It needs no running application, and is the same every time.
func Spec() ([]byte, error) {
	s, err := newAPI(nil, nil, nil, false).spell()
	return s.json, err
}

// SpecYAML is Spec, spelled as YAML.
func SpecYAML() ([]byte, error) {
	s, err := newAPI(nil, nil, nil, false).spell()
	return s.yaml, err
}

package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/runtime"
)

// The tags of operations.
const (
	tagProbes     = "Probes"
	tagRuntime    = "Runtime"
	tagWorkers    = "Workers"
	tagQueues     = "Queues"
	tagPipelines  = "Pipelines"
	tagOperations = "Operations"
	tagEvents     = "Events"
	tagAudit      = "Audit"
	tagTraces     = "Traces"
	tagProfiles   = "Profiles"
	tagDocument   = "Documentation"

	tagApplication = "Application" // in the documents of applications that have operations of their own
)

// newDocument is the document before any operation, for a control plane under a prefix ("" for none).
func newDocument(prefix string) *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", nameSchema)
	aliasEnums(schemas)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "PLBA control plane",
			Version: "1.0.0",
			Description: "What operators see and do of one application on PLBA: probes and health, the runtime, workers with their state machines, " +
				"queues and their tasks, pipelines and recent traces.\n\n" +
				"A command answers with an operation that names who asked, why, how far it is and what came of it. One that takes time answers 202 and goes on in the " +
				"background; `GET /api/v1/operations/{id}` tells how it goes. Everything that is refused or fails is answered with a problem as RFC 9457 describes it.\n\n" +
				"Lists come in pages: `limit` bounds one, and its `next`, if there is one, is what the parameter `after` (or `before`) goes on with. Answers that clients " +
				"ask for again and again have an `ETag`.\n\n" +
				"Each operation says in `security` which role it needs, and in `x-plba-access` when it needs no token: `always`, or `on_loopback`, " +
				"which means that the request comes from the same machine and that no tokens are configured.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			Contact: &huma.Contact{Name: "PLBA", URL: "https://github.com/plba/plba"},
		},
		Servers: serversAt(prefix),
		Tags: []*huma.Tag{
			{Name: tagProbes, Description: "For orchestrators and load balancers. Each also answers HEAD."},
			{Name: tagRuntime, Description: "What the application is doing, how it is, and start and stop."},
			{Name: tagWorkers, Description: "The workers, their state machines, and commands to each."},
			{Name: tagQueues, Description: "The queues and their tasks."},
			{Name: tagPipelines, Description: "The pipelines and their graphs."},
			{Name: tagOperations, Description: "What was asked of the application, and what came of it."},
			{Name: tagEvents, Description: "What happens, as it happens: moves of the runtime and of workers, changes of health, operations, failed attempts at tasks."},
			{Name: tagAudit, Description: "Who asked for what, and what became of it."},
			{Name: tagTraces, Description: "The latest traces of this process, kept in memory when `platform.tracing.transport` is `memory`."},
			{Name: tagProfiles, Description: "A look into the process, where `platform.control.pprof` is `true`."},
			{Name: tagDocument, Description: "This document. `/docs` shows it as a page that needs no internet."},
		},
		Components: &huma.Components{
			Schemas: schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{securityScheme: {
				Type: "http", Scheme: "bearer",
				Description: "One of `platform.control.tokens`; without any, the token that the application shows on its terminal when it starts. A client certificate of " +
					"`platform.control.tls.clients` does as well.",
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

func serversAt(prefix string) []*huma.Server {
	if prefix != "" {
		return []*huma.Server{{URL: prefix, Description: "The application that serves this document"}}
	}
	return []*huma.Server{
		{URL: "/", Description: "The application that serves this document"},
		{URL: "http://127.0.0.1:8080", Description: "The default of platform.control.listen"},
	}
}

const (
	securityScheme  = "token"
	accessExtension = "x-plba-access"
)

// securityOf is what an Access looks like in the document.
func securityOf(need Access) []map[string][]string {
	if need.Without == Always {
		return []map[string][]string{} // written, so that it does not look forgotten
	}
	s := []map[string][]string{{securityScheme: {string(need.Role)}}}
	if need.Without == OnLoopback {
		s = append(s, map[string][]string{})
	}
	return s
}

// refusalsOf are the statuses with which an operation can refuse before it is reached.
func refusalsOf(need Access, hasBody bool) []int {
	statuses := []int{http.StatusBadRequest, http.StatusMisdirectedRequest, http.StatusInternalServerError}
	if need.Without != Always {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	}
	if hasBody {
		statuses = append(statuses, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return statuses
}

// refusalResponse refers to the refusal of that status. One that only an application has is spelled out.
func refusalResponse(status int) *huma.Response {
	if r, ok := newRefusals()[status]; ok {
		return &huma.Response{Ref: "#/components/responses/" + r.name}
	}
	problem := &huma.Schema{Ref: "#/components/schemas/Problem"}
	return &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{problemType: {Schema: problem}}}
}

// document describes the operation. The answer of success gets its schema from huma.
func (e endpoint) document() huma.Operation {
	success := e.status
	if success == 0 {
		success = http.StatusOK
	}
	d := huma.Operation{
		OperationID: e.id, Method: e.method, Path: e.path,
		Tags: []string{e.tag}, Summary: e.summary, Description: e.detail,
		DefaultStatus: success,
		Responses:     map[string]*huma.Response{strconv.Itoa(success): {Description: e.answer}},
		Metadata:      map[string]any{accessKey: e.access, polledKey: e.polled, streamsKey: e.streams, slowKey: e.slow, browsersKey: e.forBrowsers},
		Extensions:    map[string]any{accessExtension: e.access},
		MaxBodyBytes:  maxBody + 1, // the gate has read and measured it

		RejectUnknownQueryParameters: !e.lax,
	}
	d.Security = securityOf(e.access)
	if e.body != nil {
		d.RequestBody = &huma.RequestBody{Description: "What is asked in detail.", Content: map[string]*huma.MediaType{"application/json": {Example: e.body}}}
	}
	statuses := refusalsOf(e.access, e.body != nil)
	if !e.lax {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	for _, status := range slices.Concat(statuses, e.problems) {
		d.Responses[strconv.Itoa(status)] = refusalResponse(status)
	}
	if e.polled {
		documentETag(&d)
	}
	return d
}

func documentETag(d *huma.Operation) {
	d.Parameters = append(d.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleETag,
		Description: "The ETag of an answer that the client has; if it is still the answer it is not sent again.",
	})
	d.Responses["200"].Headers = map[string]*huma.Header{"ETag": textHeader("Names this very answer.")}
	d.Responses["304"] = &huma.Response{Description: "The answer that the client has is still the answer.", Headers: map[string]*huma.Header{"ETag": textHeader("Names it.")}}
}

const exampleETag = `"tLWaMgm0Zo1DEXF1"`

// illustrate adds the example, once huma has added the schema.
func (e endpoint) illustrate(d huma.Operation) {
	if media := d.Responses[strconv.Itoa(d.DefaultStatus)].Content["application/json"]; media != nil && e.example != nil {
		media.Example = e.example
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
	s, err := newAPI(nil, nil, nil, catalogue(Config{}), nil).spell()
	return s.json, err
}

// SpecYAML is Spec, spelled as YAML.
func SpecYAML() ([]byte, error) {
	s, err := newAPI(nil, nil, nil, catalogue(Config{}), nil).spell()
	return s.yaml, err
}

// SpecOf is Spec with the application's own operations, as the application serves it. It need not run.
func SpecOf(a *runtime.App) ([]byte, error) {
	s, err := newAPI(nil, nil, nil, catalogue(Config{}), applicationOf(a)).spell()
	return s.json, err
}

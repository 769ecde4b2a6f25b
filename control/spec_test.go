package control_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/plba/plba/control"
)

//go:generate go test -count=1 -run ^TestSpecIsCommitted$ . -update

var update = flag.Bool("update", false, "write the document to ../openapi instead of comparing it")

// The committed document, from which clients are generated, is what the code serves.
func TestSpecIsCommitted(t *testing.T) {
	for name, spell := range map[string]func() ([]byte, error){"openapi.json": control.Spec, "openapi.yaml": control.SpecYAML} {
		text, err := spell()
		if err != nil {
			t.Fatal(err)
		}
		file := "../openapi/" + name
		if *update {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, committed) {
			t.Errorf("openapi/%s is not what the code gives: run make generate and look at the difference", name)
		}
	}
}

func TestSpecIsTheSameEveryTime(t *testing.T) {
	first, err := control.Spec()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := control.Spec()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("two documents differ")
		}
	}
}

// spec is the document as its readers see it.
type spec struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title, Version, Description string
		License                     struct{ Name, Identifier string }
	} `json:"info"`
	Servers    []struct{ URL string }
	Tags       []struct{ Name, Description string }
	Paths      map[string]map[string]specOperation `json:"paths"`
	Components struct {
		Schemas         map[string]specSchema   `json:"schemas"`
		Responses       map[string]specResponse `json:"responses"`
		SecuritySchemes map[string]struct{ Type, Scheme string }
	} `json:"components"`
}

type specOperation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          []map[string][]string
	Access                            control.Access `json:"x-plba-access"`
	Parameters                        []struct{ Name, In, Description string }
	Responses                         map[string]specResponse
}

type specResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct {
		Schema  specSchema
		Example any
	}
}

type specSchema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Description          string
	Properties           map[string]specSchema
	Items                *specSchema
	Enum                 []any
	Required             []string
	AdditionalProperties any
}

// theSpec is made once: making the document costs more than most tests.
var theSpec = sync.OnceValues(func() (s spec, err error) {
	text, err := control.Spec()
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
})

func loadSpec(t testing.TB) spec {
	t.Helper()
	s, err := theSpec()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// each calls f for every operation of the document.
func (s spec) each(f func(method, path string, op specOperation)) {
	for path, methods := range s.Paths {
		for method, op := range methods {
			f(strings.ToUpper(method), path, op)
		}
	}
}

func TestSpecIsComplete(t *testing.T) {
	s := loadSpec(t)
	if s.OpenAPI != "3.1.0" || s.Info.Title == "" || s.Info.Version == "" || s.Info.Description == "" || s.Info.License.Identifier != "Apache-2.0" || len(s.Servers) == 0 {
		t.Errorf("the document lacks what every one has: %+v", s.Info)
	}
	tags := map[string]int{}
	for _, tag := range s.Tags {
		tags[tag.Name] = 0
		if tag.Description == "" {
			t.Errorf("tag %s has no description", tag.Name)
		}
	}
	ids := map[string]bool{}
	s.each(func(method, path string, op specOperation) {
		at := method + " " + path
		if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || op.Description == "" || len(op.Tags) != 1 {
			t.Errorf("%s: id, summary, description or tag is missing or not unique: %+v", at, op)
		}
		ids[op.OperationID] = true
		tags[op.Tags[0]]++
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s: parameter %s has no description", at, p.Name)
			}
		}
		checkResponses(t, s, at, op)
		checkSecurity(t, at, op)
	})
	for tag, n := range tags {
		if n == 0 {
			t.Errorf("tag %s has no operation", tag)
		}
	}
	if len(ids) != 42 {
		t.Errorf("%d operations, want 42", len(ids))
	}
}

// checkResponses: each success has a schema and an example, each refusal is a whole problem.
func checkResponses(t *testing.T, s spec, at string, op specOperation) {
	t.Helper()
	for _, must := range []string{"400", "421", "500"} {
		if _, ok := op.Responses[must]; !ok {
			t.Errorf("%s does not document %s", at, must)
		}
	}
	for status, r := range op.Responses {
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			r = s.Components.Responses[name]
			if media := r.Content["application/problem+json"]; media.Example == nil || media.Schema.Ref != "#/components/schemas/Problem" {
				t.Errorf("%s: %s is no problem with an example", at, status)
			}
		}
		if r.Description == "" || len(r.Content) == 0 && status != "304" {
			t.Errorf("%s: response %s has no description or content", at, status)
		}
		for media, c := range r.Content {
			if c.Example == nil && op.Tags[0] != "Documentation" && media != "application/octet-stream" {
				t.Errorf("%s: response %s as %s has no example", at, status, media)
			}
		}
	}
}

// checkSecurity: what OpenAPI readers see in security is what the doorman reads in x-plba-access.
func checkSecurity(t *testing.T, at string, op specOperation) {
	t.Helper()
	want := map[control.Without]int{control.Always: 0, control.Never: 1, control.OnLoopback: 2}
	alternatives, known := want[op.Access.Without]
	if !known || op.Security == nil || len(op.Security) != alternatives {
		t.Fatalf("%s: access %+v, security %v", at, op.Access, op.Security)
	}
	if alternatives == 0 {
		return
	}
	if roles := op.Security[0]["token"]; len(roles) != 1 || roles[0] != string(op.Access.Role) || op.Access.Role == "" {
		t.Errorf("%s: access %+v, security %v", at, op.Access, op.Security)
	}
	if alternatives == 2 && len(op.Security[1]) != 0 {
		t.Errorf("%s: access %+v, security %v", at, op.Access, op.Security)
	}
}

func TestSpecDescribesEveryField(t *testing.T) {
	fields := 0
	for name, schema := range loadSpec(t).Components.Schemas {
		if schema.Description == "" {
			t.Errorf("schema %s has no description", name)
		}
		for field, p := range schema.Properties {
			fields++
			if p.Description == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
			if types, ok := p.Type.([]any); ok && schema.AdditionalProperties == nil {
				t.Errorf("%s.%s may be null: %v", name, field, types)
			}
		}
		strict := schema.AdditionalProperties == false
		if strict != strings.HasSuffix(name, "Body") {
			t.Errorf("%s: additionalProperties is %v; what is sent is strict, what is answered may grow", name, schema.AdditionalProperties)
		}
	}
	if fields < 120 {
		t.Errorf("looked at %d fields only", fields)
	}
}

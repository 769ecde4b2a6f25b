package openapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// document is what every OpenAPI 3.1 document has.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	} `json:"info"`
	Paths map[string]map[string]any `json:"paths"`
}

func TestTheDescriptionIsOpenAPI31(t *testing.T) {
	var doc document
	if err := json.Unmarshal(JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" || doc.Paths == nil {
		t.Errorf("openapi %q, info %+v, paths %v", doc.OpenAPI, doc.Info, doc.Paths)
	}
}

func TestBothSpellingsSayTheSame(t *testing.T) {
	var fromJSON, fromYAML any
	if err := json.Unmarshal(JSON(), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(YAML(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fromYAML) // so that numbers have one type
	if err != nil {
		t.Fatal(err)
	}
	fromYAML = nil
	if err := json.Unmarshal(text, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromJSON, fromYAML) {
		t.Error("openapi.json and openapi.yaml differ: generate both anew")
	}
}

func TestTheSlicesAreTheCallersOwn(t *testing.T) {
	JSON()[0], YAML()[0] = '!', '!'
	if JSON()[0] == '!' || YAML()[0] == '!' {
		t.Error("a caller can change the embedded files")
	}
}

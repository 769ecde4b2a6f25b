package client_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/openapi"
	"github.com/plba/plba/openapi/client"
)

type document struct {
	Paths      map[string]map[string]struct{ OperationID string }
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any
			Enum       []string
		}
	}
}

func readDocument(t *testing.T) (doc document) {
	t.Helper()
	if err := json.Unmarshal(openapi.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

const makeAgain = "run make generate and commit the result"

// The client has what the document has: CI makes it again and compares, this here is what every `go test` sees.
func TestEveryOperationHasItsMethod(t *testing.T) {
	files := []string{"getDocumentAsJSON", "getDocumentAsYAML", "getProfile"} // see generate/config.yaml
	c := reflect.TypeFor[*client.Client]()
	found, missing := 0, 0
	for _, path := range readDocument(t).Paths {
		for _, op := range path {
			name := strings.ToUpper(op.OperationID[:1]) + op.OperationID[1:]
			if op.OperationID == "watchEvents" {
				name = "Watch"
			}
			if _, ok := c.MethodByName(name); ok {
				found++
			} else if missing++; !slices.Contains(files, op.OperationID) {
				t.Errorf("there is no method for %s: %s", op.OperationID, makeAgain)
			}
		}
	}
	if found < 38 || missing != len(files) {
		t.Errorf("%d methods, %d operations without", found, missing)
	}
}

func TestEverySchemaHasItsType(t *testing.T) {
	fields, values := generated(t)
	looked := 0
	for name, schema := range readDocument(t).Components.Schemas {
		if len(schema.Enum) > 0 {
			looked += len(schema.Enum)
			if got, want := slices.Sorted(slices.Values(values[name])), slices.Sorted(slices.Values(schema.Enum)); !slices.Equal(got, want) {
				t.Errorf("%s has the values %v, in the document %v: %s", name, got, want, makeAgain)
			}
			continue
		}
		looked += len(schema.Properties)
		if got, want := slices.Sorted(slices.Values(fields[name])), slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has the fields %v, in the document %v: %s", name, got, want, makeAgain)
		}
	}
	if looked < 250 {
		t.Errorf("looked at %d fields and values only", looked)
	}
}

// generated reads the JSON names of the fields, and the values of the constants, of each type.
func generated(t *testing.T) (fields, values map[string][]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "api.gen.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	fields, values = map[string][]string{}, map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
					fields[n.Name.Name] = append(fields[n.Name.Name], name)
				}
			}
		case *ast.ValueSpec:
			if kind, ok := n.Type.(*ast.Ident); ok && len(n.Values) == 1 {
				values[kind.Name] = append(values[kind.Name], strings.Trim(n.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
		return true
	})
	return fields, values
}

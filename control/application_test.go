package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
)

// Count is an answer of an application, and has a schema of its own.
type Count struct {
	Orders int    `json:"orders"`
	For    string `json:"for"`
}

// Operation has the name of a type of the control plane.
type Operation struct {
	Amount int `json:"amount" minimum:"1"`
}

type countOutput struct{ Body Count }

type bookInput struct{ Body Operation }

type uploadInput struct{ RawBody []byte }

func count(ctx context.Context, _ *struct{}) (*countOutput, error) {
	return &countOutput{Count{7, control.Asker(ctx).Name}}, nil
}

// shopOperations are those of a module that has every kind.
func shopOperations(api huma.API) {
	huma.Get(api, "/app/count", count)
	huma.Get(api, "/app/count/seen", count, control.Needs(control.Viewer))
	huma.Get(api, "/app/count/open", count, control.Open())
	huma.Post(api, "/app/book", func(_ context.Context, in *bookInput) (*countOutput, error) {
		return &countOutput{Count{Orders: in.Body.Amount}}, nil
	}, control.Needs(control.Admin))
	huma.Get(api, "/app/fail/{how}", func(_ context.Context, in *struct {
		How string `path:"how"`
	}) (*countOutput, error) {
		switch in.How {
		case "panic":
			panic("hunter2")
		case "plain":
			return nil, errors.New("hunter2")
		case "503":
			return nil, huma.Error503ServiceUnavailable("hunter2", errors.New("hunter2"))
		}
		return nil, huma.Error409Conflict("the shop is closed", errors.New("opening hours"))
	}, control.Open())
	huma.Put(api, "/app/picture", func(_ context.Context, in *uploadInput) (*countOutput, error) {
		return &countOutput{Count{Orders: len(in.RawBody)}}, nil
	}, control.Needs(control.Operator), func(op *huma.Operation) { op.MaxBodyBytes = 100 })
}

func operations(registers ...func(huma.API)) func(*runtime.Registry) {
	return func(r *runtime.Registry) {
		for _, register := range registers {
			control.Operations(r, register)
		}
	}
}

func startWithOperations(t *testing.T, settings map[string]any, registers ...func(huma.API)) *plane {
	t.Helper()
	b := newBot()
	b.more = operations(registers...)
	p := planeOf(t, b, settings)
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := tokenLine.FindStringSubmatch(p.terminal.String()); m != nil {
		p.token = m[1]
	}
	return p
}

func TestApplicationOperations(t *testing.T) {
	p := startWithOperations(t, withTokens(), shopOperations)
	admin := bearer(strings.ToUpper(adminToken))
	for path, want := range map[string]map[string]int{
		"/app/count":      {"": 401, viewerToken: 403, operatorToken: 200},
		"/app/count/seen": {"": 401, viewerToken: 200, operatorToken: 200},
		"/app/count/open": {"": 200, viewerToken: 200},
	} {
		for token, status := range want {
			var changes []with
			if token != "" {
				changes = append(changes, bearer(token))
			}
			a := p.get(path, changes...)
			if a.status != status {
				t.Errorf("%s with %q: %d, want %d", path, token, a.status, status)
			}
			if status != 200 {
				problem(t, a, status)
			}
		}
	}
	if got := read[Count](t, p.get("/app/count", bearer(operatorToken)), 200); got != (Count{7, "ops"}) {
		t.Errorf("%+v", got)
	}
	problem(t, p.do("POST", "/app/book", `{"amount":3}`, bearer(operatorToken)), 403)
	if got := read[Count](t, p.do("POST", "/app/book", `{"amount":3}`, admin), 200); got.Orders != 3 {
		t.Errorf("%+v", got)
	}
	if got := problem(t, p.do("POST", "/app/book", `{"amount":0}`, admin), 422); len(got.Errors) != 1 || got.Errors[0].Location != "body.amount" {
		t.Errorf("%+v", got)
	}
	problem(t, p.do("POST", "/app/book", `{"amount":3}`, admin, header("Sec-Fetch-Site", "cross-site")), 403)
	problem(t, p.do("POST", "/app/count", "", admin), 405)
	problem(t, p.get("/app/nothing", admin), 404)
	picture := header("Content-Type", "image/png")
	if got := read[Count](t, p.do("PUT", "/app/picture", strings.Repeat("x", 99), admin, picture), 200); got.Orders != 99 {
		t.Errorf("%+v", got)
	}
	problem(t, p.do("PUT", "/app/picture", strings.Repeat("x", 101), admin, picture), 413)
}

// What an operation of the application fails with stays in the log; what it refuses with is told.
func TestApplicationOperationsThatFail(t *testing.T) {
	p := startWithOperations(t, nil, shopOperations)
	for how, want := range map[string]int{"panic": 500, "plain": 500, "503": 503} {
		if a := p.get("/app/fail/" + how); strings.Contains(string(a.body), "hunter2") || problem(t, a, want).Errors != nil {
			t.Errorf("%s: %s", how, a.body)
		}
	}
	if n := strings.Count(p.log.String(), "hunter2"); n < 3 {
		t.Errorf("%d causes in the log, want 3", n)
	}
	got := problem(t, p.get("/app/fail/softly"), 409)
	if got.Detail != "the shop is closed" || len(got.Errors) != 1 || got.Errors[0].Message != "opening hours" {
		t.Errorf("%+v", got)
	}
}

// The document of the application has its operations beside ours, each with what the doorman demands.
func TestApplicationOperationsAreDocumented(t *testing.T) {
	p := startWithOperations(t, nil, shopOperations, func(api huma.API) {
		api.OpenAPI().Tags = append(api.OpenAPI().Tags, &huma.Tag{Name: "Shelves"})
		huma.Get(huma.NewGroup(api, "/app/shelves"), "/{id}", func(context.Context, *struct {
			ID int `path:"id"`
		}) (*struct {
			Body []control.Operation // another type of that name
		}, error) {
			return nil, nil
		}, func(op *huma.Operation) { op.Tags = []string{"Shelves"}; op.Errors = []int{404, 418} })
	})
	served := p.get("/openapi.json")
	offline, err := control.SpecOf(p.app)
	if err != nil || string(served.body) != string(offline) {
		t.Fatalf("served and printed documents differ: %v", err)
	}
	var s spec
	if err := json.Unmarshal(served.body, &s); err != nil {
		t.Fatal(err)
	}
	own := 0
	s.each(func(method, path string, op specOperation) {
		if !strings.HasPrefix(path, "/app/") {
			return
		}
		own++
		at := method + " " + path
		checkSecurity(t, at, op)
		if op.Responses["default"].Description != "" || op.Responses["500"].Ref == "" || len(op.Tags) != 1 {
			t.Errorf("%s: %+v", at, op.Responses)
		}
	})
	if own != 7 {
		t.Errorf("%d operations of the application, want 7", own)
	}
	if got := s.Paths["/app/shelves/{id}"]["get"]; got.Responses["404"].Ref == "" || got.Responses["418"].Content["application/problem+json"].Schema.Ref == "" {
		t.Errorf("%+v", got.Responses)
	}
	for _, name := range []string{"Operation", "AppOperation", "AppOperation2", "AppCount"} {
		if len(s.Components.Schemas[name].Properties) == 0 {
			t.Errorf("schema %s is missing", name)
		}
	}
	if _, there := s.Components.Schemas["AppErrorModel"]; there {
		t.Error("huma's errors are documented")
	}
	if !slices.ContainsFunc(s.Tags, func(tag struct{ Name, Description string }) bool { return tag.Name == "Shelves" }) {
		t.Errorf("tags %v", s.Tags)
	}
	// Another application knows nothing of them.
	plain, err := control.Spec()
	if err != nil || strings.Contains(string(plain), "/app/") {
		t.Errorf("they are in the general document: %v", err)
	}
}

func TestApplicationOperationsThatAreFaults(t *testing.T) {
	at := func(path string, changes ...func(*huma.Operation)) func(huma.API) {
		return func(api huma.API) { huma.Get(api, path, count, changes...) }
	}
	for name, c := range map[string]struct {
		register []func(huma.API)
		want     string
	}{
		"outside":          {[]func(huma.API){at("/api/v1/mine")}, "GET /api/v1/mine: it must be under /app/"},
		"the root":         {[]func(huma.API){at("/app")}, "it must be under /app/"},
		"out by dots":      {[]func(huma.API){at("/app/../livez")}, "it must be under /app/"},
		"twice":            {[]func(huma.API){at("/app/x"), at("/app/x", func(op *huma.Operation) { op.OperationID = "other" })}, "GET /app/x"},
		"ambiguous":        {[]func(huma.API){at("/app/{a}/x"), at("/app/x/{a}")}, "conflicts"},
		"the same ID":      {[]func(huma.API){at("/app/x", func(op *huma.Operation) { op.OperationID = "getRuntime" })}, `the operation ID "getRuntime" is taken by GET /api/v1/runtime`},
		"an unknown role":  {[]func(huma.API){at("/app/x", control.Needs("root"))}, "its security"},
		"another security": {[]func(huma.API){at("/app/x", func(op *huma.Operation) { op.Security = []map[string][]string{{"oauth": {}}} })}, "its security"},
		"a panic":          {[]func(huma.API){func(huma.API) { panic("no shop") }}, "panic: no shop"},
		"nil":              {[]func(huma.API){nil}, "the function is nil"},
	} {
		b := newBot()
		b.more = operations(c.register...)
		_, err := runtime.New(b, runtime.WithSources(config.YAML("test", "{}")), runtime.WithDrivers(memory.Driver()))
		var faults *runtime.FaultError
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Middleware of one part of an application goes around its own operations only.
func TestApplicationMiddlewareIsItsOwn(t *testing.T) {
	p := startWithOperations(t, nil, func(api huma.API) {
		api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
			ctx.SetHeader("X-Shop", "open")
			next(ctx)
		})
		huma.Get(api, "/app/a", count, control.Open())
	}, func(api huma.API) { huma.Get(api, "/app/b", count, control.Open()) })
	for path, want := range map[string]string{"/app/a": "open", "/app/b": "", "/livez": ""} {
		if a := p.get(path); a.status != 200 || a.header.Get("X-Shop") != want {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

type sales struct{}

func (sales) Name() string { return "sales" }

func (sales) Register(r *runtime.Registry) error {
	control.Operations(r, func(api huma.API) {
		huma.Get(api, "/app/sales/count", func(context.Context, *struct{}) (*countOutput, error) {
			return &countOutput{Count{Orders: 3}}, nil
		}, control.Needs(control.Viewer))
	})
	return nil
}

// An application has an operation of its own beside those of the control plane.
func ExampleOperations() {
	app, err := runtime.New(sales{})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := control.SpecOf(app)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
		}
	}
	fmt.Println(err, json.Unmarshal(text, &doc))
	op := doc.Paths["/app/sales/count"]["get"]
	fmt.Println(op.OperationID, op.Security)
	fmt.Println(doc.Paths["/api/v1/runtime"]["get"].OperationID)
	// Output:
	// <nil> <nil>
	// get-app-sales-count [map[token:[viewer]]]
	// getRuntime
}

var _ http.Handler = (*control.HTTP)(nil)

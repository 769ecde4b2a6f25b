package plba_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba"
	"github.com/plba/plba/control"
)

// shop has an operation of its own.
type shop struct{}

func (shop) Name() string { return "shop" }

func (shop) Register(r *plba.Registry) error {
	control.Operations(r, func(api huma.API) {
		huma.Get(api, "/app/orders", func(ctx context.Context, _ *struct{}) (*struct{ Body string }, error) {
			return &struct{ Body string }{"3 orders, for " + control.Asker(ctx).Name}, nil
		}, control.Needs(control.Viewer))
	})
	return nil
}

// The token is "secret"; make a better one.
const dashboard = `
platform:
  control:
    tokens: [{name: dashboard, role: viewer, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}]`

// An application that has an HTTP server of its own puts the control plane into it, with its own operations.
func ExampleApp_Handler() {
	app, err := plba.New(shop{}, plba.WithoutControlListener(), plba.WithOutput(io.Discard), plba.WithConfigYAML(dashboard))
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := app.Handler("/plba/")
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux() // the application's own
	mux.Handle("/plba/", h)

	ctx := context.Background()
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _, _ = app.Stop(ctx) }() // before the server: it ends event streams

	req := httptest.NewRequest("GET", "/plba/app/orders", nil)
	req.Header.Set("Authorization", "Bearer secret")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, req)
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 200 "3 orders, for dashboard"
}

func TestHandlerIsRefused(t *testing.T) {
	for settings, want := range map[string]string{
		"platform: {}":                          "add at least one token",
		"platform: {control: {enabled: false}}": "switched off by platform.control.enabled",
		dashboard:                               "",
		dashboard + "\n    enabled: false":      "switched off by platform.control.enabled",
	} {
		app, err := plba.New(shop{}, plba.WithoutControlListener(), plba.WithOutput(io.Discard), plba.WithConfigYAML(settings))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Handler("/plba/"); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}

// What -print-openapi prints is what the application serves.
func TestSpecHasTheApplicationsOperations(t *testing.T) {
	app, err := plba.New(shop{}, plba.WithoutControlListener(), plba.WithOutput(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	text, err := control.SpecOf(app.App)
	var doc struct{ Paths map[string]any }
	if err != nil || json.Unmarshal(text, &doc) != nil || doc.Paths["/app/orders"] == nil || doc.Paths["/livez"] == nil {
		t.Errorf("%v %v", err, doc)
	}
}

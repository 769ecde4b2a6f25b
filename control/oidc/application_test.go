package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba"
	"github.com/plba/plba/control/oidc"
	"github.com/plba/plba/workers"
)

type module struct{}

func (module) Name() string { return "shop" }

func (module) Register(r *plba.Registry) error {
	r.Worker(workers.Loop("clerk", func(_ context.Context, s *workers.Session) error {
		s.Ready()
		<-s.Stopping()
		return nil
	}))
	return nil
}

func (i *issuer) yaml() string {
	return fmt.Sprintf(`platform:
  control:
    oidc:
      issuer: %s
      audience: plba
      roles: {admin: [platform], operator: [on-call], viewer: [staff]}
`, i.url)
}

func assemble(yaml string, opts ...plba.Option) (*plba.App, error) {
	return plba.New(module{}, append(opts, plba.WithOutput(io.Discard), plba.WithConfigYAML(yaml))...)
}

// TestApplication goes the whole way: the configuration switches it on, roles decide at the operations, and the audit names people.
func TestApplication(t *testing.T) {
	i := newIssuer(t)
	app, err := assemble(i.yaml(), plba.WithoutControlListener(), plba.WithAuthentication(oidc.Method()))
	must(t, err)
	h, err := app.Handler("/") // which insists on configured authentication
	must(t, err)
	must(t, app.Start(t.Context()))
	defer func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = app.Stop(ctx)
		must(t, app.Close(ctx))
	}()
	call := func(method, path, token string) (int, string) {
		req := httptest.NewRequest(method, path, nil)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, req)
		return answer.Code, answer.Body.String()
	}
	of := func(who string, groups ...string) string {
		return i.token(map[string]any{"sub": who, "groups": groups})
	}
	for _, tc := range []struct {
		method, path, token string
		status              int
		want                string
	}{
		{"GET", "/api/v1/workers", "", 401, "needs a token"},
		{"GET", "/api/v1/workers", "nonsense", 401, "not a token that admits anybody"},
		{"GET", "/api/v1/workers", of("vera", "staff"), 200, `"clerk"`},
		{"POST", "/api/v1/workers/clerk/restart", of("vera", "staff"), 403, `\"vera\" has the role viewer`},
		{"POST", "/api/v1/workers/clerk/restart", of("otto", "on-call"), 202, `"otto"`},
		{"GET", "/api/v1/workers", of("gast", "visitors"), 403, "gives a role here"},
		{"GET", "/api/v1/workers", i.token(map[string]any{"exp": 1}), 401, "expired"},
		{"GET", "/api/v1/audit", of("otto", "on-call"), 403, "needs the role admin"},
	} {
		if status, body := call(tc.method, tc.path, tc.token); status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", tc.method, tc.path, status, body, tc.status, tc.want)
		}
	}
	status, body := call("GET", "/api/v1/audit", of("ada", "platform"))
	var audit struct {
		Records []struct{ Who, Outcome string }
	}
	if err := json.Unmarshal([]byte(body), &audit); status != 200 || err != nil {
		t.Fatal(status, body, err)
	}
	for _, want := range []string{`"otto"`, `"vera"`, `"gast"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the audit does not name %s: %s", want, body)
		}
	}
	i.trouble(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) })
	i.rotate("two")
	if status, body := call("GET", "/api/v1/workers", of("vera", "staff")); status != 401 && status != 503 {
		t.Errorf("%d %s", status, body)
	}
}

func TestConfiguration(t *testing.T) {
	i := newIssuer(t)
	linked := plba.WithAuthentication(oidc.Method())
	if _, err := assemble("platform: {control: {tokens: []}}", linked); err != nil {
		t.Errorf("linked, not switched on: %v", err)
	}
	if _, err := assemble(i.yaml()+"    insecure: true\n    listen: 0.0.0.0:0\n", linked); err != nil {
		t.Errorf("with an issuer authentication is configured: %v", err)
	}
	if _, err := assemble(i.yaml()); err == nil || !strings.Contains(err.Error(), `unknown key "platform.control.oidc"`) {
		t.Errorf("not linked: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	text := filepath.Join(t.TempDir(), "text.pem")
	must(t, os.WriteFile(text, []byte("text"), 0o600))
	const right = "issuer: https://login.example.com, audience: plba, roles: {viewer: [staff]}"
	for settings, wants := range map[string][]string{
		"": {`:1: platform.control.oidc.issuer: "" is not the https URL of an issuer (for instance https://login.example.com/realms/ops)`,
			"platform.control.oidc.audience: without an audience every token", "platform.control.oidc.roles: no value of the claim gives a role"},
		"issuer: http://login.example.com, audience: a, roles: {viewer: [x]}":       {`"http://login.example.com" is not the https URL`},
		"issuer: 'https://u:p@login.example.com', audience: a, roles: {admin: [x]}": {"is not the https URL"},
		right + ", roles_claim: a..b":                                               {`roles_claim: "a..b" is not the name of a claim`},
		"issuer: https://x.example, audience: a, roles: {boss: [x]}":                {`"boss" is not a role (use viewer, operator or admin)`},
		"issuer: https://x.example, audience: a, roles: {admin: ['']}":              {"an empty text gives nobody the role admin"},
		right + ", ca_file: " + none:                                                {none, "no such file"},
		right + ", ca_file: " + text:                                                {text + " has no certificate in PEM"},
		right + ", issuerr: x":                                                      {`unknown key "platform.control.oidc.issuerr" (did you mean "issuer"?)`},
		right + "}, tokens: [{name: a}], x: {":                                      {"tokens[0].role", `"platform.control.x"`},
	} {
		_, err := assemble("platform: {control: {oidc: {"+settings+"}}}", linked)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", settings, err, want)
			}
		}
	}
}

// What a reload finds changed needs a restart, and says so.
func TestReload(t *testing.T) {
	i := newIssuer(t)
	path := filepath.Join(t.TempDir(), "app.yaml")
	must(t, os.WriteFile(path, []byte("log: {level: error}"), 0o600))
	app, err := plba.New(module{}, plba.WithOutput(io.Discard), plba.WithConfigFiles(path), plba.WithAuthentication(oidc.Method()))
	must(t, err)
	defer func() { must(t, app.Close(t.Context())) }()
	for _, text := range []string{i.yaml(), strings.Replace(i.yaml(), "audience: plba", "audience: other", 1), "{}"} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		r, err := app.Reload(t.Context())
		must(t, err)
		if text != "{}" && !strings.Contains(fmt.Sprint(r.Restart), "platform.control.oidc") {
			t.Errorf("needs a restart: %v", r.Restart)
		}
	}
	must(t, os.WriteFile(path, []byte(strings.Replace(i.yaml(), "audience: plba", "", 1)), 0o600))
	if _, err := app.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), path+":3: platform.control.oidc.audience") {
		t.Errorf("a fault: %v", errors.Unwrap(err))
	}
}

package control_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

const (
	viewerToken   = "viewer-7f5c1de0b2aa4c6f9d0e"
	operatorToken = "operator-19c0be6e27f14d1f8a3b"
	adminToken    = "admin-c9f0f895fb98ab9159f51fd0"
	expiredToken  = "expired-8f14e45fceea167a5a36" // of an admin, long ago
)

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// withTokens configures one token of each role, and one that has expired.
func withTokens() map[string]any {
	entry := func(name, role, token string) map[string]any {
		return map[string]any{"name": name, "role": role, "sha256": hashOf(token)}
	}
	old := entry("old", "admin", expiredToken)
	old["expires"] = "2020-01-01T00:00:00Z"
	return map[string]any{"platform.control.tokens": []any{
		old,
		entry("dashboard", "viewer", viewerToken), entry("ops", "operator", operatorToken), entry("root", "admin", strings.ToUpper(adminToken)),
	}}
}

// Who asks, by the token presented.
var askers = []struct {
	name  string
	token string // "" presents none
	role  control.Role
	wrong bool
}{
	{name: "nobody"},
	{name: "a stranger", token: "not-a-token", wrong: true},
	{name: "a hash", token: hashOf(viewerToken), wrong: true},
	{name: "a forger", token: strings.ToUpper(adminToken) + "=", wrong: true},
	{name: "a former admin", token: expiredToken, wrong: true},
	{name: "viewer", token: viewerToken, role: control.Viewer},
	{name: "operator", token: operatorToken, role: control.Operator},
	{name: "admin", token: strings.ToUpper(adminToken), role: control.Admin},
}

// expected is the rule of the house, said in another way than the code says it: what status an asker gets, 0 for any that is not a refusal.
func expected(access control.Access, role control.Role, wrong, configured bool) int {
	rank := map[control.Role]int{"": 0, control.Viewer: 1, control.Operator: 2, control.Admin: 3}
	switch {
	case access.Without == control.Always:
		return 0
	case wrong:
		return http.StatusUnauthorized
	case role == "" && access.Without == control.OnLoopback && !configured:
		return 0
	case role == "":
		return http.StatusUnauthorized
	case rank[role] < rank[access.Role]:
		return http.StatusForbidden
	}
	return 0
}

// Every role meets every operation of the document, with tokens from the configuration and with that of the first run.
func TestRolesMeetOperations(t *testing.T) {
	met := 0
	meet := func(t *testing.T, p *plane, configured bool, name, token string, role control.Role, wrong bool) {
		loadSpec(t).each(func(method, path string, op specOperation) {
			met++
			body := ""
			if method != http.MethodGet {
				body = `{"reason":7}` // so that what is admitted changes nothing
			}
			var changes []with
			if token != "" {
				changes = append(changes, bearer(token))
			}
			if _, streams := op.Responses["200"].Content["text/event-stream"]; streams {
				path += "?type=odd" // so that it ends
			}
			a := p.do(method, strings.NewReplacer("{name}", "x", "{id}", "x", "{profile}", "x").Replace(path), body, changes...)
			want := expected(op.Access, role, wrong, configured)
			if want == 401 && wrong && a.status == 429 {
				want = 429 // the tries of the address are used up; TestGuessingIsSlow looks at that
			}
			refused := a.status == 401 || a.status == 403 || a.status == 429
			if refused != (want != 0) || refused && a.status != want {
				t.Errorf("%s: %s %s (%+v): status %d, want %d (0: admitted)", name, method, path, op.Access, a.status, want)
			}
			if refused {
				problem(t, a, want)
			}
			if a.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s: a 401 without WWW-Authenticate", path)
			}
		})
	}
	for _, who := range askers {
		t.Run("configured/"+who.name, func(t *testing.T) {
			p := startPlane(t, withTokens()) // one each: wrong tokens use up the tries of the address
			if p.token != "" {
				t.Error("a token was made although some are configured")
			}
			meet(t, p, true, who.name, who.token, who.role, who.wrong)
		})
	}
	for _, who := range askers[:2] {
		t.Run("first run/"+who.name, func(t *testing.T) {
			p := startPlane(t, nil)
			meet(t, p, false, who.name, who.token, who.role, who.wrong)
		})
	}
	t.Run("first run/its token", func(t *testing.T) {
		p := startPlane(t, nil)
		meet(t, p, false, "first-run", p.token, control.Admin, false)
	})
	if met != 42*11 {
		t.Errorf("%d meetings, want %d", met, 42*11)
	}
}

// The pages beside the document follow the same rule.
func TestPageNeedsATokenWhereTokensAreConfigured(t *testing.T) {
	p := startPlane(t, withTokens())
	for _, path := range []string{"/docs", "/docs/", "/docs/swagger-ui.css"} {
		problem(t, p.get(path), 401)
		if a := p.get(path, bearer(viewerToken)); a.status >= 400 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// A browser is asked for the token as a password where it shows something to a reader, and nowhere else; what it then sends everywhere is no token there.
func TestBrowsersCanReadTheDocument(t *testing.T) {
	p := startPlane(t, withTokens())
	basic := func(password string) with {
		return func(r *http.Request) { r.SetBasicAuth("whoever", password) }
	}
	for _, path := range []string{"/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json", "/openapi.yaml"} {
		if a := p.get(path); a.status != 401 || !slices.ContainsFunc(a.header.Values("WWW-Authenticate"), func(v string) bool { return strings.HasPrefix(v, "Basic ") }) {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if a := p.get(path, basic(viewerToken)); a.status >= 400 {
			t.Errorf("%s with a password: %d", path, a.status)
		}
	}
	problem(t, p.get("/docs/", basic("wrong")), 401)
	for range 15 {
		a := p.get("/api/v1/runtime", basic(viewerToken))
		problem(t, a, 401)
		if got := a.header.Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "Bearer ") {
			t.Errorf("%q", got)
		}
		problem(t, p.do(http.MethodPost, "/api/v1/runtime/start", "", basic(operatorToken)), 401)
	}
	read[control.RuntimeInfo](t, p.get("/api/v1/runtime", bearer(viewerToken)), 200) // none of these was a try
}

// What is open to everybody on this machine is not open to what a proxy on this machine passes on.
func TestOpenReadsStayOnThisMachine(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.control.allowed_hosts": []any{"plba.example.org"}})
	read[control.RuntimeInfo](t, p.get("/api/v1/runtime"), 200)
	for _, change := range []with{
		header("X-Forwarded-For", "203.0.113.7"), header("Forwarded", "for=203.0.113.7"), header("Via", "1.1 proxy"), header("X-Real-IP", "203.0.113.7"),
		host("plba.example.org"),
	} {
		problem(t, p.get("/api/v1/runtime", change), 401)
		read[control.RuntimeInfo](t, p.get("/api/v1/runtime", change, bearer(p.token)), 200)
	}
}

func TestPublicHealth(t *testing.T) {
	settings := withTokens()
	p := startPlane(t, settings)
	problem(t, p.get("/health"), 401)
	settings["platform.control.public_health"] = true
	p = startPlane(t, settings)
	read[health.Report](t, p.get("/health"), 200)
	problem(t, p.get("/api/v1/runtime"), 401)
}

func TestSpellingsOfAToken(t *testing.T) {
	p := startPlane(t, withTokens())
	for value, want := range map[string]int{
		"Bearer " + viewerToken: 200, "bearer " + viewerToken: 200, "BEARER  " + viewerToken: 200,
		viewerToken: 401, "Basic " + viewerToken: 401, "Bearer": 401, "Bearer " + viewerToken + "x": 401, "Bearer " + strings.ToUpper(viewerToken): 401,
	} {
		if a := p.get("/api/v1/runtime", header("Authorization", value)); a.status != want {
			t.Errorf("%q: %d, want %d", value, a.status, want)
		}
	}
	two := func(r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer " + viewerToken, "Bearer " + adminToken}
	}
	problem(t, p.get("/api/v1/runtime", two), 401)
	problem(t, p.get("/api/v1/runtime?token="+viewerToken, header("Cookie", "token="+viewerToken)), 401)
}

// After ten wrong tokens an address has to wait, also with a right one; who presents none is not concerned.
func TestGuessingIsSlow(t *testing.T) {
	p := startPlane(t, withTokens())
	for i := range 10 {
		problem(t, p.get("/api/v1/runtime", bearer(fmt.Sprintf("guess-%d", i))), 401)
	}
	for _, token := range []string{"guess-10", adminToken} {
		a := p.get("/api/v1/runtime", bearer(token))
		problem(t, a, 429)
		if s, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || s < 1 || s > 3 {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	if a := p.get("/livez", bearer("guess-11")); a.status != 200 {
		t.Errorf("a probe: %d", a.status)
	}
	problem(t, p.get("/api/v1/runtime"), 401)
	log := p.log.String()
	if n := strings.Count(log, "not a token that admits anybody"); n != 10 {
		t.Errorf("%d refusals in the log, want 10", n)
	}
	for _, secret := range []string{"guess-", adminToken, viewerToken} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// The token of a first run is shown once, on the terminal and nowhere else, and lives as long as the channel's process.
func TestFirstRunToken(t *testing.T) {
	p := startPlane(t, nil)
	first := p.terminal.String()
	if p.token == "" || strings.Count(first, p.token) != 1 || !strings.Contains(first, "http://"+p.http.Addr()) {
		t.Fatalf("the terminal shows:\n%s", first)
	}
	if strings.Contains(p.log.String(), p.token) {
		t.Error("the token is in the log")
	}
	if _, err := p.app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.terminal.String() != first {
		t.Error("the token was shown again")
	}
	read[control.Operation](t, p.command("/api/v1/runtime/stop", ""), 202)
	p.waitState(workers.Stopped)
	if other := startPlane(t, nil); other.token == p.token || other.token == "" {
		t.Error("two runs have the same token")
	}
}

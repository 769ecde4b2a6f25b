package openapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// get asks a mux for path, as a browser would, and gives the decoded body.
func get(t *testing.T, h http.Handler, method, path, encoding string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	if encoding != "" {
		req.Header.Set("Accept-Encoding", encoding)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	res := rec.Result()
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func mounted() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/docs/", Docs("Shop <1>", "/openapi.json"))
	mux.Handle("/a/b/", http.StripPrefix("/a/b", Docs("Shop <1>", "./openapi.json")))
	return mux
}

func TestDocsPage(t *testing.T) {
	for path, spec := range map[string]string{"/docs/": `"/openapi.json"`, "/a/b/": `"./openapi.json"`} {
		res, page := get(t, mounted(), "GET", path, "")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %s %v", path, res.Status, res.Header)
		}
		for _, want := range []string{"<!DOCTYPE html>", "Shop &lt;1&gt;", spec} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page does not contain %q", path, want)
			}
		}
		if strings.Contains(page, "<1>") {
			t.Errorf("%s: the title is not escaped", path)
		}
		if res, _ := get(t, mounted(), "HEAD", path, ""); res.StatusCode != 200 {
			t.Errorf("HEAD %s: %s", path, res.Status)
		}
	}
	if res, _ := get(t, mounted(), "GET", "/docs", ""); res.StatusCode/100 != 3 || res.Header.Get("Location") != "/docs/" {
		t.Errorf("/docs: %s to %q, want a redirect to /docs/", res.Status, res.Header.Get("Location"))
	}
}

var reference = regexp.MustCompile(`(?i)\b(?:src|href|action)\s*=\s*["']?([^"'\s>]+)`)

// Everything that the page refers to is served by the same handler, and is in the list of assets.
func TestDocsServesWhatThePageAsksFor(t *testing.T) {
	_, page := get(t, mounted(), "GET", "/docs/", "")
	var found []string
	for _, m := range reference.FindAllStringSubmatch(page, -1) {
		name, ok := strings.CutPrefix(m[1], "./")
		if !ok {
			t.Errorf("the page refers to %q, which is not relative", m[1])
			continue
		}
		found = append(found, name)
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(assets)); !slices.Equal(found, want) {
		t.Fatalf("the page refers to %v, the assets are %v", found, want)
	}
	types := map[string]string{".css": "text/css", ".js": "javascript", ".png": "image/png"}
	for _, name := range found {
		for _, mount := range []string{"/docs/", "/a/b/"} {
			plain, body := get(t, mounted(), "GET", mount+name, "")
			_, unzipped := get(t, mounted(), "GET", mount+name, "gzip")
			if plain.StatusCode != 200 || len(body) < 500 || body != unzipped {
				t.Errorf("%s%s: %s, %d bytes, %d unzipped", mount, name, plain.Status, len(body), len(unzipped))
			}
			want := types[name[strings.LastIndex(name, "."):]]
			if got := plain.Header.Get("Content-Type"); !strings.Contains(got, want) {
				t.Errorf("%s%s: type %q, want %s", mount, name, got, want)
			}
		}
	}
}

var (
	absolute = regexp.MustCompile(`(?i)https?://([a-z0-9][a-z0-9.-]*\.[a-z]{2,})`)
	cssURL   = regexp.MustCompile(`(?i)url\(\s*["']?([^"')]{1,30})|@import`)
)

// names are hosts that the scripts mention without asking them: XML and JSON schema namespaces, links in error messages and
// in the text, placeholders, link previews that this page has none of. A new name in a newer Swagger UI must be looked at.
var names = []string{
	"datatracker.ietf.org", "example.com", "fb.me", "github.com", "instagram.com", "json-schema.org", "reactjs.org", "redux.js.org",
	"soundcloud.com", "spdx.org", "spec.openapis.org", "swagger.io", "twitter.com", "vladimirgorej.com", "www.facebook.com",
	"www.rfc-editor.org", "www.tiktok.com", "www.w3.org",
	"validator.swagger.io", // the default of validatorUrl, which the page sets to null
}

func TestDocsNeedsNoOtherHost(t *testing.T) {
	_, page := get(t, mounted(), "GET", "/docs/", "")
	if hosts := absolute.FindAllString(page, -1); len(hosts) > 0 {
		t.Errorf("the page names %v", hosts)
	}
	if !strings.Contains(page, "validatorUrl: null") {
		t.Error("the page does not turn the online validator off")
	}
	looked := 0
	for _, name := range assets {
		_, body := get(t, mounted(), "GET", "/docs/"+name, "")
		for _, m := range absolute.FindAllStringSubmatch(body, -1) {
			looked++
			if !slices.Contains(names, strings.ToLower(m[1])) {
				t.Errorf("%s names the host %s", name, m[1])
			}
		}
		if !strings.HasSuffix(name, ".css") {
			continue
		}
		for _, m := range cssURL.FindAllStringSubmatch(body, -1) {
			looked++
			if !strings.HasPrefix(m[1], "data:") {
				t.Errorf("%s loads %q", name, m[0])
			}
		}
	}
	if looked < 20 {
		t.Errorf("only %d mentions were looked at: the assets are not what they seem", looked)
	}
}

// The policy lets the page's own scripts run and nothing leave the host.
func TestDocsPolicy(t *testing.T) {
	res, page := get(t, mounted(), "GET", "/docs/", "")
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	scripts := regexp.MustCompile(`script-src ([^;]*);`).FindStringSubmatch(policy)[1]
	if strings.Contains(scripts, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("policy %q is too wide", policy)
	}
	if inline := strings.Count(page, "<script>"); inline == 0 || strings.Count(scripts, "'sha256-") != inline {
		t.Errorf("%d inline scripts, allowed are %q", inline, scripts)
	}
	for _, bad := range []string{" onclick=", " onload=", " onerror=", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q, which the policy forbids", bad)
		}
	}
}

func TestDocsRefuses(t *testing.T) {
	for path, want := range map[string]int{
		"/docs/other.js": 404, "/docs/embed.go": 404, "/docs/oauth2-redirect.html": 404, "/docs/swagger-ui.css.gz": 404,
		"/docs/?proxy=http://example.com/": 200,
	} {
		res, body := get(t, mounted(), "GET", path, "")
		if res.StatusCode != want || (want == 200 && !strings.HasPrefix(body, "<!DOCTYPE html>")) {
			t.Errorf("%s: %s, want %d", path, res.Status, want)
		}
	}
	for _, path := range []string{"/docs/", "/docs/swagger-ui.css"} {
		if res, _ := get(t, mounted(), "POST", path, ""); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %s, allow %q", path, res.Status, res.Header.Get("Allow"))
		}
	}
}

func TestTwoPagesStayApart(t *testing.T) {
	_, a := get(t, Docs("A", "/a.json"), "GET", "/", "")
	_, b := get(t, Docs("B", "/b.json"), "GET", "/", "")
	if bytes.Equal([]byte(a), []byte(b)) || strings.Contains(b, "/a.json") {
		t.Error("the second page shows the first description")
	}
}

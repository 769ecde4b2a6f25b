package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// assets are the files that the page asks for, by relative names. Nothing else of the library is served.
var assets = []string{
	"swagger-ui.css",
	"swagger-ui-bundle.js",
	"swagger-ui-standalone-preset.js",
	"favicon-16x16.png",
	"favicon-32x32.png",
}

// Docs serves a page that shows the description at specURL and lets the reader try its operations. title is plain text.
// specURL is a path on the same host ("/openapi.json") or relative to the page ("./openapi.json"): the page may not ask
// other hosts. Mount the handler at a path that ends in a slash, with or without http.StripPrefix:
//
//	mux.Handle("GET /docs/", openapi.Docs("My application", "/openapi.json"))
//
// It answers GET and HEAD for the page and its assets, 404 for other names and 405 for other methods. Safe for concurrent use.
func Docs(title, specURL string) http.Handler {
	ui := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: title, SwaggerJSON: specURL,
		BasePath: "./", InternalBasePath: "/", // relative names, so that the page does not care where it is mounted
	})
	page := render(ui)
	return docs{ui: ui, page: page, policy: policy(page)}
}

type docs struct {
	ui     http.Handler
	page   []byte
	policy string
}

func (d docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed: use GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	dir, name := path.Split(r.URL.Path)
	switch {
	case name == "":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", d.policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(d.page) // a reader that went away is nobody's fault
	case slices.Contains(assets, name):
		http.StripPrefix(strings.TrimSuffix(dir, "/"), d.ui).ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// render makes the page once: it depends on nothing in the request.
func render(ui http.Handler) []byte {
	var buf buffer
	ui.ServeHTTP(&buf, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}})
	return bytes.TrimSpace(buf.Bytes())
}

// buffer is the response writer of a page that is kept.
type buffer struct{ bytes.Buffer }

func (*buffer) Header() http.Header { return http.Header{} }
func (*buffer) WriteHeader(int)     {}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// policy allows the page's own inline scripts by their hashes, files and requests of the same host, and nothing else.
// Swagger UI sets styles from code and has its icons in data URLs.
func policy(page []byte) string {
	scripts := "'self'"
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(m[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src " + scripts, "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
		"font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}

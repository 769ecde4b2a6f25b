package control_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plba/plba/openapi"
)

// browser gives the path of Chromium. Without it the test is skipped, unless PLBA_TEST_REQUIRE, a comma-separated list, contains "chromium".
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if slices.Contains(strings.Split(os.Getenv("PLBA_TEST_REQUIRE"), ","), "chromium") {
		t.Fatal("PLBA_TEST_REQUIRE: there is no Chromium (in Debian: package chromium)")
	}
	t.Skip("there is no Chromium (in Debian: package chromium)")
	return ""
}

// isBrowsers tells where Chromium asks of its own accord, whatever its flags say: for its time, its updates and its user. A page would take fonts or scripts.
func isBrowsers(host string) bool {
	host, _, _ = strings.Cut(host, ":")
	return strings.HasSuffix(host, ".google.com") || strings.HasSuffix(host, ".googleapis.com") && host != "fonts.googleapis.com" && host != "ajax.googleapis.com"
}

// onlyWay is a proxy that leads to one host and notes who wanted to go elsewhere.
type onlyWay struct {
	host string
	next http.Transport

	mu        sync.Mutex
	there     int
	elsewhere []string
}

func (o *onlyWay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect || r.Host != o.host {
		if !isBrowsers(r.Host) {
			o.mu.Lock()
			o.elsewhere = append(o.elsewhere, r.Method+" "+r.Host)
			o.mu.Unlock()
		}
		http.Error(w, "there is no way", http.StatusBadGateway)
		return
	}
	r.RequestURI = ""
	resp, err := o.next.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	o.mu.Lock()
	o.there++
	o.mu.Unlock()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// The page of the documentation works in a browser that reaches nothing but the application: it shows every operation, and asks nobody else.
func TestDocsInABrowser(t *testing.T) {
	chromium := browser(t)
	p := startPlane(t, nil)
	way := &onlyWay{host: p.http.Addr()}
	proxy := httptest.NewServer(way)
	t.Cleanup(func() {
		proxy.Close()
		way.next.CloseIdleConnections()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	shot := filepath.Join(t.ArtifactDir(), "docs.png")
	page, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-features=OptimizationHints,MediaRouter", "--user-data-dir="+t.TempDir(), "--proxy-server="+proxy.URL, "--proxy-bypass-list=<-loopback>",
		"--window-size=1300,4000", "--virtual-time-budget=20000", "--screenshot="+shot, "--dump-dom", "http://"+p.http.Addr()+"/docs/").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, page)
	}
	var document struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(openapi.JSON(), &document); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, methods := range document.Paths {
		for _, op := range methods {
			if shown++; !strings.Contains(string(page), "-"+op.ID+`"`) {
				t.Errorf("the page does not show %s", op.ID)
			}
		}
	}
	t.Logf("%d operations, %d requests", shown, way.there)
	if shown < 40 || way.there < 4 {
		t.Errorf("%d operations, %d requests: this is not the page", shown, way.there)
	}
	if len(way.elsewhere) > 0 {
		t.Errorf("it asked elsewhere: %q", way.elsewhere)
	}
}

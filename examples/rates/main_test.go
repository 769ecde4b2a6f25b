package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines takes what the program prints, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// get gives status and body.
func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%d %s", r.StatusCode, strings.TrimSpace(string(body)))
}

// until looks again and again.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.NewTimer(20*time.Second)
	defer again.Stop()
	defer late.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late.C:
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

// In the beginning there is no file: the application runs, and is not ready. Then the file is put in its place.
func TestOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rates.csv")
	printed := make(lines, 10)
	app := plbatest.Start(t, &module{out: printed}, plba.WithSetting("rates.file", file), plba.WithSetting("rates.every", "20ms"), plba.WithSetting("rates.listen", "127.0.0.1:0"))
	addr, ok := strings.CutPrefix(<-printed, "serving on ")
	if !ok {
		t.Fatal("it does not say where it serves")
	}
	url := "http://" + strings.TrimSpace(addr) + "/"
	if got := get(t, url+"USD"); got != "503 no rates have been read yet" {
		t.Error(got)
	}
	if why := app.NotReady(); why != "fresh has not been ok yet" && why != "fresh has not been ok yet; fresh is unhealthy" {
		t.Errorf("not ready since %q", why)
	}

	text, err := os.ReadFile("rates.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-printed; got != "3 rates\n" {
		t.Error(got)
	}
	for path, want := range map[string]string{"USD": "200 1.08", "GBP": "200 0.85", "XXX": "404 404 page not found"} {
		if got := get(t, url+path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	until(t, "it is ready", app.Ready)
}

// Rates that cannot be read any more are served until they are too old for that.
func TestFresh(t *testing.T) {
	m := &module{settings: settings{Every: time.Minute}}
	for age, want := range map[time.Duration]string{time.Minute: "", 10 * time.Minute: "the rates are 10m0s old", time.Hour: "the rates are 1h0m0s old"} {
		m.table.Store(&table{read: time.Now().Add(-age)})
		if err := m.fresh(t.Context()); err != nil && err.Error() != want || err == nil && want != "" {
			t.Errorf("after %s: %v", age, err)
		}
	}
}

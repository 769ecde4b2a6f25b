package cli_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/internal/demo"
	"github.com/plba/plba/openapi"
	"github.com/plba/plba/openapi/client"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

// examples is a control plane that answers with the examples of the OpenAPI document; commands succeed.
func examples(t *testing.T) string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(openapi.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\{\w+\}`)
	var accepted client.Operation // the last one
	answer := func(method, path string, example json.RawMessage) []byte {
		var o client.Operation
		switch {
		case method == http.MethodGet && path == "/api/v1/operations/{id}" && accepted.ID != "":
			if json.Unmarshal(example, &o) == nil && o.Asked == accepted.Asked {
				return example
			}
			o = accepted
			o.State, o.EndedAt = client.OperationStateSucceeded, o.At.Add(700*time.Millisecond)
			example, _ = json.Marshal(o)
		case method != http.MethodGet:
			_ = json.Unmarshal(example, &accepted)
		}
		return example
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, item := range doc.Paths {
			if !regexp.MustCompile("^" + variable.ReplaceAllString(path, "[^/]+") + "$").MatchString(r.URL.Path) {
				continue
			}
			for status, response := range item[strings.ToLower(r.Method)].Responses {
				if media, ok := response.Content["application/json"]; ok && status[0] == '2' {
					code, _ := strconv.Atoi(status)
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(code)
					_, _ = w.Write(answer(r.Method, path, media.Example))
					return
				}
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// What people see, of the examples of the document. docs/operations/plba-command.md shows these files.
var pictures = map[string][]string{
	"help":             {"--help"},
	"status":           {"status"},
	"health":           {"health"},
	"health-changes":   {"health", "changes"},
	"workers":          {"workers"},
	"workers-show":     {"workers", "show", "email-processing"},
	"workers-pause":    {"workers", "pause", "email-processing", "--reason", "the shop is closed"},
	"workers-stop":     {"workers", "stop", "email-processing"},
	"workers-restart":  {"workers", "restart", "email-processing"},
	"workers-scale":    {"workers", "scale", "email-processing", "5"},
	"queues":           {"queues"},
	"queues-show":      {"queues", "show", "mails"},
	"queues-tasks":     {"queues", "tasks", "mails"},
	"queues-dead":      {"queues", "dead", "mails"},
	"queues-task":      {"queues", "task", "mails", "0196b1a4f3e27c9d8a51c0de0b2f4e11", "--payload"},
	"queues-requeue":   {"queues", "requeue", "mails", "--reason", "the shop answers again"},
	"queues-purge":     {"queues", "purge", "mails", "--state", "dead", "--yes"},
	"pipelines":        {"pipelines"},
	"pipelines-show":   {"pipelines", "show", "orders"},
	"pipelines-graph":  {"pipelines", "graph", "orders"},
	"pipelines-draw":   {"pipelines", "graph", "orders", "--mermaid"},
	"events":           {"events"},
	"events-json":      {"events", "-o", "json"},
	"traces":           {"traces"},
	"traces-show":      {"traces", "show", "4bf92f3577b34da6a3ce929d0e0e4736"},
	"operations":       {"operations"},
	"operations-show":  {"operations", "show", "m8x2k1-17"},
	"stop":             {"stop", "--yes", "--reason", "new release"},
	"start":            {"start"},
	"reload":           {"reload"},
	"audit":            {"audit"},
	"queues-json":      {"queues", "-o", "json"},
	"workers-mermaid":  {"workers", "show", "email-processing", "--mermaid"},
	"workers-narrow":   {"workers"},
	"status-coloured":  {"status"},
	"queues-dead-json": {"queues", "dead", "mails", "-o", "json"},
}

func TestPictures(t *testing.T) {
	now := time.Date(2025, 3, 14, 9, 26, 53, 589e6, time.UTC)
	for name, args := range pictures {
		t.Run(name, func(t *testing.T) {
			o := at(examples(t), "a token")
			o.terminal = term.Terminal{Now: func() time.Time { return now }, Colour: name == "status-coloured"}
			if name == "workers-narrow" {
				o.terminal.Width = 60
			}
			got := o.run(t, args...)
			if got.code != 0 {
				t.Errorf("code %d", got.code)
			}
			line := "$ plba"
			for _, a := range args {
				if strings.Contains(a, " ") {
					a = strconv.Quote(a)
				}
				line += " " + a
			}
			golden(t, name, line+"\n"+got.out+got.err)
		})
	}
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) != len(pictures)+1 {
		t.Errorf("%d golden files for %d pictures, %v", len(files), len(pictures), err)
	}
}

// What is wrong looks like this.
func TestPictureOfAnError(t *testing.T) {
	a := demo.Start(t, nil)
	got := at(a.HTTP, demo.Viewer).run(t, "workers", "show", "mail-poling")
	golden(t, "error", "$ plba workers show mail-poling\n"+got.out+got.err)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is printed (-update writes it):\n%s", file, got)
	}
}

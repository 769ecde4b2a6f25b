package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/plba/plba/config"
)

var located = regexp.MustCompile(`^f\.yaml(?::(\d+))?$`)

// FuzzYAML: whatever the text, nothing panics, and every fault is on one line and says where it is.
func FuzzYAML(f *testing.F) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		"", "~", "--- a\n...\n---", "? ", "- -", "<<: {a: 1}", "a: &a {<<: [*a, *a]}", "server: {routes: [{path: /}], extra: [[], {}]}",
		"server: {limits: {1: {rate: 1}, ~: {}, a/b: {}}}", "%TAG ! tag:x:\n---\na: !b c", "a: |\n  x\n\n y", "\"\\x1f\": 1", "a: ${A}${B}$${C}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, errLoad := config.Load(config.YAML("f.yaml", text), config.Environment("PLBA", []string{"A=1"}))
		_, errServer := config.Section[server](c, "server")
		var all map[string]any
		errAll := c.Decode("", &all)
		for _, key := range c.Keys("") {
			if where := c.Where(key); !located.MatchString(where) {
				t.Errorf("Where(%q) = %q", key, where)
			}
		}
		checkLocated(t, config.Join(errLoad, errServer, errAll, c.Unclaimed()), 1+strings.Count(text, "\n")+strings.Count(text, "\r"))
	})
}

func checkLocated(t *testing.T, err error, lines int) {
	t.Helper()
	if err == nil {
		return
	}
	for _, part := range err.(interface{ Unwrap() []error }).Unwrap() {
		var fault *config.Fault
		if !errors.As(part, &fault) {
			t.Errorf("no fault but %T: %v", part, part)
			continue
		}
		m := located.FindStringSubmatch(fault.Where)
		if m == nil {
			t.Errorf("not located: %q", fault.Error())
			continue
		}
		if line, _ := strconv.Atoi(m[1]); m[1] != "" && (line < 1 || line > lines) {
			t.Errorf("line %d of %d: %v", line, lines, fault)
		}
		if text := fault.Error(); strings.ContainsAny(text, "\r\n") || fault.Problem == "" {
			t.Errorf("not one line: %q", text)
		}
	}
}

// FuzzVariables: only ${NAME} is touched, and a value is never read again.
func FuzzVariables(f *testing.F) {
	for _, text := range []string{"", "$", "${", "${A}", "$${A}", "$$${A}", "${A}${B}", "${${A}}", "x}${A", "$$", "${1}"} {
		f.Add(text, "value ${A}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if strings.ContainsAny(text+value, "'\r\n") {
			t.Skip()
		}
		c, err := config.Load(config.YAML("f.yaml", "x: {y: '"+text+"'}"), fromMap{"A": value})
		if err != nil {
			checkLocated(t, err, 1)
			return
		}
		var got struct {
			Y string `koanf:"y"`
		}
		if err := c.Decode("x", &got); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(text, "$${", "\x00")
		want = strings.ReplaceAll(want, "${A}", "\x01")
		want = strings.ReplaceAll(strings.ReplaceAll(want, "\x00", "${"), "\x01", value)
		if got.Y != want {
			t.Errorf("%q with A=%q gives %q, want %q", text, value, got.Y, want)
		}
	})
}

package plba_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var namedTest = regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z0-9]+)`")

// The document on failures names tests that exist.
func TestFailuresAreShown(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("docs", "operations", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "failure" {
			continue
		}
		rows++
		named := namedTest.FindAllStringSubmatch(cells[2], -1)
		if len(named) == 0 {
			t.Errorf("no test shows %q", strings.TrimSpace(cells[0]))
		}
		for _, n := range named {
			if !hasTest(t, n[1], n[2]) {
				t.Errorf("%s: there is no %s in %s", strings.TrimSpace(cells[0]), n[2], n[1])
			}
		}
	}
	if rows < 18 {
		t.Errorf("only %d rows were found", rows)
	}
}

// hasTest says whether the package, a folder of this module or "plba", has a test of that name.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	if pkg == "plba" {
		pkg = "."
	}
	files, err := filepath.Glob(path.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

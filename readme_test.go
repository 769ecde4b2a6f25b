package plba_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every code block of the README and of the documents is part of a file, which the line before it names:
//
//	<!-- examples/quickstart/main.go -->
//
// So it was compiled, or loaded, by whatever tests that file. Blocks of shell commands may only use paths that exist.
func TestCodeBlocksAreTakenFromFiles(t *testing.T) {
	docs := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "examples/*/README.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, more...)
	}
	blocks := 0
	for _, doc := range docs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range codeBlocks(string(text)) {
			blocks++
			switch b.language {
			case "sh":
				checkShell(t, doc, b.text)
			case "text", "mermaid", "console": // output and drawings
				if b.source != "" {
					checkTaken(t, doc, b)
				}
			default:
				checkTaken(t, doc, b)
			}
		}
	}
	if blocks < 3 {
		t.Errorf("only %d code blocks found: the test did not see the documents", blocks)
	}
}

type codeBlock struct{ source, language, text string }

var fence = regexp.MustCompile("(?s)(?:<!-- ([^\n]*) -->\n+)?```(\\w*)\n(.*?)```")

func codeBlocks(doc string) []codeBlock {
	var out []codeBlock
	for _, m := range fence.FindAllStringSubmatch(doc, -1) {
		out = append(out, codeBlock{m[1], m[2], m[3]})
	}
	return out
}

func checkTaken(t *testing.T, doc string, b codeBlock) {
	t.Helper()
	if b.source == "" {
		t.Errorf("%s: a %s block names no file:\n%s", doc, b.language, b.text)
		return
	}
	source, err := os.ReadFile(b.source)
	if err != nil {
		t.Errorf("%s: %v", doc, err)
		return
	}
	if !strings.Contains(string(source), b.text) {
		t.Errorf("%s: this is not part of %s (any more):\n%s", doc, b.source, b.text)
	}
}

var relative = regexp.MustCompile(`(?:^|\s)\./[\w./-]+`)

func checkShell(t *testing.T, doc, text string) {
	t.Helper()
	for _, path := range relative.FindAllString(text, -1) {
		path = strings.TrimSuffix(strings.TrimSpace(path), "/...")
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: a command uses %s: %v", doc, path, err)
		}
	}
}

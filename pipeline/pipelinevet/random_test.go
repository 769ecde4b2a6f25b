package pipelinevet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ranFunction is what a generated function reports of one run.
type ranFunction struct {
	Func   int
	Ran    []int
	Faults []string
}

// In random programs no finding is wrong: whenever the Stage call runs that it is about, Build says the same. And in
// those without branches, functions and stages of unknown types nothing is overlooked.
func TestRandomProgramsAgreeWithBuild(t *testing.T) {
	seeds, functions := 1, 150
	if os.Getenv("PLBA_TEST_LONG") != "" {
		seeds, functions = 3, 1000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { checkRandomProgram(t, uint64(seed), functions) })
	}
}

func checkRandomProgram(t *testing.T, seed uint64, functions int) {
	program, plain := generate(seed, functions)
	path, err := filepath.Abs("testdata/generated/main.go")
	if err != nil {
		t.Fatal(err)
	}
	findings := byLine(analyze(t, "generated/main.go", []byte(program)))
	confirmed, ran := map[string]bool{}, map[int]bool{}
	for _, r := range runProgram(t, path, program) {
		faults, explained := map[string]bool{}, map[string]bool{}
		for _, f := range r.Faults {
			faults[f] = true
		}
		for _, line := range r.Ran {
			ran[line] = true
			for _, finding := range findings[line] {
				fault, ok := matching(faults, finding)
				switch {
				case ok && plain[r.Func] && fault != anyWord.ReplaceAllString(finding, "interface {}"):
					t.Fatalf("seed %d: Build says %s\nwhere it is known that\n\t%s", seed, fault, finding)
				case ok:
					confirmed[finding], explained[fault] = true, true
				case !ofWhole.MatchString(finding): // else it is about one Build call, which may not run this time
					t.Fatalf("seed %d: Build does not say\n\t%s\nbut\n\t%s\n%s", seed, finding, list(faults), excerpt(program, line))
				}
			}
		}
		for fault := range faults {
			if plain[r.Func] && !explained[fault] {
				t.Fatalf("seed %d: only Build says\n\t%s\n%s", seed, fault, excerpt(program, r.Ran[0]))
			}
		}
	}
	for line, list := range findings {
		for _, f := range list {
			if ran[line] && !confirmed[f] && !strings.Contains(f, "is never built") {
				t.Errorf("seed %d: Build never says\n\t%s", seed, f)
			}
		}
	}
	if len(confirmed) < functions {
		t.Errorf("only %d findings in %d functions", len(confirmed), functions)
	}
}

func list(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), "\n\t") }

// excerpt is the part of a program around a line.
func excerpt(program string, line int) string {
	lines := strings.Split(program, "\n")
	first := max(0, line-25)
	for i := range lines {
		lines[i] = fmt.Sprintf("%d\t%s", i+1, lines[i])
	}
	return strings.Join(lines[first:min(len(lines), line+40)], "\n")
}

// byLine sorts findings by their lines.
func byLine(findings []string) map[int][]string {
	lines := map[int][]string{}
	for _, f := range findings {
		var line int
		if _, err := fmt.Sscanf(f, "generated/main.go:%d:", &line); err != nil {
			panic(err)
		}
		lines[line] = append(lines[line], f)
	}
	return lines
}

func runProgram(t *testing.T, path, program string) (runs []ranFunction) {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	files, err := json.Marshal(map[string]any{"Replace": map[string]string{path: source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{source: []byte(program), overlay: files} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, "./testdata/generated")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, stderr.String(), program)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var r ranFunction
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	return runs
}

// matching is the fault that says what the finding says. The analyzer may not know the name of a stage, its number, or
// who took a name first, and it calls the empty interface by its short name.
func matching(faults map[string]bool, finding string) (string, bool) {
	finding = anyWord.ReplaceAllString(finding, "interface {}")
	if faults[finding] {
		return finding, true
	}
	_, message, _ := strings.Cut(finding, ": ")
	var full *regexp.Regexp
	for fault := range faults {
		if !strings.HasPrefix(fault, strings.TrimSuffix(finding, message)) {
			continue
		}
		if full == nil {
			pattern := regexp.QuoteMeta(finding)
			for _, gap := range gaps {
				pattern = gap.unknown.ReplaceAllString(pattern, gap.known)
			}
			full = regexp.MustCompile("^" + pattern + "$")
		}
		if full.MatchString(fault) {
			return fault, true
		}
	}
	return "", false
}

var ofWhole = regexp.MustCompile("the pipeline must end in|it has no stages")

var anyWord = regexp.MustCompile(`\bany\b`)

var gaps = []struct {
	unknown *regexp.Regexp
	known   string
}{
	{regexp.MustCompile(`(stage \d+)( takes| \\\(|:|,)`), `$1( "[^"]*")?$2`},
	{regexp.MustCompile(`(this stage|the stage before)( takes| is nil| \\\(|:|,)`), `stage \d+( "[^"]*")?$2`},
	{regexp.MustCompile(`stage ("[^"]*")`), `stage \d+ $1`},
	{regexp.MustCompile(`taken by the stage at \S+`), `taken by the stage at \S+`},
}

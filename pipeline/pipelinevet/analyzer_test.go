package pipelinevet_test

import (
	"go/ast"
	"regexp"
	"slices"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/plba/plba/pipeline/pipelinevet"
	"github.com/plba/plba/pipeline/pipelinevet/testdata/good"
)

func TestAnalyzerIsValid(t *testing.T) {
	if err := analysis.Validate([]*analysis.Analyzer{pipelinevet.Analyzer}); err != nil {
		t.Fatal(err)
	}
	if len(pipelinevet.Analyzer.Requires)+len(pipelinevet.Analyzer.FactTypes) > 0 {
		t.Error("it needs more than the tests here give it")
	}
}

// Every finding stands in a comment of its line, as analysistest has them: want `regexp` …
func TestAnalyzer(t *testing.T) {
	for name, least := range map[string]int{"good/good.go": 0, "bad/bad.go": 36} {
		s := load(t, name, nil)
		wants := s.wants(t)
		found := s.findings(t)
		for _, d := range found {
			line := s.fset.Position(d.Pos).Line
			i := slices.IndexFunc(wants[line], func(want *regexp.Regexp) bool { return want.MatchString(d.Message) })
			if i < 0 {
				t.Errorf("%s:%d: unexpected: %s", name, line, d.Message)
				continue
			}
			wants[line] = slices.Delete(wants[line], i, i+1)
		}
		for line, left := range wants {
			for _, want := range left {
				t.Errorf("%s:%d: not found: %s", name, line, want)
			}
		}
		if len(found) < least {
			t.Errorf("%s: only %d findings", name, len(found))
		}
	}
}

var quoted = regexp.MustCompile("`([^`]*)`")

// wants are the expected findings by line.
func (s source) wants(t *testing.T) map[int][]*regexp.Regexp {
	t.Helper()
	wants := map[int][]*regexp.Regexp{}
	each := func(c *ast.Comment) {
		if !regexp.MustCompile(`^// want `).MatchString(c.Text) {
			return
		}
		line := s.fset.Position(c.Pos()).Line
		for _, m := range quoted.FindAllStringSubmatch(c.Text, -1) {
			wants[line] = append(wants[line], regexp.MustCompile(m[1]))
		}
		if len(wants[line]) == 0 {
			t.Errorf("line %d: nothing is wanted in %s", line, c.Text)
		}
	}
	for _, f := range s.files {
		for _, group := range f.Comments {
			for _, c := range group.List {
				each(c)
			}
		}
	}
	return wants
}

// What the analyzer must be silent about can really be built.
func TestGoodIsGood(t *testing.T) {
	for name, build := range good.Builds {
		if err := build(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package pipelinevet_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/pipeline/pipelinevet"
	"github.com/plba/plba/pipeline/pipelinevet/testdata/agree"
)

// What the analyzer finds in a package of faulty pipelines is what Build finds when it runs, word for word.
func TestAgreesWithBuild(t *testing.T) {
	want := map[string]bool{}
	for name, build := range agree.Cases {
		faults := buildFaults(build())
		if len(faults) == 0 {
			t.Errorf("%s: Build has no fault", name)
		}
		for _, f := range faults {
			want[f.Error()] = true
		}
	}
	got := analyze(t, nil, "./testdata/agree")
	for _, finding := range got {
		fault, ok := matching(want, finding)
		if !ok {
			t.Errorf("Build does not say:\n\t%s", finding)
		}
		delete(want, fault)
	}
	for _, fault := range slices.Sorted(maps.Keys(want)) {
		t.Errorf("only Build says:\n\t%s", fault)
	}
	if len(got) < 30 {
		t.Errorf("only %d findings: the analyzer did not see the cases", len(got))
	}
}

// buildFaults are the faults of the BuildErrors that are joined in err.
func buildFaults(err error) (faults []*pipeline.Fault) {
	switch err := err.(type) {
	case *pipeline.BuildError:
		return err.Faults
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			faults = append(faults, buildFaults(e)...)
		}
	}
	return faults
}

// analyze runs the analyzer, and gives its findings in the form of Fault.Error.
func analyze(t *testing.T, overlay map[string][]byte, pattern string) (findings []string) {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Overlay: overlay}, pattern)
	if err != nil {
		t.Fatal(err)
	}
	if n := packages.PrintErrors(pkgs); n > 0 || len(pkgs) != 1 {
		t.Fatalf("%d errors in %d packages", n, len(pkgs))
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{pipelinevet.Analyzer}, pkgs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for act := range graph.All() {
		if act.Err != nil {
			t.Fatal(act.Err)
		}
		for _, d := range act.Diagnostics {
			p := pkgs[0].Fset.Position(d.Pos)
			parts := strings.Split(p.Filename, "/")
			findings = append(findings, strings.Join(parts[max(0, len(parts)-2):], "/")+":"+strconv.Itoa(p.Line)+": "+d.Message)
		}
	}
	return findings
}

package pipelinevet_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/plba/plba/pipeline"
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
	got := analyze(t, "agree/agree.go", nil)
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

package pipelinevet_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/plba/plba/pipeline/pipelinevet"
	"github.com/plba/plba/pipeline/pipelinevet/testdata/good"
)

// The packages under testdata are part of this module, so that they are checked against the real pipeline package.
func TestAnalyzer(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := analysis.Validate([]*analysis.Analyzer{pipelinevet.Analyzer}); err != nil {
		t.Fatal(err)
	}
	results := analysistest.Run(t, root, pipelinevet.Analyzer, "./pipeline/pipelinevet/testdata/good", "./pipeline/pipelinevet/testdata/bad")
	if len(results) != 2 {
		t.Errorf("%d packages were analyzed", len(results))
	}
}

// What the analyzer must be silent about can really be built.
func TestGoodIsGood(t *testing.T) {
	for name, build := range good.Builds {
		if err := build(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package pipelinevet

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Import paths of the packages whose functions are known here. The analyzer does not link them: it meets them as
// the types of the package it looks at.
const (
	pipelinePath = "github.com/plba/plba/pipeline"
	plbaPath     = "github.com/plba/plba"
)

// Analyzer reports pipelines that cannot be built. It keeps no facts and needs no other analyzer.
var Analyzer = &analysis.Analyzer{
	Name: "pipelinevet",
	Doc: `report pipelines that cannot be built

The seams between the Stage calls of a pipeline.Builder are checked when Build runs. This analyzer finds the same
faults in the source: stages that do not take what the one before gives, an end that does not fit, nil stages and
functions, names that are not valid or used twice, and builders that are never built. What it reports is certain;
what is not certain is left to Build.`,
	URL: "https://pkg.go.dev/github.com/plba/plba/pipeline/pipelinevet",
	Run: func(pass *analysis.Pass) (any, error) {
		c := &checker{vars: surveyVars(pass), fset: pass.Fset}
		for _, file := range pass.Files {
			for _, decl := range file.Decls {
				c.decl(decl)
			}
		}
		slices.SortStableFunc(c.findings, func(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) })
		for _, d := range c.findings {
			pass.Report(d)
		}
		return nil, nil
	},
}

// checker is the work on one package.
type checker struct {
	vars
	fset     *token.FileSet
	findings []analysis.Diagnostic
}

func (c *checker) decl(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Body != nil {
			c.function(d.Body)
		}
	case *ast.GenDecl:
		w := newWalk(c, d)
		w.declare(d)
		w.end()
	}
}

// function checks the body of a function; those of the function literals inside are checked on the way.
func (c *checker) function(body *ast.BlockStmt) {
	w := newWalk(c, body)
	w.stmt(body)
	w.end()
}

// report makes a finding of the expression from pos to end.
func (c *checker) report(pos, end token.Pos, hint, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if hint != "" {
		message += " (" + hint + ")"
	}
	d := analysis.Diagnostic{Pos: pos, End: end, Message: message}
	same := func(f analysis.Diagnostic) bool { return f.Pos == d.Pos && f.Message == d.Message }
	if !slices.ContainsFunc(c.findings, same) { // a builder may be built in several places
		c.findings = append(c.findings, d)
	}
}

package pipelinevet_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/plba/plba/pipeline/pipelinevet"
)

// exports are the files of export data of all that the packages under testdata import. They are asked for once, so that
// only these packages themselves are read as source.
var exports = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		"github.com/plba/plba", "html/template", "text/template", "math/rand/v2", "encoding/json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[name] = file
	}
	return files, nil
})

// source is a package that was read.
type source struct {
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	info  *types.Info
}

// load reads one file of a package under testdata; text nil: as it is on disk.
func load(t *testing.T, name string, text []byte) source {
	t.Helper()
	files, err := exports()
	if err != nil {
		t.Fatal(err)
	}
	full, err := filepath.Abs(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	var from any
	if text != nil {
		from = text
	}
	s := source{fset: token.NewFileSet()}
	file, err := parser.ParseFile(s.fset, full, from, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s.files = []*ast.File{file}
	s.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Instances: map[*ast.Ident]types.Instance{}, Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{}, Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		Scopes: map[ast.Node]*types.Scope{}, FileVersions: map[*ast.File]string{},
	}
	config := types.Config{Importer: importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })}
	s.pkg, err = config.Check("github.com/plba/plba/pipeline/pipelinevet/testdata/"+path.Dir(name), s.fset, s.files, s.info)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// findings are those of the analyzer.
func (s source) findings(t *testing.T) (all []analysis.Diagnostic) {
	t.Helper()
	_, err := pipelinevet.Analyzer.Run(&analysis.Pass{
		Analyzer: pipelinevet.Analyzer, Fset: s.fset, Files: s.files, Pkg: s.pkg, TypesInfo: s.info,
		Report: func(d analysis.Diagnostic) { all = append(all, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// analyze gives the findings in a file in the form of Fault.Error.
func analyze(t *testing.T, name string, text []byte) (findings []string) {
	t.Helper()
	s := load(t, name, text)
	for _, d := range s.findings(t) {
		findings = append(findings, name+":"+strconv.Itoa(s.fset.Position(d.Pos).Line)+": "+d.Message)
	}
	return findings
}

package pipelinevet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// builder is what is known of a builder at one point of a function.
type builder struct {
	*fate
	out     types.Type           // what its pipeline must give; nil if unknown
	foreign bool                 // others can reach it: only chains of calls are known
	count   int                  // stages so far; -1 if unknown
	last    *ast.CallExpr        // the last Stage call
	flow    types.Type           // what arrives at the next stage; nil if unknown
	source  string               // where that comes from
	names   map[string]token.Pos // stages by their names, those that are known
}

// fate is what became of a builder that New made, whatever it is known as.
type fate struct {
	made    *ast.CallExpr
	name    string
	settled bool // built, or out of sight
}

// someBuilder is a builder of unknown origin and type t.
func someBuilder(t types.Type) *builder {
	b := &builder{fate: &fate{settled: true}, foreign: true, count: -1, names: map[string]token.Pos{}}
	if args := builderArgs(t); args != nil {
		b.out = args.At(1)
	}
	return b
}

// newBuilder is the builder that a call of New makes.
func (w *walk) newBuilder(call *ast.CallExpr) *builder {
	args := builderArgs(w.info.TypeOf(call))
	b := &builder{
		fate:   &fate{made: call},
		out:    args.At(1),
		flow:   args.At(0),
		source: "the pipeline takes " + typeName(args.At(0)),
		names:  map[string]token.Pos{},
	}
	if name, ok := w.constant(call.Args[0]); ok {
		b.name = strconv.Quote(name) + " "
		if !validName(name) {
			w.report(call.Pos(), call.End(), nameRule, "pipeline name %q is not valid", name)
		}
	}
	w.fates = append(w.fates, b.fate)
	return b
}

// lose forgets how many stages there are and what the last one gives: some may have been added, or not.
func (b *builder) lose() { b.count, b.flow = -1, nil }

// escape is lose for ever: someone else has the builder.
func (b *builder) escape() {
	b.lose()
	b.foreign, b.settled = true, true
}

func (b *builder) clone() *builder {
	c := *b
	c.names = maps.Clone(b.names)
	return &c
}

// stage adds the stage of a Stage call, and reports what Build would say of it.
func (w *walk) stage(b *builder, call *ast.CallExpr) {
	arg := call.Args[0]
	if b.foreign && !w.inert(arg) {
		b.lose() // the argument may have added a stage by the other way to the builder
	}
	if b.count >= 0 {
		b.count++
	}
	b.last = call
	if b.out == nil { // it was promoted from a field
		b.out = builderArgs(w.info.TypeOf(call)).At(1)
	}
	if w.info.Types[arg].IsNil() {
		w.reportStage(call, "", "%s is nil", b.label(""))
		b.flow = nil
		return
	}
	s := w.stageOf(arg)
	what := b.label(s.name)
	for _, fault := range s.faults {
		label := b.label("")
		if b.count < 0 && strings.HasPrefix(fault, ` "`) {
			label = "stage"
		}
		w.reportStage(call, "", "%s%s", label, fault)
	}
	if first, taken := b.names[s.name]; taken {
		w.reportStage(call, "stages of one pipeline need different names",
			"%s: that name is taken by the stage at %s", what, w.place(first))
	} else if s.name != "" {
		b.names[s.name] = methodName(call).Pos()
	}
	if b.flow != nil && s.in != nil && !canMeet(b.flow, s.in) {
		w.reportStage(call, seamHint(b.flow, s.in), "%s takes %s, but %s", what, typeName(s.in), b.source)
	}
	b.flow = s.out
	if s.out != nil {
		if b.count < 0 && s.name == "" {
			what = "the stage before"
		}
		b.source = fmt.Sprintf("%s (%s) gives %s", what, w.place(methodName(call).Pos()), typeName(s.out))
	}
}

// label is how messages call the stage added last.
func (b *builder) label(name string) string {
	switch {
	case b.count >= 0 && name != "":
		return fmt.Sprintf("stage %d %q", b.count, name)
	case b.count >= 0:
		return fmt.Sprintf("stage %d", b.count)
	case name != "":
		return fmt.Sprintf("stage %q", name)
	}
	return "this stage"
}

// build reports what Build would say of the pipeline as a whole.
func (w *walk) build(b *builder) {
	b.settled = true
	switch {
	case b.count == 0:
		w.report(b.made.Pos(), b.made.End(), "add one with .Stage(...)", "it has no stages")
	case b.flow != nil && b.out != nil && b.last != nil && !canMeet(b.flow, b.out):
		w.reportStage(b.last, endHint(b.flow, b.out), "the pipeline must end in %s, but %s", typeName(b.out), b.source)
	}
}

// reportStage reports at a Stage call, where Build says that a fault is.
func (w *walk) reportStage(call *ast.CallExpr, hint, format string, args ...any) {
	w.report(methodName(call).Pos(), call.End(), hint, format, args...)
}

// methodName is the name in a method call: where the call is, when a chain goes over several lines.
func methodName(call *ast.CallExpr) *ast.Ident { return ast.Unparen(call.Fun).(*ast.SelectorExpr).Sel }

// place is a position as Build writes it: the last directory, the file and the line.
func (w *walk) place(pos token.Pos) string {
	p := w.fset.Position(pos)
	dir, file := path.Split(filepath.ToSlash(p.Filename))
	return path.Join(path.Base(dir), file) + ":" + strconv.Itoa(p.Line)
}

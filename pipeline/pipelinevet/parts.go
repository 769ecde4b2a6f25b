package pipelinevet

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"strings"
)

// functionOf is how Build calls the function that a constructor takes.
func functionOf(constructor string) string {
	switch constructor {
	case "Switch":
		return "the function for its key"
	case "Both", "All3", "All4":
		return "its merge function"
	}
	return "its function"
}

// part is a stage that is given to a constructor or policy, to stand inside of the stage.
type part struct {
	stage ast.Expr
	what  string // how Build calls it
}

// faultsOfParts is what is certainly wrong with the stages inside of a stage.
func (c *checker) faultsOfParts(label, fn string, call *ast.CallExpr) (faults []string) {
	parts := c.parts(fn, call)
	if fn == "Switch" {
		for _, f := range c.caseFaults(call) {
			faults = append(faults, label+": "+f)
		}
	}
	names := map[string]bool{}
	for _, p := range parts {
		if c.info.Types[p.stage].IsNil() {
			faults = append(faults, label+": "+p.what+" is nil")
			continue
		}
		if name, known := c.stageName(p.stage); known && beside[fn] {
			if names[name] {
				faults = append(faults, fmt.Sprintf("%s: two of the stages inside are called %q", label, name))
			}
			names[name] = true
		}
		for _, f := range c.stageFaults(p.stage) {
			faults = append(faults, label+", inside: "+strings.TrimLeft(f, ": "))
		}
	}
	return faults
}

// beside are the constructors of which every stage is another one. The cases of a Switch may share one.
var beside = map[string]bool{"Both": true, "All3": true, "All4": true}

// parts are the stages that are given to a constructor or policy.
func (c *checker) parts(fn string, call *ast.CallExpr) (parts []part) {
	what := map[string][]string{
		"Sub": {"the pipeline given to Sub"}, "Each": {"the stage for its elements"}, "Validate": {"its rejected path"}, "Otherwise": {"the stage given to Otherwise"},
		"Both": {"its first branch", "its second branch"},
		"All3": {"its first branch", "its second branch", "its third branch"},
		"All4": {"its first branch", "its second branch", "its third branch", "its fourth branch"},
	}[fn]
	next := func(stage ast.Expr) {
		p := part{stage: stage, what: "a stage"}
		if len(parts) < len(what) {
			p.what = what[len(parts)]
		}
		parts = append(parts, p)
	}
	if fn == "Switch" {
		for _, on := range c.cases(call) {
			what := "the stage of a case"
			if _, text, known := c.key(on); known {
				what = "the stage for " + text
			}
			parts = append(parts, part{on.Args[1], what})
		}
		return parts
	}
	sig, ok := c.info.TypeOf(call.Fun).(*types.Signature)
	if !ok {
		return nil
	}
	for i, arg := range call.Args {
		if i >= sig.Params().Len() {
			break
		}
		if in, _ := stageTypes(sig.Params().At(i).Type()); in != nil {
			next(arg)
		}
	}
	return parts
}

// cases are the calls of On in a call of Switch, as far as they are known.
func (c *checker) cases(call *ast.CallExpr) (cases []*ast.CallExpr) {
	if call.Ellipsis.IsValid() || len(call.Args) < 2 {
		return nil
	}
	for _, arg := range call.Args[2:] {
		on, ok := c.resolve(arg).(*ast.CallExpr)
		if !ok {
			continue
		}
		if fn, _ := c.callee(on); fn != nil && fn.Name() == "On" && len(on.Args) == 2 {
			cases = append(cases, on)
		}
	}
	return cases
}

// caseFaults is what is wrong with the cases of a Switch as such.
func (c *checker) caseFaults(call *ast.CallExpr) (faults []string) {
	if len(call.Args) == 2 && !call.Ellipsis.IsValid() {
		return []string{"it has no cases"}
	}
	seen := map[string]bool{}
	for _, on := range c.cases(call) {
		id, text, known := c.key(on)
		if known && seen[id] {
			faults = append(faults, "it has two cases for "+text)
		}
		seen[id] = true
	}
	return faults
}

// key tells of a call of On which key it is for, and how Build writes that, if it is a constant that says so itself.
func (c *checker) key(on *ast.CallExpr) (id, text string, known bool) {
	key := c.info.Types[on.Args[0]]
	if key.Value == nil || types.NewMethodSet(key.Type).Len() > 0 {
		return "", "", false
	}
	id = types.TypeString(key.Type, nil) + " " + key.Value.ExactString() // keys of an interface type differ by their types, too
	switch key.Value.Kind() {
	case constant.String:
		return id, fmt.Sprintf("%q", constant.StringVal(key.Value)), true
	case constant.Bool, constant.Int:
		return id, fmt.Sprintf("%q", key.Value.ExactString()), true
	default:
		return "", "", false
	}
}

package pipelinevet

import (
	"fmt"
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/types/typeutil"
)

// stage is what is known of a stage.
type stage struct {
	in, out types.Type // nil if unknown
	name    string     // "" if unknown
	faults  []string   // as they follow after "stage 1"
}

// stageOf tells what is known of the stage that e gives.
func (c *checker) stageOf(e ast.Expr) stage {
	s := stage{faults: c.stageFaults(e)}
	s.in, s.out = stageTypes(c.info.TypeOf(e))
	s.name, _ = c.stageName(e)
	return s
}

// stageName is the name of the stage that e gives, when it is constant.
func (c *checker) stageName(e ast.Expr) (string, bool) {
	call, ok := c.resolve(e).(*ast.CallExpr)
	if !ok {
		return "", false
	}
	if op, on := c.call(call); op == opBuild {
		return c.pipelineName(on)
	}
	fn, on := c.callee(call)
	switch {
	case fn == nil:
		return "", false
	case on != nil: // a policy: the stage keeps its name
		return c.stageName(on)
	case fn.Name() == "Sub" && c.info.Types[call.Args[0]].IsNil():
		return "sub", true
	case fn.Name() == "Sub":
		return c.stageName(call.Args[0])
	}
	if params := fn.Signature().Params(); params.Len() == 0 || params.At(0).Name() != "name" {
		return "", false
	}
	return c.constant(call.Args[0])
}

// pipelineName is the name that the builder e was made with, when it is constant.
func (c *checker) pipelineName(e ast.Expr) (string, bool) {
	for {
		call, ok := c.resolve(e).(*ast.CallExpr)
		if !ok {
			return "", false
		}
		switch op, on := c.call(call); op {
		case opNew:
			return c.constant(call.Args[0])
		case opStage, opKeep:
			e = on
		default:
			return "", false
		}
	}
}

// callee is the constructor or policy of package pipeline that is called; for a policy with the stage it is called
// on.
func (c *checker) callee(call *ast.CallExpr) (fn *types.Func, on ast.Expr) {
	fn = typeutil.StaticCallee(c.info, call)
	if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != pipelinePath {
		return nil, nil
	}
	if fn.Signature().Recv() == nil {
		return fn, nil
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || c.info.Selections[sel] == nil || c.info.Selections[sel].Kind() != types.MethodVal {
		return nil, nil
	}
	return fn, sel.X
}

// stageFaults is what is certainly wrong with the stage that e gives and with the stages inside of it.
func (c *checker) stageFaults(e ast.Expr) (faults []string) {
	label := ""
	name, named := c.stageName(e)
	if named {
		label = fmt.Sprintf(" %q", name)
	}
	given := map[string]bool{}
	for {
		call, ok := c.resolve(e).(*ast.CallExpr)
		if !ok {
			return faults
		}
		fn, on := c.callee(call)
		if op, _ := c.call(call); fn == nil || op != opNone { // a pipeline that is built has no faults
			return faults
		}
		constructor := on == nil
		if constructor && named && fn.Name() != "Sub" && !validName(name) {
			faults = append(faults, label+": the name is not valid, "+nameRule)
		}
		replaced := given[fn.Name()] // by a later call of the same policy
		given[fn.Name()] = true
		switch n := c.nilFunctions(fn, call); {
		case n == 1 && constructor:
			faults = append(faults, label+": "+functionOf(fn.Name())+" is nil")
		case n == 1 && !replaced:
			faults = append(faults, label+": the function given to "+fn.Name()+" is nil")
		}
		if !replaced {
			faults = append(faults, c.faultsOfParts(label, fn.Name(), call)...)
		}
		if constructor {
			return faults
		}
		e = on
	}
}

// nilFunctions counts the arguments that are functions, and nil as it stands there.
func (c *checker) nilFunctions(fn *types.Func, call *ast.CallExpr) (n int) {
	sig := fn.Signature()
	for i, arg := range call.Args {
		if i >= sig.Params().Len() || sig.Variadic() && i == sig.Params().Len()-1 {
			break
		}
		if _, ok := sig.Params().At(i).Type().Underlying().(*types.Signature); ok && c.info.Types[arg].IsNil() {
			n++
		}
	}
	return n
}

// stageTypes gives the types of the stages that t stands for: what their Run takes and gives. They are nil when t does
// not say what Build will see, which asks a stage of ours: t must have Run from there, and from the same place as what
// makes it a stage at all.
func stageTypes(t types.Type) (in, out types.Type) {
	if t == nil {
		return nil, nil
	}
	obj, runAt, _ := types.LookupFieldOrMethod(t, true, nil, "Run")
	run, ok := obj.(*types.Func)
	if !ok || run.Pkg() == nil || run.Pkg().Path() != pipelinePath {
		return nil, nil
	}
	mark, ok := run.Pkg().Scope().Lookup("AnyStage").Type().Underlying().(*types.Interface)
	if !ok || mark.NumMethods() == 0 {
		return nil, nil
	}
	obj, markAt, _ := types.LookupFieldOrMethod(t, true, run.Pkg(), mark.Method(0).Name())
	if _, ok := obj.(*types.Func); !ok || !sameField(runAt, markAt) {
		return nil, nil
	}
	sig := run.Signature()
	if sig.Params().Len() != 2 || sig.Results().Len() != 2 {
		return nil, nil
	}
	return sig.Params().At(1).Type(), sig.Results().At(0).Type()
}

// sameField tells whether two methods come from the same embedded field.
func sameField(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// builderArgs are the type arguments of a *Builder, nil if t is another type.
func builderArgs(t types.Type) *types.TypeList {
	if t == nil {
		return nil
	}
	p, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return nil
	}
	named, ok := types.Unalias(p.Elem()).(*types.Named)
	if !ok || !isOurs(named, "Builder") || named.TypeArgs().Len() != 2 {
		return nil
	}
	return named.TypeArgs()
}

func isBuilder(t types.Type) bool { return builderArgs(t) != nil }

// isOurs tells whether t is the type of that name in package pipeline.
func isOurs(t types.Type, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == pipelinePath
}

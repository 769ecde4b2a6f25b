package pipelinevet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/types/typeutil"
)

// op is what a call does with a builder.
type op int

const (
	opNone  op = iota
	opNew      // makes one
	opStage    // adds a stage to it and returns it
	opKeep     // returns it with the stages it had
	opBuild    // builds it: Build, MustBuild, plba.Pipeline
)

// call tells what a call does with a builder, and with which.
func (c *checker) call(call *ast.CallExpr) (op, ast.Expr) {
	fn := typeutil.StaticCallee(c.info, call)
	if fn == nil || fn.Pkg() == nil {
		return opNone, nil
	}
	if fn.Signature().Recv() == nil {
		switch {
		case fn.Pkg().Path() == pipelinePath && fn.Name() == "New" && len(call.Args) == 1:
			return opNew, nil
		case fn.Pkg().Path() == plbaPath && fn.Name() == "Pipeline" && len(call.Args) == 2:
			return opBuild, call.Args[1]
		}
		return opNone, nil
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || fn.Pkg().Path() != pipelinePath || !isBuilder(fn.Signature().Recv().Type()) {
		return opNone, nil
	}
	if s := c.info.Selections[sel]; s == nil || s.Kind() != types.MethodVal {
		return opNone, nil // (*Builder).Stage(b, s)
	}
	switch fn.Name() {
	case "Stage":
		return opStage, sel.X
	case "Build", "MustBuild":
		return opBuild, sel.X
	case "Use", "Describe":
		return opKeep, sel.X
	}
	return opNone, nil
}

// builder walks an expression that gives a builder, and tells what is known of it.
func (w *walk) builder(e ast.Expr) *builder {
	e = ast.Unparen(e)
	if b := w.env[w.varOf(e)]; b != nil && !b.foreign {
		return b
	}
	if call, ok := e.(*ast.CallExpr); ok {
		switch op, on := w.call(call); op {
		case opNew:
			w.expr(call.Args[0])
			return w.newBuilder(call)
		case opStage:
			b := w.builder(on)
			w.expr(call.Args[0])
			w.stage(b, call)
			return b
		case opKeep:
			b := w.builder(on)
			w.operands(call)
			return b
		case opNone, opBuild:
		}
	}
	w.expr(e)
	return someBuilder(w.info.TypeOf(e))
}

// expr walks an expression, or the expressions in a statement, in the order they are evaluated. A builder that shows
// up in it other than under its own methods is out of sight from then on.
func (w *walk) expr(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			w.function(n.Body)
			return false
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR { // the right side may not be evaluated
				w.escapeIn(n.Y)
			}
		case *ast.CallExpr:
			switch op, on := w.call(n); op {
			case opNew, opStage, opKeep:
				w.builder(n).escape()
				return false
			case opBuild:
				if len(n.Args) == 2 {
					w.expr(n.Args[0])
				}
				w.build(w.builder(on))
				return false
			case opNone:
			}
		case *ast.Ident:
			w.escapeIn(n)
		}
		return true
	})
}

// later walks a call that runs when the function ends, or beside it; its operands are evaluated now.
func (w *walk) later(call *ast.CallExpr) {
	w.escapeIn(call)
	if op, on := w.call(call); op == opStage || op == opKeep || op == opBuild && len(call.Args) == 0 {
		w.builder(on).escape()
		w.operands(call)
		return
	}
	w.expr(call)
}

func (w *walk) operands(call *ast.CallExpr) {
	for _, arg := range call.Args {
		w.expr(arg)
	}
}

// escapeIn gives up every builder that is mentioned in n.
func (w *walk) escapeIn(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if b := w.env[w.varOf(id)]; b != nil {
				b.escape()
			}
		}
		return true
	})
}

func (w *walk) declare(decl ast.Decl) {
	d, ok := decl.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range d.Specs {
		if s, ok := spec.(*ast.ValueSpec); ok {
			left := make([]ast.Expr, len(s.Names))
			for i, name := range s.Names {
				left[i] = name
			}
			w.assign(left, s.Values)
		}
	}
}

// assign walks an assignment, and keeps the builders that go into local variables.
func (w *walk) assign(left, right []ast.Expr) {
	for _, l := range left {
		if w.varOf(l) == nil {
			w.expr(l)
		}
	}
	held := make([]*builder, len(right))
	for i, r := range right {
		if len(left) == len(right) && w.canHold(left[i]) {
			held[i] = w.builder(r)
		} else {
			w.expr(r)
		}
	}
	w.forget(left...)
	for i, b := range held {
		if b != nil {
			w.env[w.varOf(left[i])] = b
		}
	}
}

// canHold tells whether e is a local variable for builders that can be followed.
func (w *walk) canHold(e ast.Expr) bool {
	v := w.varOf(e)
	return v != nil && !w.blind && w.local[v] && isBuilder(v.Type())
}

// forget takes variables out of what is known; they are set to something else.
func (w *walk) forget(set ...ast.Expr) {
	for _, e := range set {
		if e != nil {
			delete(w.env, w.varOf(e))
		}
	}
}

// constant is the value of e if it is a string known to the compiler.
func (c *checker) constant(e ast.Expr) (string, bool) {
	v := c.info.Types[e].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// inert tells that nothing of an application runs while e is evaluated, so that nothing can happen to a builder
// meanwhile.
func (c *checker) inert(e ast.Expr) bool {
	inert := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.UnaryExpr:
			inert = inert && n.Op != token.ARROW
		case *ast.CallExpr:
			fn := typeutil.StaticCallee(c.info, n)
			ours := fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == pipelinePath && fn.Name() != "Run" && fn.Name() != "Handle"
			if _, on := c.call(n); on != nil || !ours && !c.info.Types[n.Fun].IsType() {
				inert = false
			}
		}
		return inert
	})
	return inert
}

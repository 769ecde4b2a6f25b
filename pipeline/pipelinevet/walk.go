package pipelinevet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// walk follows the builders of one function through its statements, in the order they run.
type walk struct {
	*checker
	blind bool                    // there is a goto: the order is not that of the text
	env   map[*types.Var]*builder // what the local variables hold; several may hold the same
	fates []*fate
}

func newWalk(c *checker, body ast.Node) *walk {
	w := &walk{checker: c, env: map[*types.Var]*builder{}}
	ast.Inspect(body, func(n ast.Node) bool {
		if jump, ok := n.(*ast.BranchStmt); ok && jump.Tok == token.GOTO {
			w.blind = true
		}
		_, inner := n.(*ast.FuncLit)
		return !inner
	})
	return w
}

// end reports the builders that nothing became of.
func (w *walk) end() {
	for _, f := range w.fates {
		if !f.settled {
			w.report(f.made.Pos(), f.made.End(), "end with Build or MustBuild, or give it to plba.Pipeline",
				"pipeline %sis never built", f.name)
		}
	}
}

// node walks a statement or an expression; nil is neither.
func (w *walk) node(n ast.Node) {
	switch n := n.(type) {
	case ast.Stmt:
		w.stmt(n)
	case ast.Expr:
		w.expr(n)
	}
}

func (w *walk) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		if isBuilder(w.info.TypeOf(s.X)) {
			w.builder(s.X) // nobody gets its result
		} else {
			w.expr(s.X)
		}
	case *ast.AssignStmt:
		w.assign(s.Lhs, s.Rhs)
	case *ast.DeclStmt:
		w.declare(s.Decl)
	case *ast.BlockStmt:
		for _, s := range s.List {
			w.stmt(s)
		}
	case *ast.LabeledStmt:
		w.stmt(s.Stmt)
	case *ast.DeferStmt:
		w.later(s.Call)
	case *ast.GoStmt:
		w.later(s.Call)
	case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
		w.compound(s)
	default: // return, send, ++, break …: the expressions in it, in their order
		w.expr(s)
	}
}

func (w *walk) compound(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.IfStmt:
		w.node(s.Init)
		w.expr(s.Cond)
		w.branches(false, branch(s.Body), branch(s.Else))
	case *ast.ForStmt:
		w.node(s.Init)
		w.branches(true, branch(s.Cond, s.Body, s.Post))
	case *ast.RangeStmt:
		w.expr(s.X)
		w.forget(s.Key, s.Value)
		w.branches(true, branch(s.Body))
	case *ast.SwitchStmt:
		w.node(s.Init)
		w.node(s.Tag)
		w.clauses(s.Body)
	case *ast.TypeSwitchStmt:
		w.node(s.Init)
		w.stmt(s.Assign)
		w.clauses(s.Body)
	case *ast.SelectStmt:
		w.clauses(s.Body)
	}
}

// clauses walks the clauses of a switch or select. One may fall through to the next: nothing is known at their
// beginnings of what another could have changed.
func (w *walk) clauses(body *ast.BlockStmt) {
	var all [][]ast.Node
	for _, s := range body.List {
		var list []ast.Node
		var stmts []ast.Stmt
		switch s := s.(type) {
		case *ast.CaseClause:
			for _, e := range s.List { // evaluated one after the other, until one fits
				w.escapeIn(e)
				w.expr(e)
			}
			stmts = s.Body
		case *ast.CommClause:
			if s.Comm != nil { // its operands are evaluated first, those of all clauses
				w.escapeIn(s.Comm)
			}
			list, stmts = branch(s.Comm), s.Body
		}
		for _, s := range stmts {
			list = append(list, s)
		}
		all = append(all, list)
	}
	w.branches(true, all...)
}

// branch is a list of what there is of the given nodes.
func branch(nodes ...ast.Node) (list []ast.Node) {
	for _, n := range nodes {
		if n != nil {
			list = append(list, n)
		}
	}
	return list
}

// branches walks lists of which one runs, or none; with repeats any of them, any number of times. Inside, what was
// known before is known, unless a repetition could have changed it. Behind, it is known of the builders that no
// branch touches.
func (w *walk) branches(repeats bool, branches ...[]ast.Node) {
	before := w.env
	touched := w.touched(branches)
	for v, reassigned := range touched {
		if repeats && reassigned {
			before[v].escape()
		} else if repeats {
			before[v].lose()
		}
	}
	for _, list := range branches {
		w.env = cloneEnv(before)
		for _, n := range list {
			w.node(n)
		}
		w.join(before, list)
	}
	w.env = before
	for v := range touched {
		before[v].lose()
	}
}

// join brings what one branch did to its copy of the environment into the one before it.
func (w *walk) join(before map[*types.Var]*builder, list []ast.Node) {
	for v, b := range w.env {
		old := before[v]
		switch {
		case old != nil && old.fate == b.fate:
			if b.foreign {
				old.escape()
			}
		case !within(v, list): // it may hold this builder from now on, or what it held before
			b.escape()
			if old != nil {
				old.escape()
			}
		}
	}
	for v, old := range before {
		if w.env[v] == nil {
			old.escape()
		}
	}
}

// touched gives the known variables that the branches do more with than build, and whether they may come to hold
// another builder there.
func (w *walk) touched(branches [][]ast.Node) map[*types.Var]bool {
	found := map[*types.Var]bool{}
	built := map[ast.Node]bool{}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if op, on := w.call(n); op == opBuild {
				built[ast.Unparen(on)] = true
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if v := w.varOf(l); w.env[v] != nil && (len(n.Rhs) != len(n.Lhs) || w.root(n.Rhs[i]) != v) {
					found[v] = true
				}
			}
		case *ast.Ident:
			v := w.varOf(n)
			if _, known := found[v]; w.env[v] != nil && !built[n] && !known {
				found[v] = false
			}
		}
		return true
	}
	for _, list := range branches {
		for _, n := range list {
			ast.Inspect(n, visit)
		}
	}
	return found
}

// root is the variable at the beginning of a chain of calls that return the builder.
func (w *walk) root(e ast.Expr) *types.Var {
	for {
		call, ok := ast.Unparen(e).(*ast.CallExpr)
		if !ok {
			return w.varOf(e)
		}
		op, on := w.call(call)
		if op != opStage && op != opKeep {
			return nil
		}
		e = on
	}
}

// cloneEnv copies what is known; variables that hold the same builder do so in the copy.
func cloneEnv(env map[*types.Var]*builder) map[*types.Var]*builder {
	copies := map[*builder]*builder{}
	out := make(map[*types.Var]*builder, len(env))
	for v, b := range env {
		if copies[b] == nil {
			copies[b] = b.clone()
		}
		out[v] = copies[b]
	}
	return out
}

// within tells whether v is declared in one of the nodes.
func within(v *types.Var, list []ast.Node) bool {
	for _, n := range list {
		if n.Pos() <= v.Pos() && v.Pos() < n.End() {
			return true
		}
	}
	return false
}

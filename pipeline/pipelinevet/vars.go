package pipelinevet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// vars is what is known of the variables of a package before its functions are walked.
type vars struct {
	info *types.Info
	// local holds the variables of functions that only their own function can change, and only in plain sight: no
	// function literal inside of it uses them, nobody has their address, and they are not named results.
	local map[*types.Var]bool
	// value holds what a variable was set to, for those that are set in one place; nil for all others.
	value map[*types.Var]ast.Expr
}

// surveyVars looks at every use of every variable.
func surveyVars(pass *analysis.Pass) vars {
	s := &survey{
		vars:  vars{pass.TypesInfo, map[*types.Var]bool{}, map[*types.Var]ast.Expr{}},
		owner: map[*types.Var]ast.Node{},
		sets:  map[*types.Var]int{},
	}
	for _, file := range pass.Files {
		s.function(nil, file)
	}
	for v, n := range s.sets {
		outside := v.Exported() && v.Parent() == v.Pkg().Scope() // other packages can set it
		if n != 1 || outside {
			s.value[v] = nil
		}
	}
	return s.vars
}

// varOf is the variable that e names, nil when e is anything else.
func (s *vars) varOf(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	v, _ := s.info.ObjectOf(id).(*types.Var)
	return v
}

// resolve follows variables that are set in one place to what they were set to.
func (s *vars) resolve(e ast.Expr) ast.Expr {
	for range 100 { // variables of a package may be set to each other, through functions
		value := s.value[s.varOf(e)]
		if value == nil {
			break
		}
		e = value
	}
	return ast.Unparen(e)
}

type survey struct {
	vars
	owner map[*types.Var]ast.Node // the function it is declared in
	sets  map[*types.Var]int      // how many places set it
}

// function surveys one function, or what of a file is outside of functions.
func (s *survey) function(owner, n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return s.inner(owner, n, n.Type)
		case *ast.FuncLit:
			return s.inner(owner, n, n.Type)
		case *ast.Ident:
			s.ident(owner, n)
		case *ast.AssignStmt:
			s.assign(n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			s.declare(n)
		case *ast.RangeStmt:
			s.assign([]ast.Expr{n.Key, n.Value}, nil)
		case *ast.IncDecStmt:
			s.assign([]ast.Expr{n.X}, nil)
		case *ast.UnaryExpr:
			if v := s.varOf(n.X); n.Op == token.AND && v != nil {
				s.local[v] = false
				s.sets[v] += 2 // whoever has the address may set it
			}
		}
		return true
	})
}

// inner surveys a function inside of owner, which may be owner itself; then Inspect is to go on.
func (s *survey) inner(owner, f ast.Node, t *ast.FuncType) bool {
	if f == owner {
		return true
	}
	s.function(f, f)
	if t.Results != nil {
		for _, result := range t.Results.List {
			for _, name := range result.Names {
				if v := s.varOf(name); v != nil {
					s.local[v] = false // a plain return gives it out
				}
			}
		}
	}
	return false
}

// ident notes where a variable is declared and used. A declaration stands before all uses in a function.
func (s *survey) ident(owner ast.Node, id *ast.Ident) {
	v := s.varOf(id)
	switch {
	case v == nil || v.IsField() || owner == nil:
	case s.info.Defs[id] != nil:
		s.owner[v], s.local[v] = owner, true
	case s.owner[v] != owner:
		s.local[v] = false
	}
}

func (s *survey) declare(spec *ast.ValueSpec) {
	left := make([]ast.Expr, len(spec.Names))
	for i, name := range spec.Names {
		left[i] = name
	}
	s.assign(left, spec.Values)
}

func (s *survey) assign(left, right []ast.Expr) {
	for i, l := range left {
		if l == nil {
			continue
		}
		v := s.varOf(l)
		if v == nil {
			continue
		}
		s.sets[v]++
		switch {
		case len(right) == len(left):
			s.value[v] = right[i]
		case len(right) == 1 && i == 0: // p, err := b.Build()
			s.value[v] = right[0]
		}
	}
}

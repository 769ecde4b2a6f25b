package pipelinevet

import (
	"fmt"
	"go/types"
)

// canMeet tells whether a and b are identical, as Build wants the types of a seam to be, or could be for some type
// arguments of the function they stand in.
func canMeet(a, b types.Type) bool {
	if types.Identical(a, b) {
		return true
	}
	a, b = types.Unalias(a), types.Unalias(b)
	if p, ok := a.(*types.TypeParam); ok {
		return admits(p, b)
	}
	if p, ok := b.(*types.TypeParam); ok {
		return admits(p, a)
	}
	switch a := a.(type) {
	case *types.Named:
		b, ok := b.(*types.Named)
		return ok && a.Origin() == b.Origin() && canMeetAll(a.TypeArgs(), b.TypeArgs())
	case *types.Pointer:
		b, ok := b.(*types.Pointer)
		return ok && canMeet(a.Elem(), b.Elem())
	case *types.Slice:
		b, ok := b.(*types.Slice)
		return ok && canMeet(a.Elem(), b.Elem())
	case *types.Array:
		b, ok := b.(*types.Array)
		return ok && a.Len() == b.Len() && canMeet(a.Elem(), b.Elem())
	case *types.Chan:
		b, ok := b.(*types.Chan)
		return ok && a.Dir() == b.Dir() && canMeet(a.Elem(), b.Elem())
	case *types.Map:
		b, ok := b.(*types.Map)
		return ok && canMeet(a.Key(), b.Key()) && canMeet(a.Elem(), b.Elem())
	}
	// Struct, function and interface types without names: with type parameters in them they are left to Build.
	return len(params(a)) > 0 || len(params(b)) > 0
}

func canMeetAll(a, b *types.TypeList) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !canMeet(a.At(i), b.At(i)) {
			return false
		}
	}
	return true
}

// admits tells whether t could be the type argument for p.
func admits(p *types.TypeParam, t types.Type) bool {
	if _, ok := t.(*types.TypeParam); ok {
		return true
	}
	inside := params(t)
	constraint, ok := p.Constraint().Underlying().(*types.Interface)
	switch {
	case inside[p]:
		return false // a T cannot be a []T
	case len(inside) > 0 || !ok || len(params(p.Constraint())) > 0:
		return true
	}
	return types.Satisfies(t, constraint)
}

// params are the type parameters that t mentions.
func params(t types.Type) map[*types.TypeParam]bool {
	found := map[*types.TypeParam]bool{}
	addParams(found, t)
	return found
}

func addParams(found map[*types.TypeParam]bool, t types.Type) {
	switch t := types.Unalias(t).(type) {
	case *types.TypeParam:
		found[t] = true
	case *types.Named: // what its own declaration mentions does not matter: identity is that of name and arguments
		for i := range t.TypeArgs().Len() {
			addParams(found, t.TypeArgs().At(i))
		}
	case interface{ Elem() types.Type }:
		addParams(found, t.Elem())
		if m, ok := t.(*types.Map); ok {
			addParams(found, m.Key())
		}
	case *types.Struct:
		for field := range t.Fields() {
			addParams(found, field.Type())
		}
	case *types.Signature:
		addParams(found, t.Params())
		addParams(found, t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			addParams(found, v.Type())
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			addParams(found, m.Type())
		}
		for e := range t.EmbeddedTypes() {
			addParams(found, e)
		}
	case *types.Union:
		for term := range t.Terms() {
			addParams(found, term.Type())
		}
	}
}

// seamHint says how two types that do not meet might be brought together: what Build says.
func seamHint(have, want types.Type) string {
	switch {
	case typeName(have) == typeName(want):
		return fmt.Sprintf("two types of the same name: %s and %s", types.TypeString(have, nil), types.TypeString(want, nil))
	case elem[*types.Slice](have, want):
		return "it takes one at a time; wrap it: pipeline.Each(name, stage)"
	case elem[*types.Slice](want, have):
		return "it takes several at once, but one arrives"
	case elem[*types.Pointer](have, want), elem[*types.Pointer](want, have):
		return "one is a pointer, the other is not"
	case isOurs(have, "Done"):
		return "a Sink gives nothing on: put it last, or use pipeline.Tap"
	case len(params(have)) == 0 && len(params(want)) == 0 && types.ConvertibleTo(have, want):
		return "seams need identical types: convert with a pipeline.Pure stage in between"
	}
	return ""
}

// endHint is seamHint for the end of a pipeline.
func endHint(have, want types.Type) string {
	if isOurs(want, "Done") {
		return fmt.Sprintf("end with a pipeline.Sink, or declare New[..., %s]", typeName(have))
	}
	if isOurs(have, "Done") {
		return "it ends with a pipeline.Sink: declare New[..., pipeline.Done]"
	}
	return seamHint(have, want)
}

// elem tells whether t is an S of e.
func elem[S interface {
	types.Type
	Elem() types.Type
}](t, e types.Type) bool {
	s, ok := t.Underlying().(S)
	return ok && types.Identical(s.Elem(), e)
}

// typeName is the type as an author writes it.
func typeName(t types.Type) string { return types.TypeString(t, (*types.Package).Name) }

// nameRule is what the names of pipelines and stages look like, for messages.
const nameRule = "use a to z, 0 to 9, '_', '.' and '-', a letter or digit first, at most 100 characters"

func validName(name string) bool {
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		case i > 0 && (r == '_' || r == '.' || r == '-'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 100
}

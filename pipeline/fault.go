package pipeline

import (
	"fmt"
	"reflect"
	"strings"
)

// Fault is one thing that is wrong with a pipeline.
type Fault struct {
	At      string // file:line of the Stage call; of the New call when the pipeline as a whole is wrong
	Problem string
	Hint    string // what to do about it; may be empty
}

// Error is the place, the problem and the hint in one line.
func (f *Fault) Error() string {
	text := f.At + ": " + f.Problem
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	return text
}

// BuildError is everything that is wrong with a pipeline, in the order of its stages.
type BuildError struct {
	Pipeline string
	Faults   []*Fault
}

// Error is one line per fault.
func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %q cannot be built:", e.Pipeline)
	for _, f := range e.Faults {
		b.WriteString("\n\t" + f.Error())
	}
	return b.String()
}

// Unwrap gives the faults, each a *Fault.
func (e *BuildError) Unwrap() []error {
	errs := make([]error, len(e.Faults))
	for i, f := range e.Faults {
		errs[i] = f
	}
	return errs
}

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

// inspection collects the faults of one pipeline while it walks along its stages.
type inspection struct {
	faults []*Fault
	flow   reflect.Type      // what arrives at the next stage; nil after a stage of unknown type
	source string            // where that comes from
	names  map[string]string // name of a stage: file:line
}

func (in *inspection) fault(at, hint, format string, args ...any) {
	in.faults = append(in.faults, &Fault{At: at, Problem: fmt.Sprintf(format, args...), Hint: hint})
}

// inspect finds the faults of a pipeline and hangs the nodes of its stages under root.
func inspect(root *node, from plan) []*Fault {
	in := &inspection{
		flow:   root.in,
		source: "the pipeline takes " + typeName(root.in),
		names:  map[string]string{},
	}
	if !validName(root.name) {
		in.fault(root.at, nameRule, "pipeline name %q is not valid", root.name)
	}
	for _, u := range from.use {
		if u.middleware == nil {
			in.fault(u.at, "", "a middleware given to Use is nil")
		}
	}
	parts := from.parts
	if len(parts) == 0 {
		in.fault(root.at, "add one with .Stage(...)", "it has no stages")
		return in.faults
	}
	for i, p := range parts {
		if n := in.stage(i, p); n != nil {
			root.children = append(root.children, n)
		}
	}
	if in.flow != nil && in.flow != root.out {
		in.fault(parts[len(parts)-1].at, endHint(in.flow, root.out),
			"the pipeline must end in %s, but %s", typeName(root.out), in.source)
	}
	return in.faults
}

// stage inspects one stage and its seam to the one before; nil when there is nothing to inspect.
func (in *inspection) stage(i int, p part) *node {
	n := nodeOf(p.stage)
	if n == nil {
		in.fault(p.at, "", "stage %d is nil", i+1)
		in.flow = nil
		return nil
	}
	n.at = p.at
	what := fmt.Sprintf("stage %d %q", i+1, n.name)
	for _, problem := range allFaults(n) {
		in.fault(p.at, "", "stage %d %s", i+1, problem)
	}
	if first, used := in.names[n.name]; used {
		in.fault(p.at, "stages of one pipeline need different names", "%s: that name is taken by the stage at %s", what, first)
	} else {
		in.names[n.name] = p.at
	}
	if in.flow != nil && in.flow != n.in {
		in.fault(p.at, seamHint(in.flow, n.in), "%s takes %s, but %s", what, typeName(n.in), in.source)
	}
	in.flow = n.out
	in.source = fmt.Sprintf("%s (%s) gives %s", what, p.at, typeName(n.out))
	return n
}

// nodeOf is the stage's node, nil for a nil stage, be it typed or not, and for one that no constructor made.
func nodeOf(s AnyStage) *node {
	if v := reflect.ValueOf(s); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return s.node()
}

// allFaults are the faults of the stage and of the stages inside of it, each beginning with the name it is
// about. A nested pipeline has none: it is built.
func allFaults(n *node) (faults []string) {
	if n == nil {
		return []string{"it was not made by a constructor of package pipeline"}
	}
	if !validName(n.name) {
		faults = append(faults, fmt.Sprintf("%q: the name is not valid, %s", n.name, nameRule))
	}
	for _, f := range n.faults {
		faults = append(faults, fmt.Sprintf("%q: %s", n.name, f))
	}
	for _, k := range keptOfUnnamed(n) {
		faults = append(faults, fmt.Sprintf("%q: what is kept of %q (Checkpoint, Compensate) would be mixed up between elements named by their index: add .KeyedBy(...)", n.name, k))
	}
	if n.kind == kindPipeline {
		return faults
	}
	for _, c := range n.children {
		for _, f := range allFaults(c) {
			faults = append(faults, fmt.Sprintf("%q, inside: %s", n.name, f))
		}
	}
	return faults
}

// seamHint says how two types that do not meet might be brought together.
func seamHint(have, want reflect.Type) string {
	switch {
	case typeName(have) == typeName(want):
		return fmt.Sprintf("two types of the same name: %s and %s", fullName(have), fullName(want))
	case have.Kind() == reflect.Slice && have.Elem() == want:
		return "it takes one at a time; wrap it: pipeline.Each(name, stage)"
	case want.Kind() == reflect.Slice && want.Elem() == have:
		return "it takes several at once, but one arrives"
	case have.Kind() == reflect.Pointer && have.Elem() == want, want.Kind() == reflect.Pointer && want.Elem() == have:
		return "one is a pointer, the other is not"
	case have == reflect.TypeFor[Done]():
		return "a Sink gives nothing on: put it last, or use pipeline.Tap"
	case want.Kind() == reflect.Interface && have.Implements(want), have.ConvertibleTo(want):
		return "seams need identical types: convert with a pipeline.Pure stage in between"
	}
	return ""
}

// endHint is seamHint for the end of a pipeline.
func endHint(have, want reflect.Type) string {
	if want == reflect.TypeFor[Done]() {
		return fmt.Sprintf("end with a pipeline.Sink, or declare New[..., %s]", typeName(have))
	}
	if have == reflect.TypeFor[Done]() {
		return "it ends with a pipeline.Sink: declare New[..., pipeline.Done]"
	}
	return seamHint(have, want)
}

// fullName is the type with the import paths of its packages.
func fullName(t reflect.Type) string {
	switch {
	case t.PkgPath() != "":
		return t.PkgPath() + "." + t.Name()
	case t.Kind() == reflect.Slice:
		return "[]" + fullName(t.Elem())
	case t.Kind() == reflect.Pointer:
		return "*" + fullName(t.Elem())
	}
	return t.String()
}

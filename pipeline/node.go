package pipeline

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
)

// Kinds of stages, as they show in graphs and traces.
const (
	kindMap      = "map"
	kindPure     = "pure"
	kindTap      = "tap"
	kindFilter   = "filter"
	kindSink     = "sink"
	kindEach     = "each"
	kindValidate = "validate"
	kindSwitch   = "switch"
	kindBoth     = "both"
	kindAll      = "all"
	kindPipeline = "pipeline"
	kindBatch    = "batch"
	kindUndo     = "undo"
)

// node is what is known about a stage before it runs: for Build, for the graph, for spans. It is not changed
// once its stage is made.
type node struct {
	name, kind  string
	description string
	in, out     reflect.Type
	settings    []setting     // of the combinator and the policies, in the order they are shown
	children    []*node       // of the stages inside: they follow each other
	ways        []string      // the children stand beside each other: how the value comes to each; "" says nothing
	at          string        // file:line of the Stage call; "" for stages inside of combinators
	faults      []string      // what the author gave wrongly
	keyed       bool          // the elements of the fan-out have names of their own
	keeps       bool          // the output is kept with the task
	undo        *compensation // what the stage did can be undone
	atOnce      int           // how many of its elements are worked on at once; 0: it is no fan-out
	batch       int           // size of the batches it gathers; 0: none
}

// fault notes what the author gave wrongly.
func (n *node) fault(format string, args ...any) {
	n.faults = append(n.faults, fmt.Sprintf(format, args...))
}

// inside adds a stage that stands beside the others inside of this one; what says what it is when it is missing.
// It gives the stage's name.
func (n *node) inside(s AnyStage, way, what string) (name string) {
	child := nodeOf(s)
	if child == nil {
		n.fault("%s is nil", what)
		return ""
	}
	if slices.ContainsFunc(n.children, func(c *node) bool { return c.name == child.name }) {
		n.fault("two of the stages inside are called %q", child.name)
	}
	n.children, n.ways = append(n.children, child), append(n.ways, way)
	return child.name
}

// described is a copy with that description.
func (n *node) described(text string) *node {
	c := *n
	c.description = text
	return &c
}

// setting is one line about a stage in its graph.
type setting struct{ key, value string }

func newNode[In, Out any](kind, name string) *node {
	return &node{name: name, kind: kind, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
}

var importPath = regexp.MustCompile(`[\w.~%-]+/`)

// typeName is the type as an author writes it: packages by their last element, inside of type arguments too.
func typeName(t reflect.Type) string { return importPath.ReplaceAllString(t.String(), "") }

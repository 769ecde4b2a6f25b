package pipeline

import (
	"reflect"
	"regexp"
)

// Kinds of stages, as they show in graphs and traces.
const (
	kindMap      = "map"
	kindPure     = "pure"
	kindTap      = "tap"
	kindFilter   = "filter"
	kindSink     = "sink"
	kindEach     = "each"
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
	children    []*node       // they follow each other
	at          string        // file:line of the Stage call; "" for stages inside of combinators
	faults      []string      // what the author gave wrongly
	keyed       bool          // the elements of the fan-out have names of their own
	keeps       bool          // the output is kept with the task
	undo        *compensation // what the stage did can be undone
	batch       int           // size of the batches it gathers; 0: none
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

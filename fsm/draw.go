package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid draws the table as a Mermaid state diagram (stateDiagram-v2), which
// forges and documentation tools render in place. The text depends on nothing
// but the table, so that a changed table shows as a changed line.
func (t *Table[S, E]) Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	ids := make(map[S]string, len(t.states))
	for i, s := range t.states {
		ids[s] = mermaidID(string(s), i)
		if ids[s] != string(s) {
			fmt.Fprintf(&b, "    state \"%s\" as %s\n", mermaidText(string(s)), ids[s])
		}
	}
	fmt.Fprintf(&b, "    [*] --> %s\n", ids[t.initial])
	for from, e := range t.moves {
		fmt.Fprintf(&b, "    %s --> %s : %s\n", ids[from], ids[e.To], mermaidText(string(e.Event)))
	}
	for _, s := range t.states {
		if t.final(s) {
			fmt.Fprintf(&b, "    %s --> [*]\n", ids[s])
		}
	}
	return b.String()
}

// DOT draws the table as a directed graph for Graphviz. The text depends on
// nothing but the table. The initial state is entered from a dot, final states
// have a double border.
func (t *Table[S, E]) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", dotText(t.name))
	b.WriteString("    rankdir=LR;\n    node [shape=box, style=rounded];\n    \"\" [shape=point];\n")
	for _, s := range t.states {
		attributes := ""
		if t.final(s) {
			attributes = " [peripheries=2]"
		}
		fmt.Fprintf(&b, "    %s%s;\n", dotText(string(s)), attributes)
	}
	fmt.Fprintf(&b, "    \"\" -> %s;\n", dotText(string(t.initial)))
	for from, e := range t.moves {
		fmt.Fprintf(&b, "    %s -> %s [label=%s];\n", dotText(string(from)), dotText(string(e.To)), dotText(string(e.Event)))
	}
	b.WriteString("}\n")
	return b.String()
}

// moves yields every edge once for each state that it leads from.
func (t *Table[S, E]) moves(yield func(from S, e Edge[S, E]) bool) {
	for _, e := range t.edges {
		for _, from := range e.From {
			if !yield(from, e) {
				return
			}
		}
	}
}

func (t *Table[S, E]) final(s S) bool { return len(t.next[s]) == 0 }

// mermaidID returns the state's own name where Mermaid can read it as an
// identifier, and otherwise one made of its place in the table.
func mermaidID(state string, place int) string {
	const made = "state_"
	if slices.Contains(mermaidWords, strings.ToLower(state)) || strings.HasPrefix(state, made) {
		return fmt.Sprint(made, place)
	}
	for i, r := range state {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return fmt.Sprint(made, place)
		}
	}
	return state
}

// mermaidWords are names that mean something else to Mermaid.
var mermaidWords = []string{
	"as", "class", "classdef", "click", "default", "direction", "end", "fork", "hide", "href",
	"join", "choice", "note", "scale", "state", "style",
}

var mermaidEscapes = strings.NewReplacer(
	"#", "#35;", ";", "#59;", ":", "#58;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", `\`, "#92;", "%", "#37;",
)

// mermaidText makes any printable text safe inside a label.
func mermaidText(s string) string { return mermaidEscapes.Replace(s) }

var dotEscapes = strings.NewReplacer(`"`, `\"`, `\`, `\\`)

// dotText quotes a name for DOT.
func dotText(s string) string { return `"` + dotEscapes.Replace(s) + `"` }

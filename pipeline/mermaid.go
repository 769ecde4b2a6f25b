package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid is the graph as a Mermaid flowchart, which GitHub and most wikis draw.
func (g Graph) Mermaid() string { return g.MermaidWith(nil) }

// MermaidWith is Mermaid with what was counted at each node, by its ID, in a line of its own: what Pipeline.Counters gives.
func (g Graph) MermaidWith(counters map[string]Counters) string {
	d := drawing{numbers: map[string]int{}, children: map[string][]Node{}, counters: counters}
	for i, n := range g.Nodes {
		d.numbers[n.ID] = i
		d.children[n.Parent] = append(d.children[n.Parent], n)
	}
	d.line(0, "flowchart TD")
	d.line(1, `input(["%s"])`, escape(g.In))
	for _, root := range d.children[""] {
		d.node(root, 1)
	}
	d.line(1, `output(["%s"])`, escape(g.Out))
	d.ends(g)
	for _, e := range g.Edges {
		d.edge(g, e)
	}
	return d.String()
}

type drawing struct {
	strings.Builder
	numbers  map[string]int
	children map[string][]Node
	counters map[string]Counters
}

func (d *drawing) line(depth int, format string, args ...any) {
	d.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(d, format, args...)
	d.WriteByte('\n')
}

// node draws a stage as a box, or as a frame around the stages inside of it.
func (d *drawing) node(n Node, depth int) {
	inside := d.children[n.ID]
	if len(inside) == 0 {
		left, right := "[", "]"
		if n.Kind == kindFilter {
			left, right = "{{", "}}"
		}
		d.line(depth, `n%d%s"%s"%s`, d.numbers[n.ID], left, d.label(n, "<br/>"), right)
		return
	}
	d.line(depth, `subgraph n%d["%s"]`, d.numbers[n.ID], d.label(n, ", "))
	if g := gateway(n.Kind); g != "" {
		d.line(depth+1, `n%d_in{"%s"}`, d.numbers[n.ID], g)
	}
	for _, c := range inside {
		d.node(c, depth+1)
	}
	d.line(depth, "end")
}

// gateway is the sign where the ways inside of a stage part, as BPMN has it; empty for a stage that has only one.
func gateway(kind string) string {
	switch kind {
	case kindSwitch, kindValidate:
		return "×"
	case kindBoth, kindAll:
		return "+"
	}
	return ""
}

// ends draws where values come in and where they go out.
func (d *drawing) ends(g Graph) {
	stages := d.children[g.Name]
	if len(stages) == 0 {
		return
	}
	d.line(1, "input --> n%d", d.numbers[stages[0].ID])
	d.line(1, "n%d --> output", d.numbers[stages[len(stages)-1].ID])
}

// edge draws the way from one stage to the next, and those from a gateway. The only way into a frame shows by the
// frame itself.
func (d *drawing) edge(g Graph, e Edge) {
	to, _ := g.Find(e.To)
	if to.Parent != e.From {
		d.line(1, `n%d -->|"%s"| n%d`, d.numbers[e.From], escape(e.Type), d.numbers[e.To])
		return
	}
	switch from, _ := g.Find(e.From); {
	case gateway(from.Kind) == "":
	case e.Label == "":
		d.line(1, `n%d_in --> n%d`, d.numbers[e.From], d.numbers[e.To])
	default:
		d.line(1, `n%d_in -->|"%s"| n%d`, d.numbers[e.From], escape(e.Label), d.numbers[e.To])
	}
}

// label is the name, the description, the kind, the policies and the counters of a stage.
func (d *drawing) label(n Node, separator string) string {
	text := escape(n.Name)
	if n.Description != "" {
		text += separator + escape(n.Description)
	}
	text += separator + n.Kind
	keys := make([]string, 0, len(n.Policies))
	for k := range n.Policies {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		text += separator + strings.ReplaceAll(k, "_", " ") + " " + escape(n.Policies[k])
	}
	if c, counted := d.counters[n.ID]; counted {
		text += separator + c.String()
	}
	return text
}

var mermaidEscapes = strings.NewReplacer(`#`, "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", "\n", " ")

// escape makes text safe inside of a quoted Mermaid label.
func escape(text string) string { return mermaidEscapes.Replace(text) }

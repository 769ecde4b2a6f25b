package pipeline

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Graph describes a pipeline for people and tools. It is a value of its own: changing it changes no pipeline.
type Graph struct {
	Name  string `json:"name"`
	In    string `json:"in"`
	Out   string `json:"out"`
	Nodes []Node `json:"nodes"` // the pipeline first, then its stages in order, each followed by the stages inside of it
	Edges []Edge `json:"edges"`
}

// Node is a stage, or the pipeline itself.
type Node struct {
	ID          string            `json:"id"`               // path: "orders/attachments/decode"
	Parent      string            `json:"parent,omitempty"` // ID of the node it is inside of; empty for the pipeline itself
	Name        string            `json:"name"`
	Kind        string            `json:"kind"`                  // map, pure, tap, filter, sink, validate, switch, each, both, all or pipeline
	Description string            `json:"description,omitempty"` // what Describe says
	In          string            `json:"in"`                    // Go type
	Out         string            `json:"out"`                   // Go type
	At          string            `json:"at,omitempty"`          // file:line where it was put into its pipeline
	Policies    map[string]string `json:"policies,omitempty"`    // policies and settings: retry, timeout, at_once, …
}

// Edge is the way of a value: from one stage to the next, or from a stage into the ones inside of it. Those inside
// of a pipeline follow each other; those inside of any other stage stand beside each other.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Type  string `json:"type"`            // Go type of the value
	Label string `json:"label,omitempty"` // into a stage: "each element", "rejected", the cases of a switch, "otherwise"
}

// JSON is the graph as indented JSON.
func (g Graph) JSON() []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // types hold arrows: <-chan int
	e.SetIndent("", "  ")
	if err := e.Encode(g); err != nil {
		panic(err) // strings into memory: it cannot fail
	}
	return text.Bytes()
}

func graphOf(root *node) Graph {
	g := Graph{Name: root.name, In: typeName(root.in), Out: typeName(root.out)}
	g.add(root, "")
	return g
}

// add adds n and everything inside of it.
func (g *Graph) add(n *node, parent string) (id string) {
	id = n.name
	if parent != "" {
		id = parent + "/" + n.name
	}
	node := Node{ID: id, Parent: parent, Name: n.name, Kind: n.kind, Description: n.description, In: typeName(n.in), Out: typeName(n.out), At: n.at}
	for _, s := range n.settings {
		if node.Policies == nil {
			node.Policies = map[string]string{}
		}
		node.Policies[s.key] = s.value
	}
	g.Nodes = append(g.Nodes, node)
	before := id
	for i, c := range n.children {
		edge := Edge{From: before, Type: typeName(c.in)}
		if n.ways != nil {
			edge.From, edge.Label = id, n.ways[i]
		}
		at := len(g.Edges)
		g.Edges = append(g.Edges, edge)
		g.Edges[at].To = g.add(c, id)
		before = g.Edges[at].To
	}
	return id
}

// Find gives the node with that ID.
func (g Graph) Find(id string) (Node, bool) {
	i := slices.IndexFunc(g.Nodes, func(n Node) bool { return n.ID == id })
	if i < 0 {
		return Node{}, false
	}
	return g.Nodes[i], true
}

package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// keptStage is a stage that keeps its output, as the pipeline knows it with which a task begins.
type keptStage struct {
	id          string // its place: the ID in the graph, with anyElement for each element of a fan-out
	fingerprint string
	undo        *compensation // nil: what it did cannot be undone
}

// anyElement stands in a place for the name of an element. No stage can be called that.
const anyElement = "*"

// standsAt says whether path, as a run sees it, is a place of the stage.
func (k *keptStage) standsAt(path string) bool {
	id, more := k.id, true
	for more {
		var want, have string
		want, id, more = strings.Cut(id, "/")
		var deeper bool
		have, path, deeper = strings.Cut(path, "/")
		if deeper != more || want != have && want != anyElement {
			return false
		}
	}
	return true
}

// keptStages lists the stages at and inside of root that keep their output, in the order of the graph.
//
// The fingerprint of a stage covers the names and the types of all of them up to itself: a record with the same
// fingerprint was written by the same stage, behind the same ones in the same order. So stages may be added behind it, and
// those that keep nothing may change at will, without making a record worthless.
func keptStages(root *node) []keptStage {
	c := collector{}
	c.visit(root, root.name)
	return c.found
}

type collector struct {
	found []keptStage
	chain strings.Builder
}

func (c *collector) visit(n *node, id string) {
	inside := id + "/"
	if n.kind == kindEach {
		inside += anyElement + "/"
	}
	for _, child := range n.children {
		c.visit(child, inside+child.name)
	}
	if !n.keeps { // behind those inside of it, as its record is written behind theirs
		return
	}
	c.chain.WriteString(id + " " + fullName(n.out) + "\n")
	if n.undo != nil {
		c.chain.WriteString("can be undone, takes " + fullName(n.in) + "\n")
	}
	sum := sha256.Sum256([]byte(c.chain.String()))
	c.found = append(c.found, keptStage{id: id, fingerprint: hex.EncodeToString(sum[:4]), undo: n.undo})
}

// keptOfUnnamed lists the stages inside of a fan-out that keep something although its elements have no names of their own.
func keptOfUnnamed(n *node) (ids []string) {
	if n.kind != kindEach || n.keyed {
		return nil
	}
	for _, c := range n.children {
		for _, k := range keptStages(c) {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// undoable says whether what a stage inside of n does can be undone.
func undoable(n *node) bool {
	return slices.ContainsFunc(n.children, func(c *node) bool { return c.undo != nil || undoable(c) })
}

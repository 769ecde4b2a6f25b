package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// place tells where the value of the same path in koanf comes from. Places form a tree like the values.
type place struct {
	where    string            // "" for a group that exists only because something in it is set
	group    bool              // children are the keys of a group, not the elements of a list
	children map[string]*place // elements of lists have their index as key
	text     bool              // see Node
	loose    bool
	invalid  bool
}

func newPlace(n *Node) *place {
	p := &place{where: n.Where, group: n.Group != nil, text: n.Text, loose: n.Loose, invalid: n.Invalid}
	if len(n.Group)+len(n.List) == 0 {
		return p
	}
	p.children = make(map[string]*place, len(n.Group)+len(n.List))
	for key, child := range n.Group {
		p.children[key] = newPlace(child)
	}
	for i, element := range n.List {
		p.children[strconv.Itoa(i)] = newPlace(element)
	}
	return p
}

// overlay lays a later source over p as koanf does with the values: groups merge, all else is replaced.
func (p *place) overlay(n *Node) *place {
	if p == nil || !p.group || n.Group == nil {
		return newPlace(n)
	}
	if n.Where != "" {
		p.where = n.Where
	}
	p.loose = p.loose && n.Loose
	if p.children == nil {
		p.children = make(map[string]*place, len(n.Group))
	}
	for key, child := range n.Group {
		p.children[key] = p.children[key].overlay(child)
	}
	return p
}

// adapt returns n with its loose keys spelt as the settings under p spell them.
func (p *place) adapt(n *Node) *Node {
	if p == nil || n.Group == nil {
		return n
	}
	adapted := *n
	adapted.Group = make(map[string]*Node, len(n.Group))
	known := sortedKeys(p.children)
	for _, key := range sortedKeys(n.Group) {
		child := n.Group[key]
		if name := match(key, child.Loose, known); name != "" {
			if _, taken := n.Group[name]; !taken || name == key {
				key = name
			}
		}
		adapted.Group[key] = p.children[key].adapt(child)
	}
	return &adapted
}

// child returns the child of that key, or the one whose loose key stands for it, and how the key is spelt.
func (p *place) child(key string) (string, *place) {
	if p == nil || !p.group {
		return "", nil
	}
	if child, ok := p.children[key]; ok {
		return key, child
	}
	for _, name := range sortedKeys(p.children) {
		if child := p.children[name]; child.loose && fold(name) == fold(key) {
			return name, child
		}
	}
	return "", nil
}

// anyWhere returns the place or, for a group without one of its own, that of the first setting in it.
func (p *place) anyWhere() string {
	if p.where != "" {
		return p.where
	}
	for _, key := range sortedKeys(p.children) {
		if where := p.children[key].anyWhere(); where != "" {
			return where
		}
	}
	return ""
}

// match returns the known key that key stands for, or "". A key written in the alphabet of environment variables
// may stand for one that is spelt otherwise, if there is just one.
func match(key string, loose bool, known []string) string {
	if slices.Contains(known, key) {
		return key
	}
	found := ""
	for _, k := range known {
		if loose && fold(k) == fold(key) {
			if found != "" {
				return ""
			}
			found = k
		}
	}
	return found
}

var folding = strings.NewReplacer("-", "_", ".", "_")

// fold maps a key to the alphabet of environment variables.
func fold(key string) string { return folding.Replace(strings.ToLower(key)) }

// unknownFaults reports a key that nobody knows: where it stands, or each variable that leads there.
func unknownFaults(p *place, key, name, problem string, known []string) []error {
	if p.where == "" && len(p.children) > 0 {
		var faults []error
		for _, sub := range sortedKeys(p.children) {
			faults = append(faults, unknownFaults(p.children[sub], key, name, problem, known)...)
		}
		return faults
	}
	return []error{&Fault{
		Where:   p.where,
		Key:     key,
		Problem: fmt.Sprintf("%s %q", problem, key),
		Hint:    hintFor(name, known),
	}}
}

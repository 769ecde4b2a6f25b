package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// levelMark parts the levels of a key in the name of an environment variable.
const levelMark = "__"

// Environment returns the settings among environment variables, given as NAME=value like [os.Environ] does.
// PLBA_PLATFORM__CONTROL__LISTEN, with the prefix PLBA, sets platform.control.listen: the rest of the name is
// lower-cased and split at each double underscore. Names without the prefix, or without a double underscore after
// it, are no settings. Where no key is spelt exactly so, underscores stand for "-" and "." too:
// PLBA_PLATFORM__WORKERS__EMAIL_PROCESSING__CONCURRENCY reaches the worker email-processing.
//
// Values are texts that may stand for numbers, truth values, durations and comma-separated lists. A variable that
// matches no key is a fault like any unknown key.
//
// The returned source is a [Provider]: ${NAME} in files is looked up in environ.
func Environment(prefix string, environ []string) Source {
	return environment{prefix: strings.TrimSuffix(prefix, "_") + "_", environ: environ}
}

type environment struct {
	prefix  string
	environ []string
}

// Variable implements [Provider]. Of several entries of one name the last counts.
func (e environment) Variable(name string) (string, bool) {
	for _, entry := range slices.Backward(e.environ) {
		if n, value, ok := strings.Cut(entry, "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// Load implements [Source].
func (e environment) Load(Lookup) (*Node, error) {
	if e.prefix == "_" {
		return nil, &Fault{Where: "environment", Problem: "a prefix for the names of variables is needed"}
	}
	t := tree{}
	for _, name := range e.names() {
		value, _ := e.Variable(name)
		path := strings.Split(strings.ToLower(strings.TrimPrefix(name, e.prefix)), levelMark)
		t.set(path, &Node{Where: "environment variable " + printable(name), Value: value, Text: true, Loose: true})
	}
	return t.root, Join(t.faults...)
}

// names returns the names of the variables that are settings, sorted, each once.
func (e environment) names() []string {
	var names []string
	for _, entry := range e.environ {
		name, _, ok := strings.Cut(entry, "=")
		if rest, has := strings.CutPrefix(name, e.prefix); ok && has && strings.Contains(rest, levelMark) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// printable quotes a name that would break the line it is printed on.
func printable(name string) string {
	if strings.ContainsFunc(name, unicode.IsControl) {
		return strconv.Quote(name)
	}
	return name
}

// tree builds a root from settings with paths.
type tree struct {
	root   *Node
	faults []error
}

// set puts n at path and makes the groups on the way. Two settings that cannot both hold are a fault of the later.
func (t *tree) set(path []string, n *Node) {
	if t.root == nil {
		t.root = &Node{Group: map[string]*Node{}}
	}
	at := t.root
	for _, key := range path[:len(path)-1] {
		child := at.Group[key]
		if child == nil {
			child = &Node{Group: map[string]*Node{}, Loose: n.Loose}
			at.Group[key] = child
		}
		if child.Group == nil {
			t.conflict(path, n, child)
			return
		}
		at = child
	}
	last := path[len(path)-1]
	if old := at.Group[last]; old != nil {
		t.conflict(path, n, old)
		return
	}
	at.Group[last] = n
}

func (t *tree) conflict(path []string, n, old *Node) {
	t.faults = append(t.faults, &Fault{
		Where:   n.Where,
		Key:     strings.Join(path, "."),
		Problem: fmt.Sprintf("contradicts %s", anyWhere(old)),
		Hint:    "one of them has to go",
	})
}

// anyWhere returns the place of n or, for a group without one, of the first of its settings.
func anyWhere(n *Node) string {
	if n.Where != "" {
		return n.Where
	}
	for _, key := range sortedKeys(n.Group) {
		if where := anyWhere(n.Group[key]); where != "" {
			return where
		}
	}
	return ""
}

package config

import (
	"fmt"
	"strconv"

	"gopkg.in/yaml.v3"
)

const (
	maxValues = 100_000 // in one document, aliases expanded
	maxDepth  = 64
)

// Tags of YAML that mean something here. Dates stay the texts that they are.
const (
	nullTag  = "!!null"
	strTag   = "!!str"
	timeTag  = "!!timestamp"
	mergeTag = "!!merge"
	mapTag   = "!!map"
	seqTag   = "!!seq"
)

// yamlConverter turns parsed YAML into nodes. Aliases are followed, so the work is bounded by counting values.
type yamlConverter struct {
	name      string
	variables Lookup
	values    int
	open      map[*yaml.Node]bool // the groups and lists being converted, from the root down
	faults    []error
}

func (c *yamlConverter) where(n *yaml.Node) string { return whereLine(c.name, max(1, n.Line)) }

func (c *yamlConverter) fault(at *yaml.Node, key, problem, hint string) {
	c.faults = append(c.faults, &Fault{Where: c.where(at), Key: key, Problem: problem, Hint: hint})
}

func (c *yamlConverter) invalid(at *yaml.Node, key, problem, hint string) *Node {
	c.fault(at, key, problem, hint)
	return &Node{Where: c.where(at), Invalid: true}
}

// convert turns n, the value of key, into a node.
func (c *yamlConverter) convert(n *yaml.Node, key string) *Node {
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	if c.values++; c.values > maxValues {
		if c.values == maxValues+1 { // one message, not one for each value to come
			c.fault(n, key, fmt.Sprintf("the file holds more than %d values", maxValues), "are its aliases nested?")
		}
		return &Node{Where: c.where(n), Invalid: true}
	}
	if target.Kind == yaml.ScalarNode {
		return c.scalar(n, target, key)
	}
	if c.open[target] {
		return c.invalid(n, key, "an alias stands inside of what it stands for", "")
	}
	if len(c.open) == maxDepth {
		return c.invalid(n, key, fmt.Sprintf("nested deeper than %d levels", maxDepth), "")
	}
	c.open[target] = true
	defer delete(c.open, target)

	switch tag := target.ShortTag(); {
	case target.Kind == yaml.MappingNode && tag == mapTag:
		return c.group(n, target, key)
	case target.Kind == yaml.SequenceNode && tag == seqTag:
		return c.list(n, target, key)
	}
	return c.badTag(n, key)
}

// badTag does not print the tag: a secret that begins with an exclamation mark looks like one.
func (c *yamlConverter) badTag(n *yaml.Node, key string) *Node {
	return c.invalid(n, key, "a tag (!name) that has no meaning here", "put a text that begins with ! in quotes")
}

func (c *yamlConverter) list(n, target *yaml.Node, key string) *Node {
	list := &Node{Where: c.where(n), List: make([]*Node, 0, len(target.Content))}
	for i, element := range target.Content {
		list.List = append(list.List, c.convert(element, indexKey(key, i)))
	}
	return list
}

func (c *yamlConverter) group(n, target *yaml.Node, key string) *Node {
	group := &Node{Where: c.where(n), Group: make(map[string]*Node, len(target.Content)/2)}
	lines := make(map[string]int)
	var merges []*yaml.Node
	for i := 0; i+1 < len(target.Content); i += 2 {
		k, v := target.Content[i], target.Content[i+1]
		if k.ShortTag() == mergeTag {
			merges = append(merges, v)
			continue
		}
		name, ok := c.key(k, key)
		if !ok {
			continue
		}
		child := c.convert(v, childKey(key, name))
		if first, twice := lines[name]; twice {
			full := childKey(key, name)
			c.fault(k, full, fmt.Sprintf("duplicate key %q", full), fmt.Sprintf("it is also on line %d", first))
			continue
		}
		lines[name] = k.Line
		child.Where = c.where(k) // where the key stands, even if its value begins further down
		group.Group[name] = child
	}
	for _, m := range merges {
		c.merge(group, m, key)
	}
	return group
}

// key returns the text of a key. Keys that are numbers or truth values are taken as they are written.
func (c *yamlConverter) key(k *yaml.Node, parent string) (string, bool) {
	text := k
	if k.Kind == yaml.AliasNode {
		text = k.Alias
	}
	if text.Kind != yaml.ScalarNode {
		c.fault(k, parent, "a key must be a single text, not "+kindName(text), "put a text that begins with { or [ in quotes")
		return "", false
	}
	return text.Value, true
}

// merge adds the keys of a `<<: *base` that the group does not set itself.
func (c *yamlConverter) merge(group *Node, from *yaml.Node, key string) {
	target := from
	if from.Kind == yaml.AliasNode {
		target = from.Alias
	}
	switch target.Kind {
	case yaml.MappingNode:
		base := c.convert(from, key)
		for name, child := range base.Group {
			if _, own := group.Group[name]; !own {
				group.Group[name] = child
			}
		}
		return
	case yaml.SequenceNode:
		if len(c.open) < maxDepth && !c.open[target] {
			c.open[target] = true
			defer delete(c.open, target)
			for _, element := range target.Content {
				c.merge(group, element, key)
			}
			return
		}
	}
	c.fault(from, key, "<< takes over the keys of a group, or of a list of groups, and this is none", "")
}

func (c *yamlConverter) scalar(n, target *yaml.Node, key string) *Node {
	node := &Node{Where: c.where(n)}
	switch tag := target.ShortTag(); tag {
	case nullTag:
		if target.Anchor != "" && target.Value == "" {
			return c.invalid(n, key, "an anchor (&name) without a value", "put a text that begins with & in quotes")
		}
	case strTag, timeTag:
		return c.text(n, target, key)
	case "!!bool", "!!int", "!!float":
		if err := decodeScalar(target, node); err != nil {
			return c.invalid(n, key, "the value does not fit its tag "+tag, "")
		}
	default:
		return c.badTag(n, key)
	}
	return node
}

func decodeScalar(n *yaml.Node, into *Node) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case int:
		into.Value = int64(v)
	case bool, int64, uint64, float64:
		into.Value = v
	default:
		return fmt.Errorf("unexpected %T", v)
	}
	return nil
}

func (c *yamlConverter) text(n, target *yaml.Node, key string) *Node {
	e := expand(target.Value, c.variables)
	if e.problem != "" {
		return c.invalid(n, key, e.problem, e.hint)
	}
	// What a variable gave is a text only because variables have no types.
	return &Node{Where: c.where(n), Value: e.text, Text: e.variables}
}

func childKey(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func indexKey(parent string, i int) string { return parent + "[" + strconv.Itoa(i) + "]" }

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
)

// Decode fills *into with the settings at path ("platform/queues/mails"; "" is the whole configuration) as the
// package comment says: defaults, settings, validation. Keys at path that are named in except belong to somebody
// else and are left out. A path that is not set decodes as an empty group: the defaults hold, and are validated.
//
// The error joins all faults. When there is one, *into must not be used. Into must be a pointer that is not nil.
//
// A [Config.Reload] does not know of it: what is to be checked again is decoded inside of [Ask].
func (c *Config) Decode(path string, into any, except ...string) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("config: Decode wants a pointer to fill, got %T", into)
	}
	keys := splitPath(path)
	p, found := c.find(path)
	if p != nil {
		keys = found
	}
	d := &decoder{
		root:    &node{key: strings.Join(keys, "."), at: p},
		nowhere: c.Where(path),
		except:  except,
	}
	if c.lost(path) {
		d.root.markFaulty()
	}
	setDefaults(v.Elem())
	if err := d.unmarshal(c.values, strings.Join(keys, separator), into); err != nil {
		return err
	}
	if !c.incomplete {
		d.validate(v.Elem(), d.root)
	}
	return Join(d.faults...)
}

// Section decodes the top-level section of that name into a T and claims it, so that [Config.Unclaimed] does not
// report it. Beside an error it returns the zero T. Later reloads check the section again, but the T that was
// returned stays what it is; [Follow] is for sections that change.
func Section[T any](c *Config, name string) (T, error) {
	c.Claim(name)
	return Ask(c, name, func(from *Config) (T, error) { return decoded[T](from, name) })
}

// decoded is what is set at path, as a T of its own.
func decoded[T any](c *Config, path string) (T, error) {
	var section T
	if err := c.Decode(path, &section); err != nil {
		var zero T
		return zero, err
	}
	return section, nil
}

// decoder decodes one path. Mapstructure, behind koanf, walks the target and sets its fields; the hook that it calls
// for every value checks and converts that value, and records faults. Values come to the hook as nodes, which know
// where they stand. So nothing that mapstructure could object to, or would accept too easily, reaches it.
type decoder struct {
	root    *node
	nowhere string // where to report a fault of what is set nowhere
	except  []string
	started bool
	faults  []error
	secrets []string // their values, to keep them out of the errors of Validate
}

// node is a value on its way into the target.
type node struct {
	key      string // as the author of the file would say it: platform.queues.mails, servers[2].name
	value    any    // as koanf keeps it
	at       *place // nil if nothing is set here
	parent   *node
	children map[string]*node // by field, key of a map, or index; known once the hook has seen the value
	secret   bool             // the field, or one around it, is tagged as secret
	element  bool             // an element of a map or list
	fresh    bool             // the value is made by this decoding and still needs its defaults
	initial  reflect.Value    // what an element starts from, if a default holds it already
	text     bool             // part of a text from the environment
	faulty   bool             // it, or something in it, has a fault
}

func (d *decoder) unmarshal(values *koanf.Koanf, path string, into any) error {
	err := values.UnmarshalWithConf(path, into, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		TagName:     tagName,
		DecodeHook:  d.hook,
		MatchName:   func(key, field string) bool { return key == field },
		ErrorUnused: true,
	}})
	if err != nil && len(d.faults) == 0 {
		return &Fault{Where: d.nowhere, Key: d.root.key, Problem: fmt.Sprintf("cannot be decoded: %v", err), cause: err}
	}
	return nil
}

// hook is called by mapstructure before it sets to. It returns what to set it to, or nil to leave it as it is.
func (d *decoder) hook(from, to reflect.Value) (any, error) {
	if n, ok := from.Interface().(*node); ok {
		return d.convert(n, to), nil
	}
	if d.started {
		return from.Interface(), nil // converted already: a key of a map, or part of an own type
	}
	d.started = true
	d.root.value = from.Interface()
	return d.convert(d.root, to), nil
}

func (d *decoder) convert(n *node, to reflect.Value) any {
	if n.at != nil && n.at.invalid {
		n.markFaulty()
		return nil
	}
	if n.initial.IsValid() {
		to.Set(n.initial)
		n.initial, n.fresh = reflect.Value{}, false
	}
	if n.value == nil && !n.element {
		return nil // not set: the default holds
	}
	t := to.Type()
	if isScalar(t) {
		return d.scalar(n, t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		n.fresh = n.fresh || to.IsNil()
		return n
	case reflect.Struct:
		return d.structure(n, to)
	case reflect.Map:
		return d.mapping(n, to)
	case reflect.Slice, reflect.Array:
		return d.list(n, to)
	case reflect.Interface:
		if t.NumMethod() == 0 {
			to.SetZero() // or mapstructure would hold on to the type of what is there
			return n.value
		}
	}
	d.fault(n, "the program cannot take a setting of type "+t.String(), "")
	return nil
}

// structure returns the values of a struct's fields by the names that mapstructure gives the fields.
func (d *decoder) structure(n *node, to reflect.Value) any {
	if n.fresh {
		n.fresh = false
		setDefaults(to)
	}
	group, ok := n.group()
	if !ok {
		d.fault(n, "wants a group of settings, got "+kindOf(n.value), "")
		return nil
	}
	shape, err := shapeOf(to.Type())
	if err != nil {
		d.fault(n, err.Error(), "")
		return nil
	}
	known := shape.keys()
	values := make(map[string]any, len(group))
	for _, key := range sortedKeys(group) {
		if n == d.root && d.isExcept(key, n.at) {
			continue
		}
		child := n.child(key, childKey(n.key, key))
		child.value = group[key]
		name := match(key, child.loose(), known)
		if name == "" {
			words := known
			if n == d.root { // what somebody else reads may be what was meant
				words = slices.Concat(known, d.except)
			}
			d.unknownKey(child, key, words)
			continue
		}
		f := shape.fields[slices.Index(known, name)]
		if _, twice := values[f.name]; twice {
			d.fault(child, fmt.Sprintf("sets %q a second time", childKey(n.key, name)), "one of them has to go")
			continue
		}
		child.secret = n.secret || f.secret
		n.children[f.key] = child
		values[f.name] = child
	}
	return values
}

func (d *decoder) isExcept(key string, at *place) bool {
	loose := at != nil && at.children[key] != nil && at.children[key].loose
	return match(key, loose, d.except) != ""
}

func (d *decoder) unknownKey(n *node, key string, known []string) {
	n.markFaulty()
	d.faults = append(d.faults, unknownFaults(n.at, n.key, key, "unknown key", known)...)
}

// mapping returns the elements of a map. One that the default holds already is the start for its element.
func (d *decoder) mapping(n *node, to reflect.Value) any {
	group, ok := n.group()
	if !ok {
		d.fault(n, "wants a group of settings, got "+kindOf(n.value), "")
		return nil
	}
	t := to.Type()
	values := reflect.MakeMap(reflect.MapOf(t.Key(), reflect.TypeFor[any]()))
	merged := reflect.MakeMap(t) // not into the map of the default, which others may share
	for _, k := range to.MapKeys() {
		merged.SetMapIndex(k, to.MapIndex(k))
	}
	to.Set(merged)
	for _, key := range sortedKeys(group) {
		child := n.child(key, childKey(n.key, key))
		child.value, child.element, child.fresh = group[key], true, true
		k, problem := keyOf(key, t.Key())
		if problem != "" {
			d.fault(child, "as a key: "+problem, "")
			continue
		}
		n.children[fmt.Sprint(k.Interface())] = child
		child.initial = to.MapIndex(k)
		values.SetMapIndex(k, reflect.ValueOf(child))
	}
	return values.Interface()
}

// list returns the elements of a slice or array, which replace what is there.
func (d *decoder) list(n *node, to reflect.Value) any {
	elements, ok := n.value.([]any)
	if text, is := n.value.(string); is && n.isText() {
		elements, ok = splitList(text), true
	}
	if !ok {
		d.fault(n, "wants a list, got "+kindOf(n.value), "")
		return nil
	}
	if t := to.Type(); t.Kind() == reflect.Array && len(elements) != t.Len() {
		d.fault(n, fmt.Sprintf("wants a list of %d, got one of %d", t.Len(), len(elements)), "")
		return nil
	}
	to.SetZero()
	values := make([]any, len(elements))
	for i, element := range elements {
		child := n.child(fmt.Sprint(i), indexKey(n.key, i))
		child.value, child.element, child.fresh, child.text = element, true, true, n.isText()
		n.children[fmt.Sprint(i)] = child
		values[i] = child
	}
	return values
}

func (d *decoder) scalar(n *node, t reflect.Type) any {
	if n.value == nil {
		d.fault(n, "has no value", "")
		return nil
	}
	secret := n.secret || t == reflect.TypeFor[Secret]()
	if secret {
		d.secrets = append(d.secrets, fmt.Sprint(n.value))
	}
	v, problem, hint := convertScalar(n.value, n.isText(), secret, t)
	if problem != "" {
		d.fault(n, problem, hint)
		return nil
	}
	return v.Interface()
}

func (d *decoder) fault(n *node, problem, hint string) {
	n.markFaulty()
	d.faults = append(d.faults, &Fault{Where: d.where(n), Key: n.key, Problem: problem, Hint: hint})
}

// where returns the place of n, or of the nearest value around it that has one.
func (d *decoder) where(n *node) string {
	for ; n != nil; n = n.parent {
		if n.at != nil && n.at.anyWhere() != "" {
			return n.at.anyWhere()
		}
	}
	return d.nowhere
}

// child returns a new child of n at that key or index.
func (n *node) child(key, full string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	child := &node{key: full, parent: n, secret: n.secret}
	if n.at != nil {
		child.at = n.at.children[key]
	}
	return child
}

// group returns the keys and values in n; none where an element is named without settings of its own.
func (n *node) group() (map[string]any, bool) {
	if n.value == nil {
		return nil, true
	}
	group, ok := n.value.(map[string]any)
	return group, ok
}

func (n *node) isText() bool { return n.text || n.at != nil && n.at.text }

func (n *node) loose() bool { return n.at != nil && n.at.loose }

func (n *node) markFaulty() {
	for ; n != nil; n = n.parent {
		n.faulty = true
	}
}

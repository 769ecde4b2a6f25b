package config

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings returns values that the program itself sets, such as those of its flags. Keys are paths: "log.level", or
// "platform/queues/mails.eu/capacity" with slashes where a key holds a dot. Values are bools, numbers, strings,
// durations, slices, maps with string keys, and whatever marshals itself as text; they must have the type that the
// field wants. Pass it last to [Load]: it is meant to stand above files and environment.
func Settings(values map[string]any) Source { return settings(maps.Clone(values)) }

type settings map[string]any

// Load implements [Source].
func (s settings) Load(Lookup) (*Node, error) {
	t := tree{root: &Node{Group: map[string]*Node{}}}
	for _, key := range sortedKeys(s) {
		path := strings.Split(key, ".")
		if strings.Contains(key, "/") {
			path = strings.Split(key, "/")
		}
		n, err := nodeOf(reflect.ValueOf(s[key]), "setting "+strconv.Quote(key))
		if err != nil {
			t.faults = append(t.faults, &Fault{Where: "setting " + strconv.Quote(key), Problem: err.Error()})
		}
		t.set(path, n)
	}
	return t.root, Join(t.faults...)
}

// nodeOf turns a Go value into a node; one that cannot be a setting is invalid.
func nodeOf(v reflect.Value, where string) (*Node, error) {
	if !v.IsValid() {
		return &Node{Where: where}, nil
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return &Node{Where: where, Value: d}, nil
	}
	switch v.Kind() {
	case reflect.String: // before MarshalText: the text of a Secret is meant, not its mask
		return &Node{Where: where, Value: v.String()}, nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return &Node{Where: where}, nil
		}
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		return textNode(m, where)
	}
	switch v.Kind() {
	case reflect.Bool:
		return &Node{Where: where, Value: v.Bool()}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &Node{Where: where, Value: v.Int()}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &Node{Where: where, Value: v.Uint()}, nil
	case reflect.Float32, reflect.Float64:
		return &Node{Where: where, Value: v.Float()}, nil
	case reflect.Pointer, reflect.Interface:
		return nodeOf(v.Elem(), where)
	case reflect.Slice, reflect.Array:
		return listNode(v, where)
	case reflect.Map:
		return groupNode(v, where)
	}
	return &Node{Where: where, Invalid: true}, fmt.Errorf("a value of type %s cannot be a setting", v.Type())
}

func textNode(m encoding.TextMarshaler, where string) (*Node, error) {
	text, err := m.MarshalText()
	if err != nil {
		return &Node{Where: where, Invalid: true}, fmt.Errorf("a value of type %T cannot be a setting: %w", m, err)
	}
	return &Node{Where: where, Value: string(text)}, nil
}

func listNode(v reflect.Value, where string) (*Node, error) {
	n := &Node{Where: where, List: make([]*Node, 0, v.Len())}
	for i := range v.Len() {
		element, err := nodeOf(v.Index(i), where)
		if err != nil {
			return &Node{Where: where, Invalid: true}, err
		}
		n.List = append(n.List, element)
	}
	return n, nil
}

func groupNode(v reflect.Value, where string) (*Node, error) {
	if v.Type().Key().Kind() != reflect.String {
		return &Node{Where: where, Invalid: true}, fmt.Errorf("a value of type %s cannot be a setting", v.Type())
	}
	n := &Node{Where: where, Group: make(map[string]*Node, v.Len())}
	for _, key := range v.MapKeys() {
		child, err := nodeOf(v.MapIndex(key), where)
		if err != nil {
			return &Node{Where: where, Invalid: true}, err
		}
		n.Group[key.String()] = child
	}
	return n, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

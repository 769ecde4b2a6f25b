package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const (
	tagName   = "koanf"
	secretTag = "secret"
)

// field is a field of a struct that can be configured.
type field struct {
	key    string // in the configuration
	name   string // for mapstructure, which knows no lower-casing
	index  []int  // for reflect.Value.FieldByIndex
	secret bool
}

// shape is what can be configured of a struct type.
type shape struct {
	fields   []field // with those of the structs squashed into it
	squashed [][]int // the squashed structs themselves, inner ones first
}

// shapeOf returns the shape of t, a struct.
func shapeOf(t reflect.Type) (shape, error) {
	var s shape
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get(tagName), ",")
		squash := slices.Contains(strings.Split(options, ","), "squash")
		switch {
		case name == "-", !f.IsExported() && !(f.Anonymous && squash):
			continue
		case squash:
			if err := s.squash(f); err != nil {
				return s, err
			}
			continue
		}
		one := field{key: name, name: name, index: f.Index, secret: isSecret(f)}
		if name == "" {
			one.key, one.name = strings.ToLower(f.Name), f.Name
		}
		s.fields = append(s.fields, one)
	}
	return s, nil
}

func (s *shape) squash(f reflect.StructField) error {
	if f.Type.Kind() != reflect.Struct {
		return fmt.Errorf("the program cannot squash field %s of type %s: it is no struct", f.Name, f.Type)
	}
	inner, err := shapeOf(f.Type)
	if err != nil {
		return err
	}
	for _, in := range inner.fields {
		in.index = slices.Concat(f.Index, in.index)
		in.secret = in.secret || isSecret(f)
		s.fields = append(s.fields, in)
	}
	for _, index := range inner.squashed {
		s.squashed = append(s.squashed, slices.Concat(f.Index, index))
	}
	if f.IsExported() { // the methods of others are reached by promotion alone
		s.squashed = append(s.squashed, f.Index)
	}
	return nil
}

// keys returns the keys of the fields.
func (s shape) keys() []string {
	keys := make([]string, len(s.fields))
	for i, f := range s.fields {
		keys[i] = f.key
	}
	return keys
}

func isSecret(f reflect.StructField) bool { return f.Tag.Get(secretTag) == "true" }

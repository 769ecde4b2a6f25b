package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

type defaulter interface{ SetDefaults() }

type validator interface{ Validate() error }

// setDefaults calls SetDefaults on v and on what it holds, inner values first, so that the outer one has the last
// word. V must be addressable.
func setDefaults(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			setDefaults(v.Elem())
		}
		return
	case v.Kind() == reflect.Struct && !isScalar(v.Type()):
		shape, err := shapeOf(v.Type())
		if err != nil {
			break // decoding reports it
		}
		for _, f := range shape.fields {
			setDefaults(v.FieldByIndex(f.index))
		}
		for _, index := range shape.squashed {
			callSetDefaults(v.FieldByIndex(index))
		}
	}
	callSetDefaults(v)
}

func callSetDefaults(v reflect.Value) {
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.SetDefaults()
	}
}

// validate calls Validate on v and on what it holds, inner values first, except on values that could not be decoded
// in full. V must be addressable.
func (d *decoder) validate(v reflect.Value, n *node) {
	switch {
	case isScalar(v.Type()):
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			d.validate(v.Elem(), n)
		}
		return
	case v.Kind() == reflect.Struct:
		d.validateFields(v, n)
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Array:
		for i := range v.Len() {
			d.validate(v.Index(i), n.held(strconv.Itoa(i), indexKey(n.key, i)))
		}
	case v.Kind() == reflect.Map:
		d.validateElements(v, n)
	}
	d.callValidate(v, n)
}

func (d *decoder) callValidate(v reflect.Value, n *node) {
	if check, ok := v.Addr().Interface().(validator); ok && !n.faulty {
		d.reject(n, check.Validate())
	}
}

func (d *decoder) validateFields(v reflect.Value, n *node) {
	shape, err := shapeOf(v.Type())
	if err != nil {
		return // reported, if anything was set
	}
	for _, f := range shape.fields {
		d.validate(v.FieldByIndex(f.index), n.held(f.key, childKey(n.key, f.key)))
	}
	for _, index := range shape.squashed {
		d.callValidate(v.FieldByIndex(index), n)
	}
}

// validateElements validates the elements of a map. They cannot be addressed where they are, so each is taken out
// and put back.
func (d *decoder) validateElements(m reflect.Value, n *node) {
	for _, k := range m.MapKeys() {
		name := fmt.Sprint(k.Interface())
		element := reflect.New(m.Type().Elem()).Elem()
		element.Set(m.MapIndex(k))
		d.validate(element, n.held(name, childKey(n.key, name)))
		m.SetMapIndex(k, element)
	}
}

// held returns the node of what n holds, also if it is not set but has a default.
func (n *node) held(name, full string) *node {
	if child := n.children[name]; child != nil {
		return child
	}
	return &node{key: full, parent: n}
}

// reject reports what Validate returned: joined errors one by one, each at the place of n. A Fault of the author's
// own names a key in n by its Key, and is reported there.
func (d *decoder) reject(n *node, err error) {
	if err == nil {
		return
	}
	if parts := Parts(err); parts != nil {
		for _, part := range parts {
			d.reject(n, part)
		}
		return
	}
	f := &Fault{Where: d.where(n), Key: n.key, Problem: d.redact(err.Error()), cause: err}
	if own, ok := err.(*Fault); ok {
		f.Problem, f.Hint = d.redact(own.Problem), d.redact(own.Hint)
		if own.Key != "" {
			at := n.held(own.Key, childKey(n.key, own.Key))
			f.Key, f.Where = at.key, d.where(at)
		}
	}
	d.faults = append(d.faults, f)
}

// redact takes the secrets out of what an author's Validate says. Texts of one or two letters are no secrets, and
// to take them out would leave nothing to read.
func (d *decoder) redact(text string) string {
	for _, s := range d.secrets {
		if len(s) < 3 {
			continue
		}
		quoted := strconv.Quote(s)
		text = strings.ReplaceAll(text, s, mask)
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], mask)
	}
	return text
}

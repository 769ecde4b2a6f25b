package encodable

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Check finds every part of t that encoding/json cannot carry there and back, joined, each with its path:
// "MailRef.Done: chan int cannot be encoded as JSON". nil: every value of t comes back as it went, but for what its
// json tags leave out and for unexported fields beside exported ones.
func Check(t reflect.Type) error {
	w := typeWalk{seen: map[reflect.Type]bool{}}
	name := t.Name()
	if name == "" {
		name = t.String()
	}
	w.visit(t, name)
	return errors.Join(w.faults...)
}

// typeWalk looks at each type once, so recursive types end.
type typeWalk struct {
	seen   map[reflect.Type]bool
	faults []error
}

func (w *typeWalk) fault(path string, t reflect.Type, problem string) {
	w.faults = append(w.faults, fmt.Errorf("%s: %s %s", path, t, problem))
}

func (w *typeWalk) visit(t reflect.Type, path string) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	if w.encodesItself(t, path) {
		return
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		w.fault(path, t, "cannot be encoded as JSON")
	case reflect.Interface:
		if t.NumMethod() > 0 {
			w.fault(path, t, "cannot be decoded from JSON: it is an interface with methods")
		}
	case reflect.Pointer:
		w.visit(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		w.visit(t.Elem(), path+"[]")
	case reflect.Map:
		w.visitKey(t.Key(), path)
		w.visit(t.Elem(), path+"[]")
	case reflect.Struct:
		w.visitFields(t, path)
	}
}

// encodesItself is true for types that bring their own encoding, like time.Time.
func (w *typeWalk) encodesItself(t reflect.Type, path string) bool {
	switch {
	case t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer:
		return false
	case has(t, jsonMarshaler):
		if !has(t, jsonUnmarshaler) {
			w.fault(path, t, "has MarshalJSON but no UnmarshalJSON: it would not come back")
		}
		return true
	case has(t, jsonUnmarshaler):
		w.fault(path, t, "has UnmarshalJSON but no MarshalJSON: it would not come back")
		return true
	case has(t, textMarshaler):
		if !has(t, textUnmarshaler) {
			w.fault(path, t, "has MarshalText but no UnmarshalText: it would not come back")
		}
		return true
	default:
		return false
	}
}

// has says whether t or a pointer to it has the methods.
func has(t, methods reflect.Type) bool {
	return t.Implements(methods) || reflect.PointerTo(t).Implements(methods)
}

func (w *typeWalk) visitKey(t reflect.Type, path string) {
	switch t.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return
	}
	if !t.Implements(textMarshaler) || !reflect.PointerTo(t).Implements(textUnmarshaler) {
		w.fault(path, t, "cannot be the key of a JSON object")
	}
}

func (w *typeWalk) visitFields(t reflect.Type, path string) {
	hidden, shown := false, false
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Tag.Get("json") == "-":
			shown = true // left out on purpose
		case f.IsExported():
			shown = true
			w.visit(f.Type, path+"."+f.Name)
		case f.Anonymous && f.Type.Kind() == reflect.Struct: // its fields count as t's own
			shown = true
			w.visit(f.Type, path+"."+f.Name)
		case f.Anonymous && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
			shown = true
			w.fault(path+"."+f.Name, f.Type, "cannot be decoded from JSON: it is an embedded pointer to an unexported struct")
		default:
			hidden = true
		}
	}
	if hidden && !shown {
		w.fault(path, t, "has no exported field: it would arrive empty")
	}
}

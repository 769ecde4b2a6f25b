package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// decodeInput reads the input of an operation from one JSON object: the parameters that HTTP has in path and query by their names, and beside them the
// fields of the body. It is as strict as HTTP is: what is unknown or of the wrong type is refused, and no value is repeated.
func decodeInput[I any](text json.RawMessage) (*I, error) {
	in := new(I)
	fields, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	v := reflect.ValueOf(in).Elem()
	var body reflect.Value
	for _, f := range reflect.VisibleFields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if f.Name == "Body" {
			body = field
			continue
		}
		name := f.Tag.Get("path")
		if name == "" {
			name = f.Tag.Get("query")
		}
		if name == "" {
			continue
		}
		if err := decodeParameter(field, f.Tag.Get("default"), name, fields); err != nil {
			return nil, err
		}
		delete(fields, name)
	}
	if len(fields) == 0 {
		return in, nil
	}
	if !body.IsValid() {
		return nil, invalid(cut(slices.Sorted(maps.Keys(fields))[0]), "there is no such field")
	}
	return in, decodeBody(body, fields)
}

func decodeObject(text json.RawMessage) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return fields, nil
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, invalid("", "the input must be a JSON object")
	}
	return fields, nil
}

func decodeParameter(field reflect.Value, byDefault, name string, fields map[string]json.RawMessage) error {
	text, given := fields[name]
	if !given {
		if byDefault == "" {
			return nil
		}
		text = json.RawMessage(byDefault)
		if field.Kind() == reflect.String {
			text, _ = json.Marshal(byDefault) // a string can always be encoded
		}
	}
	if err := json.Unmarshal(text, field.Addr().Interface()); err != nil {
		return invalid(name, fmt.Sprintf("%s must be of the type %s", name, field.Type()))
	}
	return nil
}

func decodeBody(body reflect.Value, fields map[string]json.RawMessage) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return invalid("", "the input must be a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !hasField(body.Type(), name) {
			return invalid(cut(name), "there is no such field")
		}
	}
	err = json.Unmarshal(text, body.Addr().Interface())
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		return invalid(cut(kind.Field), "the value is of the wrong type")
	}
	return invalid("", "the input cannot be read")
}

// hasField tells whether a body has a field of exactly that name; encoding/json would be content with another case.
func hasField(t reflect.Type, name string) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		own, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return own == name
	})
}

func invalid(field, detail string) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Detail: detail}
}

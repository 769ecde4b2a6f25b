package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType        = reflect.TypeFor[time.Duration]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isScalar tells whether a t is filled from a single value.
func isScalar(t reflect.Type) bool {
	if unmarshalsText(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

func unmarshalsText(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface &&
		reflect.PointerTo(t).Implements(textUnmarshalerType)
}

// convertScalar returns value as a t, or what is wrong with it and what to do. Text tells that value may stand for
// something that is no text. Of a secret value, nothing but its kind is told.
func convertScalar(value any, text, secret bool, t reflect.Type) (v reflect.Value, problem, hint string) {
	s, isString := value.(string)
	v = reflect.New(t).Elem()
	switch {
	case unmarshalsText(t):
		return unmarshalText(value, secret, t)
	case t == durationType:
		return convertDuration(value, text, secret)
	case text && isString && t.Kind() != reflect.String:
		return parseText(s, secret, t)
	}
	switch t.Kind() {
	case reflect.String:
		if isString {
			v.SetString(s)
			return v, "", ""
		}
		if isPlain(value) {
			hint = "put it in quotes"
		}
		return v, wants("text", value, secret), hint
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			v.SetBool(b)
			return v, "", ""
		}
		return v, wants("true or false", value, secret), ""
	case reflect.Float32, reflect.Float64:
		if f, ok := asFloat(value); ok && !v.OverflowFloat(f) {
			v.SetFloat(f)
			return v, "", ""
		}
		return v, wants("a number", value, secret), ""
	}
	if setInteger(v, value) {
		return v, "", ""
	}
	return v, wants(integerRange(t), value, secret), ""
}

// parseText reads a text from the environment as a t.
func parseText(s string, secret bool, t reflect.Type) (v reflect.Value, problem, hint string) {
	var value any
	var err error
	switch t.Kind() {
	case reflect.Bool:
		value, err = strconv.ParseBool(s)
	case reflect.Float32, reflect.Float64:
		value, err = strconv.ParseFloat(s, 64)
	default:
		if value, err = strconv.ParseInt(s, 10, 64); errors.Is(err, strconv.ErrRange) {
			value, err = strconv.ParseUint(s, 10, 64)
		}
	}
	if err != nil {
		value = s
	}
	return convertScalar(value, false, secret, t)
}

func convertDuration(value any, text, secret bool) (v reflect.Value, problem, hint string) {
	const want = `a duration such as "30s" or "5m"`
	v = reflect.New(durationType).Elem()
	switch d := value.(type) {
	case time.Duration:
		v.SetInt(int64(d))
		return v, "", ""
	case string:
		parsed, err := time.ParseDuration(d)
		if err == nil {
			v.SetInt(int64(parsed))
			return v, "", ""
		}
		if _, err := strconv.ParseFloat(d, 64); err != nil || secret {
			return v, wants(want, value, secret), ""
		}
		hint = fmt.Sprintf("write %ss for seconds", d)
	case int64, uint64, float64:
		hint = fmt.Sprintf(`write "%vs" for seconds`, d)
	default:
		return v, wants(want, value, secret), ""
	}
	if secret {
		hint = ""
	}
	return v, fmt.Sprintf("wants a duration with its unit, got %s without one", describe(value, secret)), hint
}

func unmarshalText(value any, secret bool, t reflect.Type) (v reflect.Value, problem, hint string) {
	p := reflect.New(t)
	s, ok := value.(string)
	if !ok {
		if isPlain(value) {
			hint = "put it in quotes"
		}
		return p.Elem(), wants("text", value, secret), hint
	}
	err := p.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	switch {
	case err == nil:
		return p.Elem(), "", ""
	case secret:
		return p.Elem(), "the text is not acceptable", ""
	}
	return p.Elem(), fmt.Sprintf("%s is not acceptable: %v", describe(value, false), err), ""
}

// keyOf returns the key of a map as a t, or what is wrong with it.
func keyOf(key string, t reflect.Type) (v reflect.Value, problem string) {
	if !isScalar(t) {
		return v, "would have to be of type " + t.String() + ", which no setting can be"
	}
	v, problem, _ = convertScalar(key, true, false, t)
	return v, problem
}

// splitList splits a text from the environment at its commas; an empty one is an empty list.
func splitList(text string) []any {
	elements := []any{}
	if strings.TrimSpace(text) == "" {
		return elements
	}
	for element := range strings.SplitSeq(text, ",") {
		elements = append(elements, strings.TrimSpace(element))
	}
	return elements
}

func asFloat(value any) (float64, bool) {
	switch n := value.(type) {
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, !math.IsNaN(n) // a comparison in Validate would let it pass
	}
	return 0, false
}

// setInteger sets v to value, if that is a whole number in the range of v's type.
func setInteger(v reflect.Value, value any) bool {
	switch n := value.(type) {
	case int64:
		switch {
		case v.CanInt() && !v.OverflowInt(n):
			v.SetInt(n)
			return true
		case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
			v.SetUint(uint64(n))
			return true
		}
	case uint64:
		switch {
		case v.CanInt() && n <= math.MaxInt64 && !v.OverflowInt(int64(n)):
			v.SetInt(int64(n))
			return true
		case v.CanUint() && !v.OverflowUint(n):
			v.SetUint(n)
			return true
		}
	}
	return false
}

func integerRange(t reflect.Type) string {
	bits := t.Bits()
	switch signed := t.Kind() <= reflect.Int64; {
	case signed && bits == 64:
		return "a whole number"
	case signed:
		return fmt.Sprintf("a whole number from %d to %d", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1)
	case bits == 64:
		return "a whole number of at least 0"
	}
	return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<bits-1)
}

func wants(want string, value any, secret bool) string {
	return "wants " + want + ", got " + describe(value, secret)
}

// isPlain tells whether value is one that quotes would make a text.
func isPlain(value any) bool {
	switch value.(type) {
	case bool, int64, uint64, float64:
		return true
	}
	return false
}

// kindOf names the kind of value and nothing of its content.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "a truth value"
	case int64, uint64, float64:
		return "a number"
	case time.Duration:
		return "a duration"
	case []any:
		return "a list"
	}
	return "a group of settings"
}

// maxShown is how much of a text a message shows.
const maxShown = 60

// describe names value with its content, or only its kind if it is secret.
func describe(value any, secret bool) string {
	if secret {
		return kindOf(value)
	}
	switch x := value.(type) {
	case string:
		if runes := []rune(x); len(runes) > maxShown {
			x = string(runes[:maxShown]) + "…"
		}
		return "the text " + strconv.Quote(x)
	case bool:
		return strconv.FormatBool(x)
	case int64, uint64, float64:
		return fmt.Sprintf("the number %v", x)
	case time.Duration:
		return "the duration " + x.String()
	}
	return kindOf(value)
}

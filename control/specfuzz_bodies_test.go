package control_test

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

var bodyAttacks = []attack{
	{"a field that there is not", func(m *maker, q *question) bool {
		o, ok := q.object()
		if !ok {
			return false
		}
		name := pick(m, []string{"odd", "Reason", "REASON", "$schema", "__proto__", "reason ", "räson", ""})
		if _, there := o[name]; there {
			return false
		}
		o[name] = secretText
		q.body, q.want, q.secret = o, []int{422}, secretText
		return true
	}},
	{"a value of the wrong kind", func(m *maker, q *question) bool {
		o, ok := q.object()
		if !ok {
			return false
		}
		name := pick(m, slices.Sorted(maps.Keys(q.bodySchema().Properties)))
		wrong := wrongFor(q.bodySchema().Properties[name].Value)
		o[name] = pick(m, wrong)
		q.body, q.want, q.secret = o, []int{422, 400}, secretText
		return true
	}},
	{"a field that is missing", func(m *maker, q *question) bool {
		o, ok := q.object()
		if !ok || len(q.bodySchema().Required) == 0 {
			return false
		}
		delete(o, pick(m, q.bodySchema().Required))
		q.body, q.want = o, []int{422}
		return true
	}},
	{"no object", func(m *maker, q *question) bool {
		bodies := []any{[]any{}, []any{map[string]any{}}, secretText, 7, 1e300, true, math.MaxInt64}
		q.body, q.want, q.secret = pick(m, bodies), []int{422}, secretText
		return q.bodySchema() != nil
	}},
	{"text that is no JSON", func(m *maker, q *question) bool {
		q.text = []byte(pick(m, []string{
			"{", `{"reason":`, `{"reason":"x"`, `{'reason':'x'}`, `{reason:1}`, `{"reason":"x",}`, "nul", secretText, `{"` + secretText, "\xef\xbb\xbf{}", `{"reason":"` + secretText + "\n\"}", `{"reason":"\ud800"`, "\x00",
			`{"concurrency":01}`, `{"concurrency":NaN}`, `{"concurrency":1e}`, "<reason/>", "reason=x", "[[[", `{} //`,
		}))
		q.want, q.secret = []int{400}, secretText
		return q.bodySchema() != nil
	}},
	{"text behind the JSON", func(m *maker, q *question) bool {
		q.text = []byte("{}" + pick(m, []string{"{}", "x", "]", "\x00", ",", "null", `"` + secretText + `"`}))
		q.want, q.secret = []int{400}, secretText
		return q.bodySchema() != nil
	}},
	{"deep JSON", func(m *maker, q *question) bool {
		depth := 1000 * (1 + m.even.IntN(200))
		open, shut := pick(m, []string{"[", `{"a":`, `{"reason":`}), "]"
		if open != "[" {
			shut = "}"
		}
		text := strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth)
		if len(text) >= 1<<20 {
			text = text[:1<<20-1] // deep, not too long
		}
		q.text, q.want = []byte(text), []int{400, 422}
		return q.bodySchema() != nil
	}},
	{"a body that is too long", func(m *maker, q *question) bool {
		if q.text = []byte(`{"reason":"` + strings.Repeat("x", 1<<20) + `"}`); m.coin() {
			q.chunked = true
		} else {
			q.announced, q.text = 1<<20+1+m.even.IntN(200)<<30, nil
			q.headers = append(q.headers, [2]string{"Content-Type", "application/json"})
		}
		q.want = []int{413}
		return q.bodySchema() != nil
	}},
	{"a body that nobody asked for", func(m *maker, q *question) bool {
		q.text = []byte(pick(m, []string{"{}", "x", `{"reason":"x"}`, ""}))
		return q.bodySchema() == nil
	}},
	{"in chunks", func(_ *maker, q *question) bool {
		q.chunked = true
		return q.body != nil
	}},
}

// object gives a copy of the body to change, {} when there is none.
func (q *question) object() (map[string]any, bool) {
	if s := q.bodySchema(); s == nil || q.body == nil && len(s.Required) > 0 {
		return nil, false
	}
	o := map[string]any{}
	if given, ok := q.body.(map[string]any); ok {
		maps.Copy(o, given)
	}
	return o, true
}

// wrongFor are values that a field must not have. (null is one too, but stands for a field that is left out.)
func wrongFor(s *openapi3.Schema) []any {
	switch {
	case s.Type.Includes("boolean"):
		return []any{1, "true", []any{}, secretText}
	case s.Type.Includes("integer"):
		return []any{"3", 1.5, 0, -1, 1e300, true, []any{1}, secretText}
	case s.Type.Includes("array"):
		return []any{[]any{}, "dead", []any{"odd"}, []any{nil}, []any{[]any{"dead"}}, map[string]any{}, []any{secretText}, slices.Repeat([]any{"dead"}, 100)}
	case len(s.Enum) > 0 || s.Pattern != "":
		return []any{"odd", 7, true, []any{}, secretText, strings.Repeat("x", 50_000), "1h\x00"}
	}
	return []any{7, true, []any{}, map[string]any{secretText: 1}, "a\nb" + secretText, "\x1b[31m", "a\u202eb", "\x00", strings.Repeat("x", 201), strings.Repeat("🐹", 50_000)}
}

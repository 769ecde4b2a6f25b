package control

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// exactNames refuses a body in which a name differs in case from one of the schema. huma looks at "amount" where encoding/json takes what comes last, which may be
// "AMOUNT": so what is not validated could be what is used.
func exactNames(r huma.Registry, op *huma.Operation, next http.HandlerFunc) http.HandlerFunc {
	if op.RequestBody == nil || op.MaxBodyBytes < 0 { // who reads an unbounded body itself knows what to make of it
		return next
	}
	media := op.RequestBody.Content["application/json"]
	if media == nil || media.Schema == nil {
		return next
	}
	return func(w http.ResponseWriter, req *http.Request) {
		if declared, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); declared != "" && declared != "application/json" {
			next(w, req)
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			newProblem(http.StatusBadRequest, "the body did not come whole").write(w)
			return
		}
		var v any
		if json.Unmarshal(body, &v) == nil { // else huma says what is wrong with it
			if at := misnamed(r, media.Schema, v, "body"); at != "" {
				p := newProblem(http.StatusUnprocessableEntity, "validation failed")
				p.Errors = []ProblemError{{Message: "unexpected property: names differ by case", Location: cut(at)}}
				p.write(w)
				return
			}
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		next(w, req)
	}
}

// misnamed gives the place of the first name that is one of the schema's but for its case, or "".
func misnamed(r huma.Registry, s *huma.Schema, v any, at string) string {
	for s != nil && s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	if s == nil {
		return ""
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if place := misnamed(r, s.Items, item, at+"[]"); place != "" {
				return place
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			sub, known := s.Properties[name]
			if !known {
				for property := range s.Properties {
					if strings.EqualFold(name, property) {
						return at + "." + name
					}
				}
				sub, _ = s.AdditionalProperties.(*huma.Schema)
			}
			if place := misnamed(r, sub, v[name], at+"."+name); place != "" {
				return place
			}
		}
	}
	return ""
}

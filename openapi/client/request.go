package client

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// request is one call as the generated methods make it: HTTP takes method, path and query, the socket the names.
type request struct {
	operation, method, path string
	params                  []param
	body                    any // nil when the operation has none; otherwise a type of the document
}

type param struct {
	name   string
	value  json.RawMessage // for the socket
	text   string          // for HTTP
	inPath bool
}

func newRequest(operation, method, path string) *request {
	return &request{operation: operation, method: method, path: path}
}

func (r *request) inPath(name, value string) {
	r.params = append(r.params, param{name, quoted(value), value, true})
}

func queryText[T ~string](r *request, name string, value T) {
	if value != "" {
		r.params = append(r.params, param{name, quoted(string(value)), string(value), false})
	}
}

func queryNumber(r *request, name string, value int64) {
	if value != 0 {
		text := strconv.FormatInt(value, 10)
		r.params = append(r.params, param{name, json.RawMessage(text), text, false})
	}
}

func queryList[T ~string](r *request, name string, values []T) {
	if len(values) == 0 {
		return
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	value, _ := json.Marshal(texts) // texts can be
	r.params = append(r.params, param{name, value, strings.Join(texts, ","), false})
}

func quoted(text string) json.RawMessage {
	value, _ := json.Marshal(text) // a text can be
	return value
}

// url is where the request goes over HTTP.
func (r *request) url(base string) string {
	path, query := r.path, url.Values{}
	for _, p := range r.params {
		if p.inPath {
			path = strings.ReplaceAll(path, "{"+p.name+"}", url.PathEscape(p.text))
		} else {
			query.Set(p.name, p.text)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return base + path
}

// input is what the socket gets: parameters and the fields of the body side by side.
func (r *request) input() (map[string]json.RawMessage, error) {
	in := map[string]json.RawMessage{}
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err == nil {
			err = json.Unmarshal(text, &in)
		}
		if err != nil {
			return nil, fmt.Errorf("the input of %s cannot be encoded: %w", r.operation, err)
		}
	}
	for _, p := range r.params {
		in[p.name] = p.value
	}
	return in, nil
}

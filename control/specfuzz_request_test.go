package control_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/plba/plba/control"
	"pgregory.net/rapid"
)

// target is an operation of the document.
type target struct {
	id, method, path string
	op               *openapi3.Operation
	need             control.Access
}

// own tells whether the operation is the application's.
func (g *target) own() bool { return strings.HasPrefix(g.path, "/app/") }

func (g *target) documents(status int) bool { return g.op.Responses.Status(status) != nil }

// bodySchema is that of the request, nil when it takes none.
func (g *target) bodySchema() *openapi3.Schema {
	if g.op.RequestBody == nil {
		return nil
	}
	return g.op.RequestBody.Value.Content["application/json"].Schema.Value
}

// question is a request while it is made: attacks change it, and say what must come of it.
type question struct {
	*target
	verb    string
	path    map[string]string // values of the parameters
	raw     string            // not "": the path, whatever the parameters say
	query   [][2]string       // names and values as they are
	loose   string            // goes behind the query as it is
	headers [][2]string
	host    string
	token   string // "" for none
	body    any    // of the JSON that is sent
	text    []byte // instead of body, if not nil
	from    string
	chunked bool

	announced int

	attack   []string // the names of the attacks
	want     []int    // the statuses that may come of them; nil: those of a request that is as it should be
	unrouted bool     // it is not this operation's any more
	below    bool     // it is not HTTP any more: net/http answers as it likes
	secret   string   // must not come back
}

// parcel spells the question.
func (q *question) parcel() parcel {
	p := parcel{method: q.verb, target: q.raw, host: q.host, headers: q.headers, from: q.from, chunked: q.chunked, announced: q.announced}
	if p.target == "" {
		path := q.target.path
		for name, value := range q.path {
			path = strings.Replace(path, "{"+name+"}", (&url.URL{Path: "/" + value}).EscapedPath()[1:], 1)
		}
		p.target = path
	}
	var parts []string
	for _, kv := range q.query {
		parts = append(parts, url.QueryEscape(kv[0])+"="+url.QueryEscape(kv[1]))
	}
	if q.loose != "" {
		parts = append(parts, q.loose)
	}
	if len(parts) > 0 {
		p.target += "?" + strings.Join(parts, "&")
	}
	if q.token != "" {
		p.headers = append(p.headers, [2]string{"Authorization", "Bearer " + q.token})
	}
	if q.below { // who does not understand the head does not read on
		p.announced = 0
		return p
	}
	if p.body = q.text; p.body == nil && q.body != nil {
		p.body, _ = json.Marshal(q.body) // made of texts, numbers and truth values
	}
	if p.body != nil && !slices.ContainsFunc(q.headers, func(h [2]string) bool { return h[0] == "Content-Type" }) {
		p.headers = append(p.headers, [2]string{"Content-Type", "application/json"})
	}
	return p
}

// roleTokens are the tokens of the configuration by what they may do.
var roleTokens = []struct {
	role  control.Role
	token string
}{{control.Viewer, viewerToken}, {control.Operator, operatorToken}, {control.Admin, strings.ToUpper(adminToken)}}

// maker makes questions of the document; what it has seen in answers it asks for again.
type maker struct {
	rt   *rapid.T
	even *rand.Rand          // for choices of which none is to be preferred, as rapid does
	seen map[string][]string // values by what they are good for: "operation.id", "If-None-Match GET /health" …
}

func pick[T any](m *maker, from []T) T { return from[m.even.IntN(len(from))] }

func (m *maker) coin() bool { return m.even.IntN(2) == 0 }

// proper makes a request that the document allows. Without path parameters given they are drawn: mostly of things that there are.
func (m *maker) proper(g *target, path map[string]string) *question {
	q := &question{target: g, verb: g.method, host: "localhost", path: maps.Clone(path)}
	prepared := path != nil
	if q.path == nil {
		q.path = map[string]string{}
	}
	var enough []string
	for _, r := range roleTokens {
		if expected(g.need, r.role, false, true) == 0 {
			enough = append(enough, r.token)
		}
	}
	q.token = pick(m, enough)
	if prepared && g.id == "watchEvents" {
		q.headers = append(q.headers, [2]string{"Last-Event-ID", "of-another-process"}) // there is something to tell at once
	}
	if g.need.Without == control.Always && m.coin() {
		q.token = ""
	}
	for _, ref := range g.op.Parameters {
		p := ref.Value
		_, given := q.path[p.Name]
		switch {
		case given && p.In == "path":
		case p.In == "path":
			q.path[p.Name] = m.name(g, p)
		case prepared || !p.Required && !m.coin():
		case p.In == "header":
			q.headers = append(q.headers, [2]string{p.Name, m.header(g, p)})
		default:
			q.query = append(q.query, [2]string{p.Name, m.parameter(p)})
		}
	}
	if s := g.bodySchema(); s != nil && (g.op.RequestBody.Value.Required || m.coin()) {
		q.body = m.value("body", s)
		if o, ok := q.body.(map[string]any); ok && prepared {
			makeModest(o)
		}
	}
	return q
}

// makeModest leaves out what the document cannot forbid but the operation refuses, or what would make the whole test wait.
func makeModest(body map[string]any) {
	if _, ok := body["timeout"]; ok {
		body["timeout"] = "5s"
	}
	if _, ok := body["states"]; ok {
		body["states"] = []any{"dead", "cancelled", "done", "scheduled", "ready", "retrying"}
	}
	delete(body, "exit")
}

// name gives a path parameter: seven times in eight of something that there is, or may have been.
func (m *maker) name(g *target, p *openapi3.Parameter) string {
	known := map[string][]string{
		"/api/v1/workers/{name}": workerNames, "/api/v1/queues/{name}": queueNames, "/api/v1/pipelines/{name}": pipelineNames, "/debug/pprof/{profile}": profileNames,
		"/api/v1/queues/{name}/tasks/{id}": m.seen["task"], "/api/v1/operations/{id}": m.seen["operation"], "/api/v1/traces/{id}": m.seen["trace"],
	}
	at, _, _ := strings.Cut(g.path, "{"+p.Name+"}")
	if there := known[at+"{"+p.Name+"}"]; len(there) > 0 && m.even.IntN(8) > 0 {
		return pick(m, there)
	}
	if p.Name == "profile" {
		return "profile-of-nothing" // cpu and trace take seconds
	}
	s := *p.Schema.Value
	s.MinLength = 1
	text, _ := m.value(p.Name, &s).(string)
	if text = strings.NewReplacer("/", "-", "\\", "-").Replace(text); text == "." || text == ".." {
		return "dots"
	}
	return text
}

func (m *maker) header(g *target, p *openapi3.Parameter) string {
	if there := m.seen[p.Name+" "+g.id]; len(there) > 0 && m.coin() {
		return pick(m, there)
	}
	if p.Name == "If-None-Match" {
		return pick(m, []string{"*", `"x"`, `W/"x", "y"`, "odd", ""})
	}
	return rapid.StringMatching(`[!-~]{1,40}`).Draw(m.rt, p.Name)
}

func (m *maker) parameter(p *openapi3.Parameter) string {
	if there := m.seen[p.Name]; len(there) > 0 && m.coin() {
		return pick(m, there)
	}
	switch v := m.value(p.Name, p.Schema.Value).(type) {
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, fmt.Sprint(one))
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(v)
	}
}

var printable = rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.P, unicode.S).Filter(func(r rune) bool { return r != unicode.ReplacementChar })

// value makes one that the schema allows.
func (m *maker) value(label string, s *openapi3.Schema) any {
	if len(s.Enum) > 0 {
		return rapid.SampledFrom(s.Enum).Draw(m.rt, label)
	}
	switch {
	case s.Type.Includes("string") && s.Pattern != "":
		text := rapid.StringMatching(s.Pattern).Draw(m.rt, label)
		if s.MaxLength != nil && len(text) > int(*s.MaxLength) {
			return "1s"
		}
		return text
	case s.Type.Includes("string"):
		most := 40
		if s.MaxLength != nil && m.coin() {
			most = int(*s.MaxLength)
		}
		return rapid.StringOfN(printable, int(s.MinLength), most, -1).Draw(m.rt, label)
	case s.Type.Includes("integer"):
		least, most := math.MinInt64, math.MaxInt64
		if s.Min != nil {
			least = int(*s.Min)
		}
		if s.Max != nil {
			most = int(*s.Max)
		}
		return rapid.IntRange(least, most).Draw(m.rt, label)
	case s.Type.Includes("boolean"):
		return m.coin()
	case s.Type.Includes("array"):
		list := make([]any, rapid.IntRange(max(1, int(s.MinItems)), int(*s.MaxItems)).Draw(m.rt, label))
		for i := range list {
			list[i] = m.value(label, s.Items.Value)
		}
		return list
	}
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) || m.coin() {
			object[name] = m.value(name, s.Properties[name].Value)
		}
	}
	return object
}

// learn keeps what an answer says there is.
func (m *maker) learn(q *question, a answer) {
	if tag := a.header.Get("ETag"); tag != "" {
		m.keep("If-None-Match "+q.id, tag)
	}
	var list struct {
		Next, Last string
		Tasks      []struct{ ID string }
		Traces     []struct {
			TraceID string `json:"trace_id"`
		}
		Operations, Records, Events []struct{ ID string }
	}
	if q.verb != http.MethodGet || a.status != http.StatusOK || json.Unmarshal(a.body, &list) != nil {
		return
	}
	for _, o := range list.Tasks {
		m.keep("task", o.ID)
		m.keep("after", o.ID)
	}
	for _, o := range list.Traces {
		m.keep("trace", o.TraceID)
	}
	for _, o := range slices.Concat(list.Operations, list.Records) {
		m.keep("before", o.ID)
	}
	for _, o := range list.Operations {
		m.keep("operation", o.ID)
	}
	for _, o := range list.Events {
		m.keep("after", o.ID)
		m.keep("Last-Event-ID watchEvents", o.ID)
	}
}

// keep remembers the last hundred values.
func (m *maker) keep(what, value string) {
	list := append(m.seen[what], value)
	m.seen[what] = list[max(0, len(list)-100):]
}

package control_test

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/plba/plba/control"
)

// attack makes a proper question an improper one, if it can.
type attack struct {
	name  string
	apply func(m *maker, q *question) bool // it sets want; nil stays for what the document must answer like a proper request
}

// secretText is part of values that must not come back.
const secretText = "hunter2-S3CR3T"

var attacks = slices.Concat(tokenAttacks, headerAttacks, pathAttacks, queryAttacks, bodyAttacks)

var tokenAttacks = []attack{
	{"no token", func(_ *maker, q *question) bool {
		q.token, q.want = "", []int{401}
		return q.need.Without != control.Always
	}},
	{"a wrong token", func(m *maker, q *question) bool {
		if q.need.Without == control.Always || runtime.GOOS != "linux" {
			return false // elsewhere all come from one address, and its tries are soon used up for everybody
		}
		q.token, q.want = "", []int{401}
		q.from = fmt.Sprintf("127.%d.%d.%d", 1+m.even.IntN(250), m.even.IntN(250), 1+m.even.IntN(250))
		q.headers = append(q.headers, [2]string{"Authorization", pick(m, []string{
			"Bearer " + viewerToken + "x", "Bearer " + viewerToken[:len(viewerToken)-1], "Bearer " + hashOf(viewerToken), "Bearer first-run", viewerToken, "Bearer", "Bearer \t",
			"Token " + viewerToken, "Bearer " + strings.ToUpper(viewerToken), "Bearer " + strings.Repeat("a", 8000), "Bearer ' OR 1=1 --", "Negotiate x", "Bearer null", "Bearer \xff\xfe",
		})})
		return true
	}},
	{"a password where none counts", func(_ *maker, q *question) bool {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("ops", operatorToken)
		q.headers = append(q.headers, [2]string{"Authorization", r.Header.Get("Authorization")})
		q.token, q.want = "", []int{401}
		return q.need.Without != control.Always && !strings.HasPrefix(q.target.path, "/openapi")
	}},
	{"two tokens", func(_ *maker, q *question) bool {
		q.headers = append(q.headers, [2]string{"Authorization", "Bearer " + viewerToken})
		q.want = []int{401}
		return q.token != "" && q.need.Without != control.Always
	}},
	{"an expired token", func(_ *maker, q *question) bool {
		q.token, q.want = expiredToken, []int{401}
		return q.need.Without != control.Always
	}},
	{"a role that does not suffice", func(m *maker, q *question) bool {
		var weak []string
		for _, r := range roleTokens {
			if expected(q.need, r.role, false, true) == 403 {
				weak = append(weak, r.token)
			}
		}
		if len(weak) == 0 {
			return false
		}
		q.token, q.want = pick(m, weak), []int{403}
		return true
	}},
}

var headerAttacks = []attack{
	{"a wrong host", func(m *maker, q *question) bool {
		q.host, q.want = pick(m, []string{"attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example", "10.0.0.1", "0.0.0.0", "xlocalhost", "[::2]:80", "LOCALHOST.example:80"}), []int{421}
		return true
	}},
	{"the page of another site", func(m *maker, q *question) bool {
		q.headers = append(q.headers, pick(m, [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://attacker.example"}, {"Origin", "null"}}))
		if q.verb != http.MethodGet && q.verb != http.MethodHead {
			q.want = []int{403}
		}
		return true
	}},
	{"another media type", func(m *maker, q *question) bool {
		media := pick(m, []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "+;+", "json", "application/cbor", "text/json"})
		q.headers = append(q.headers, [2]string{"Content-Type", media})
		q.want = []int{415}
		return q.body != nil && !q.own()
	}},
	{"odd headers", func(m *maker, q *question) bool {
		q.headers = append(q.headers, pick(m, [][2]string{
			{"Accept", ";;;,"}, {"Accept", "text/html"}, {"Accept", strings.Repeat("a/b;q=0.1,", 500)}, {"X-HTTP-Method-Override", "DELETE"}, {"X-Original-URL", "/api/v1/audit"},
			{"X-Forwarded-For", "203.0.113.7"}, {"Forwarded", "for=\"[2001:db8::1]\""}, {"Range", "bytes=0-1,2-3"}, {"If-Match", "*"}, {"If-Modified-Since", "yesterday"},
			{"Accept-Encoding", "gzip, br, odd"}, {"Cookie", "token=" + adminToken}, {"traceparent", "00-zz"}, {"Expect", "100-continue"}, {"Upgrade", "h2c"}, {"TE", "trailers"},
			{"X-Odd", strings.Repeat("x", 20_000)}, {"Content-Encoding", "gzip"},
		}))
		return true
	}},
	{"a header that is too long", func(_ *maker, q *question) bool {
		q.headers = append(q.headers, [2]string{"X-Odd", strings.Repeat("x", 64<<10)})
		q.want, q.below = []int{431}, true
		return true
	}},
	{"headers that no server takes", func(m *maker, q *question) bool {
		q.headers = append(q.headers, pick(m, [][2]string{{"X\x00Odd", "x"}, {"X-Odd", "a\x00b"}, {"Content-Length", "-1"}, {"Transfer-Encoding", "odd"}, {"Host", "localhost"}, {"Content-Length", "1,2"}}))
		q.want, q.below = []int{400, 501}, true
		return true
	}},
	{"an ID of an event that is too long", func(_ *maker, q *question) bool {
		q.headers, q.want = append(q.headers, [2]string{"Last-Event-ID", strings.Repeat("x", 101)}), []int{422}
		return q.id == "watchEvents" && !slices.ContainsFunc(q.headers[:len(q.headers)-1], func(h [2]string) bool { return h[0] == "Last-Event-ID" })
	}},
}

var pathAttacks = []attack{
	{"another spelling of the path", func(m *maker, q *question) bool {
		at := q.parcel().target
		at, _, _ = strings.Cut(at, "?")
		if q.raw != "" {
			return false
		}
		dir, last := at[:strings.LastIndex(at, "/")+1], at[strings.LastIndex(at, "/")+1:]
		q.raw = pick(m, []string{
			"/" + at, at + "//", "/." + at, dir + "./" + last, dir + "x/../" + last, dir + "%2e%2e/" + last, dir + "..%2f" + last, dir + "%2f" + last, dir + last + "%00",
			dir + last + "%0d%0aX-Odd:%201", dir + "%1b[31m" + last, dir + last + "%ff", dir + "%e2%80%ae" + last, dir + "%5c..%5c" + last, dir + fmt.Sprintf("%%%02x", last[0]) + last[1:], dir + last + "%ef%bf%bd",
		})
		q.want, q.unrouted = []int{400}, true
		return last[0] != '%'
	}},
	{"a path of nothing", func(m *maker, q *question) bool {
		q.raw = pick(m, []string{"/", "/api", "/api/v2/runtime", "/API/v1/runtime", "/livez/", "/.git/config", "/schemas/Problem.json", "/metrics", "/api/v1/workers/", "/debug/pprof/", "/app/", "/docs/x", "/api/v1/queues/mails/tasks/"})
		q.want, q.unrouted = []int{401, 404, 405}, true // what is under /docs/ tells nobody without a token
		return true
	}},
	{"another method", func(m *maker, q *question) bool {
		q.verb = pick(m, []string{"PUT", "OPTIONS", "TRACE", "PROPFIND", "post", "CONNECTED"})
		q.want, q.unrouted = []int{405}, true
		return true
	}},
	{"only the head", func(_ *maker, q *question) bool {
		q.verb = http.MethodHead
		return q.method == http.MethodGet && !q.unrouted
	}},
	{"a name that is too long", func(m *maker, q *question) bool {
		names := slices.Sorted(maps.Keys(q.path))
		if len(names) == 0 {
			return false
		}
		q.path[names[0]] = strings.Repeat(pick(m, []string{"x", "ä", "🐹"}), 201+m.even.IntN(100))
		q.want = []int{422}
		return true
	}},
}

var queryAttacks = []attack{
	{"an unknown parameter", func(m *maker, q *question) bool {
		q.query = append(q.query, [2]string{pick(m, []string{"odd", "Limit", "limit[]", "token", "__proto__", "a\x00b", "odd.name"}), secretText})
		q.want, q.secret = []int{422}, secretText
		if !q.documents(422) || q.own() {
			q.want = nil
		}
		return true
	}},
	{"a parameter out of its range", func(m *maker, q *question) bool {
		var names []string
		for _, ref := range q.op.Parameters {
			if wrongValues(ref.Value) != nil {
				names = append(names, ref.Value.Name)
			}
		}
		if len(names) == 0 {
			return false
		}
		name := pick(m, names)
		q.query = slices.DeleteFunc(q.query, func(kv [2]string) bool { return kv[0] == name })
		q.query = append(q.query, [2]string{name, pick(m, wrongValues(q.op.Parameters.GetByInAndName("query", name)))})
		q.want = []int{422}
		return true
	}},
	{"a query that is no query", func(m *maker, q *question) bool {
		q.loose = pick(m, []string{"%zz", "a=%zz&b", "limit=1;limit=2", "&&&", "=", "limit=5&limit=6", "%00", "limit=%31"})
		q.want = append(q.proper(), 422)
		return true
	}},
}

// wrongValues are some that a query parameter must not have; nil if there are none.
func wrongValues(p *openapi3.Parameter) []string {
	s := p.Schema.Value
	switch {
	case p.In != "query":
		return nil
	case s.Type.Includes("integer"):
		return []string{"ten", "-1", "1e3", "0x10", "1.5", "99999999999999999999", "-99999999999999999999", " 1", "1 ", "١", "1,2"}
	case s.Type.Includes("array"):
		return []string{"odd", "odd," + fmt.Sprint(s.Items.Value.Enum[0]), strings.Repeat(fmt.Sprint(s.Items.Value.Enum[0])+",", 50) + "x", "\x00"}
	case len(s.Enum) > 0:
		return []string{"odd", strings.ToUpper(fmt.Sprint(s.Enum[0])), strings.Repeat("x", 9999)}
	case s.MaxLength != nil:
		return []string{strings.Repeat("x", int(*s.MaxLength)+1), strings.Repeat("🐹", 2000)}
	}
	return nil
}

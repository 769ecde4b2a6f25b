package control_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
)

// failure is how a channel says that something is refused.
type failure struct {
	kind, field, state, detail string
}

// way is one way to the service. What is asked, and what comes back, is the same on all.
type way interface {
	ask(t *testing.T, token, operation string, input map[string]any) (result json.RawMessage, failed *failure)
}

// overHTTP spells requests as the document says.
type overHTTP struct{ p *plane }

func (o overHTTP) ask(t *testing.T, token, operation string, input map[string]any) (json.RawMessage, *failure) {
	t.Helper()
	var method, path string
	var op specOperation
	loadSpec(t).each(func(m, p string, candidate specOperation) {
		if candidate.OperationID == operation {
			method, path, op = m, p, candidate
		}
	})
	if path == "" {
		method, path = http.MethodGet, "/"+operation
	}
	query, body := url.Values{}, map[string]any{}
	for name, v := range input {
		in := "body"
		for _, p := range op.Parameters {
			if p.Name == name {
				in = p.In
			}
		}
		switch {
		case in == "path":
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(fmt.Sprint(v)), 1)
		case in == "query" || method == http.MethodGet:
			if list, ok := v.([]string); ok {
				v = strings.Join(list, ",")
			}
			query.Set(name, fmt.Sprint(v))
		default:
			body[name] = v
		}
	}
	text := ""
	if len(body) > 0 {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var changes []with
	if token != "" {
		changes = append(changes, bearer(token))
	}
	a := o.p.do(method, path, text, changes...)
	if a.status < 300 {
		return a.body, nil
	}
	p := problem(t, a, a.status)
	f := &failure{state: p.State, detail: p.Detail, kind: map[int]string{
		400: "invalid", 422: "invalid", 401: "unauthenticated", 403: "denied", 404: "not_found", 409: "conflict", 429: "too_many", 503: "unavailable",
	}[a.status]}
	if len(p.Errors) > 0 {
		_, f.field, _ = strings.Cut(p.Errors[0].Location, ".")
	}
	return nil, f
}

// overSocket keeps a connection.
type overSocket struct {
	conn  net.Conn
	lines *bufio.Scanner
	last  *int
}

func dialSocket(t *testing.T, path string) overSocket {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<24)
	return overSocket{conn, lines, new(int)}
}

type socketLine struct {
	ID     any
	Result json.RawMessage
	Event  *control.Event
	Error  *control.SocketError
}

func (o overSocket) send(t *testing.T, text string) {
	t.Helper()
	_ = o.conn.SetDeadline(time.Now().Add(patience))
	if _, err := o.conn.Write([]byte(text + "\n")); err != nil {
		t.Fatal(err)
	}
}

func (o overSocket) receive(t *testing.T) (l socketLine) {
	t.Helper()
	if !o.lines.Scan() {
		t.Fatalf("the connection has ended: %v", o.lines.Err())
	}
	if err := json.Unmarshal(o.lines.Bytes(), &l); err != nil {
		t.Fatalf("%v: %s", err, o.lines.Bytes())
	}
	return l
}

func (o overSocket) ask(t *testing.T, token, operation string, input map[string]any) (json.RawMessage, *failure) {
	t.Helper()
	*o.last++
	text, err := json.Marshal(map[string]any{"id": *o.last, "operation": operation, "input": input, "token": token})
	if err != nil {
		t.Fatal(err)
	}
	o.send(t, string(text))
	l := o.receive(t)
	if l.ID != float64(*o.last) {
		t.Fatalf("answer %v to request %d", l.ID, *o.last)
	}
	if l.Error != nil {
		return nil, &failure{l.Error.Kind, l.Error.Field, l.Error.State, l.Error.Detail}
	}
	return l.Result, nil
}

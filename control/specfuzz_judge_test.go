package control_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/plba/plba/control"
)

// judge says what is wrong with an answer: with its status for this question, or with its form for that status.
func (f *specFuzz) judge(q *question, a answer, prepared bool) error {
	switch {
	case a.status >= 500 && a.status != http.StatusNotImplemented && !(a.status == http.StatusServiceUnavailable && slices.Contains(saysNo, q.id)):
		return errors.New("the server failed")
	case q.secret != "" && a.status >= 400 && bytes.Contains(a.body, []byte(q.secret)):
		return errors.New("a value of the request came back")
	case prepared && a.status/100 != 2:
		return errors.New("everything was prepared for a success")
	case q.below && a.header.Get("Content-Type") == "text/plain; charset=utf-8" && slices.Contains(q.want, a.status):
		return nil // from net/http, which could not make a request of it
	}
	if err := f.judgeStatus(q, a); err != nil {
		return err
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
		return errors.New("it lacks the headers that every answer has")
	}
	return f.judgeForm(q, a)
}

// saysNo are the operations of which 503 is an answer and no failure.
var saysNo = []string{"getReadiness", "getStartup", "getHealth"}

// beyondTheDocument is what only the operation knows to be wrong.
var beyondTheDocument = []string{"body.timeout", "body.exit", "query.after", "query.before", "query.type", "body.states"}

func (f *specFuzz) judgeStatus(q *question, a answer) error {
	want := q.want
	if want == nil {
		want = q.proper()
	}
	if !slices.Contains(want, a.status) {
		return fmt.Errorf("want one of %v", want)
	}
	if q.want != nil || a.status != http.StatusUnprocessableEntity || q.verb == http.MethodHead {
		return nil
	}
	var p control.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || len(p.Errors) == 0 {
		return errors.New("a 422 that says nothing")
	}
	for _, e := range p.Errors {
		if !slices.Contains(beyondTheDocument, e.Location) {
			return fmt.Errorf("%s: the document allows it", e.Location)
		}
	}
	return nil
}

// judgeForm compares headers and body with what the document has for the status.
func (f *specFuzz) judgeForm(q *question, a answer) error {
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if q.unrouted {
		if media != "application/problem+json" {
			return errors.New("it is no problem")
		}
		if q.verb == http.MethodHead {
			return headOnly(a)
		}
		return f.judgeProblem(a)
	}
	ref := q.op.Responses.Status(a.status)
	if ref == nil {
		return errors.New("the document has no such status here")
	}
	for name, h := range ref.Value.Headers {
		value := a.header.Get(name)
		if schema := h.Value.Schema.Value; value == "" || schema.Type.Includes("integer") && strings.Trim(value, "0123456789") != "" {
			return fmt.Errorf("the header %s is %q", name, value)
		}
	}
	content := ref.Value.Content[media]
	switch {
	case len(ref.Value.Content) == 0:
		if media != "" || len(a.body) > 0 {
			return errors.New("the document has no body here")
		}
		return nil
	case content == nil:
		return fmt.Errorf("the document has no type %q here", media)
	case q.verb == http.MethodHead:
		return headOnly(a)
	case media == "text/event-stream":
		return f.judgeStream(a)
	case media == "application/problem+json":
		return f.judgeProblem(a)
	case media == "application/json":
		return conforms(content.Schema.Value, a.body)
	}
	return nil
}

func headOnly(a answer) error {
	if len(a.body) > 0 {
		return errors.New("only the head was asked for")
	}
	return nil
}

func (f *specFuzz) judgeProblem(a answer) error {
	var p control.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		return err
	}
	if p.Status != a.status || p.Title != http.StatusText(a.status) || p.Detail == "" {
		return errors.New("the problem is not whole")
	}
	return conforms(f.problem, a.body)
}

// judgeStream compares each event with the schema of events.
func (f *specFuzz) judgeStream(a answer) error {

	end := bytes.LastIndex(a.body, []byte("\n\n"))
	for _, one := range strings.Split(string(a.body[:end]), "\n\n") {
		if one == "retry: 2000" || one == ":" {
			continue
		}
		lines := strings.Split(one, "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "id: ") || !strings.HasPrefix(lines[1], "event: ") || !strings.HasPrefix(lines[2], "data: ") {
			return fmt.Errorf("%q is no event", one)
		}
		if err := conforms(f.event, []byte(lines[2][len("data: "):])); err != nil {
			return fmt.Errorf("%q: %w", one, err)
		}
		f.events++
	}
	return nil
}

func conforms(s *openapi3.Schema, text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return s.VisitJSON(value, openapi3.VisitAsResponse())
}

package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const problemType = "application/problem+json"

// Problem is how the HTTP channel refuses and fails: RFC 9457, with the status text as title.
type Problem struct {
	Title   string         `json:"title"`
	Status  int            `json:"status"`
	Detail  string         `json:"detail,omitempty"`
	State   string         `json:"state,omitempty"`
	Allowed []string       `json:"allowed,omitempty"`
	Errors  []ProblemError `json:"errors,omitempty"`

	headers http.Header
}

// ProblemError is one thing that is wrong with a request.
type ProblemError struct {
	Message  string `json:"message"`
	Location string `json:"location,omitempty"`
}

func newProblem(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// internal is all that is told of a failure of our own.
func internal() *Problem {
	return newProblem(http.StatusInternalServerError, "the operation failed; the log of the application says why")
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return problemType }

// problemOf translates what an operation refuses with. Any other error is a failure, which is logged and not told.
func problemOf(err error, ep endpoint, log *slog.Logger) *Problem {
	var p *Problem
	var e *Error
	switch {
	case errors.As(err, &p):
		return p
	case !errors.As(err, &e):
		log.Error("control operation failed", "operation", ep.id, "error", err)
		return internal()
	}
	p = newProblem(statusOf(e.Kind), "%s", e.Detail)
	p.State, p.Allowed = e.State, e.Allowed
	if e.Field != "" {
		p.Errors = []ProblemError{{Message: e.Detail, Location: ep.input() + "." + e.Field}}
	}
	return p
}

func statusOf(kind error) int {
	switch kind {
	case ErrNotFound:
		return http.StatusNotFound
	case ErrConflict:
		return http.StatusConflict
	case ErrUnavailable:
		return http.StatusServiceUnavailable
	case ErrUnauthenticated:
		return http.StatusUnauthorized
	case ErrDenied:
		return http.StatusForbidden
	case ErrTooMany:
		return http.StatusTooManyRequests
	default:
		return http.StatusUnprocessableEntity
	}
}

// header adds a header to the answer.
func (p *Problem) header(name, value string) {
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set(name, value)
}

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter) {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only: it cannot fail
	}
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // a client that went away is nobody's fault
}

// sanitise is a huma transformer: it makes our problems of huma's own errors. Values of the request are left out, since they can be secrets, and of a
// 5xx everything.
func sanitise(ctx huma.Context, _ string, body any) (any, error) {
	failed, ok := body.(huma.StatusError)
	if !ok {
		ctx.SetHeader("Content-Type", "application/json") // whatever spelling of it Accept preferred
		return body, nil
	}
	if p, ok := body.(*Problem); ok {
		return p, nil
	}
	ctx.SetHeader("Content-Type", problemType)
	if failed.GetStatus() >= 500 {
		return internal(), nil
	}
	return problemOfHuma(failed, maxEcho), nil
}

// problemOfHuma makes our problem of huma's error, without the values of the request that it repeats.
func problemOfHuma(failed huma.StatusError, limit int) *Problem {
	p := newProblem(failed.GetStatus(), "%s", cutTo(failed.Error(), limit))
	var model *huma.ErrorModel
	if errors.As(failed, &model) {
		for _, d := range model.Errors {
			if d != nil {
				p.Errors = append(p.Errors, ProblemError{Message: cutTo(d.Message, limit), Location: cut(d.Location)})
			}
		}
	}
	return p
}

// jsonFormat is huma's, but that a parse error tells only what kind it is and where.
func jsonFormat() huma.Format {
	return huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, v any) error {
		err := json.Unmarshal(data, v)
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &syntax):
			return fmt.Errorf("not valid JSON at byte %d", syntax.Offset)
		case errors.As(err, &kind):
			return fmt.Errorf("a value of the wrong type before byte %d", kind.Offset)
		}
		return errors.New("not valid JSON")
	}}
}

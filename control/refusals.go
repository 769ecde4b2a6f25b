package control

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

var problemOfType = reflect.TypeFor[Problem]()

// refusal documents one status with which operations refuse or fail.
type refusal struct {
	name, description string
	example           Problem // without title and status
	headers           map[string]*huma.Header
}

func (r refusal) problem(status int) *Problem {
	p := r.example
	p.Title, p.Status = http.StatusText(status), status
	return &p
}

func textHeader(description string) *huma.Header {
	return &huma.Header{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

// newRefusals are all that operations of the control plane answer with but success.
func newRefusals() map[int]refusal {
	return map[int]refusal{
		http.StatusBadRequest: {
			name: "BadRequest", description: "The request cannot be read: the path is not in its canonical form, or the body is not valid JSON.",
			example: Problem{Detail: "validation failed", Errors: []ProblemError{{Message: "not valid JSON at byte 12", Location: "body"}}},
		},
		http.StatusUnauthorized: {
			name: "Unauthorized", description: "No token, or one that admits nobody.",
			example: Problem{Detail: "this needs a token in the header Authorization: Bearer TOKEN; take one of platform.control.tokens"},
			headers: map[string]*huma.Header{"WWW-Authenticate": textHeader("How to present a token.")},
		},
		http.StatusForbidden: {
			name: "Forbidden", description: "The token's role does not suffice, or the request was sent by the page of another site.",
			example: Problem{Detail: `this needs the role operator; the token "dashboard" has the role viewer`},
		},
		http.StatusNotFound: {
			name: "NotFound", description: "Nothing has that name.",
			example: Problem{Detail: `there is no worker "mail-poling" (there are: mail-polling, email-processing)`},
		},
		http.StatusRequestTimeout: {
			name: "RequestTimeout", description: "The body did not come in time.",
			example: Problem{Detail: "the body did not come in time"},
		},
		http.StatusConflict: {
			name: "Conflict", description: "The operation does not apply in the present state, which the problem names together with what is allowed.",
			example: Problem{Detail: "the runtime is stopping; it can be started when it is stopped", State: "stopping", Allowed: []string{"stopped"}},
		},
		http.StatusRequestEntityTooLarge: {
			name: "ContentTooLarge", description: "The body has more than 1 MiB.",
			example: Problem{Detail: "a body may have at most 1048576 bytes"},
		},
		http.StatusUnsupportedMediaType: {
			name: "UnsupportedMediaType", description: "The body is not declared as application/json.",
			example: Problem{Detail: "a body must be declared as application/json"},
		},
		http.StatusMisdirectedRequest: {
			name: "MisdirectedRequest", description: "The request names a host that this application is not known by.",
			example: Problem{Detail: `this is not the host "attacker.example"; platform.control.allowed_hosts can allow that name`},
		},
		http.StatusUnprocessableEntity: {
			name: "UnprocessableContent", description: "The request can be read but not be meant: an unknown field or parameter, a value out of its range.",
			example: Problem{Detail: "validation failed", Errors: []ProblemError{{Message: "unexpected property", Location: "body.tiemout"}}},
		},
		http.StatusTooManyRequests: {
			name: "TooManyRequests", description: "Too many wrong tokens came from this address.",
			example: Problem{Detail: "too many wrong tokens came from this address; wait before the next one"},
			headers: map[string]*huma.Header{"Retry-After": {Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}},
		},
		http.StatusInternalServerError: {
			name: "InternalServerError", description: "The operation failed. The log of the application says why.",
			example: *internal(),
		},
		http.StatusServiceUnavailable: {
			name: "ServiceUnavailable", description: "The probe's answer is no.",
			example: Problem{Detail: "the runtime is starting"},
		},
	}
}

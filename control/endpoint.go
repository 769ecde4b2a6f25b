package control

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
)

// endpoint declares one operation: what it is called, what it demands, what it says of itself, and how the HTTP channel spells it.
type endpoint struct {
	id, method, path     string
	access               Access
	tag, summary, detail string
	status               int    // of success; 0 is 200
	answer               string // what a success says
	example              any    // of the success' body
	body                 any    // an example of the request's body, for operations that have one
	problems             []int  // beside those that every operation can have
	lax                  bool   // takes unknown query parameters, as load balancers add them
	polled               bool   // clients ask for it again and again: it has an ETag
	audited              bool   // a read that goes into the audit, as every change does
	forBrowsers          bool   // browsers are asked for a token
	slow                 bool   // the answer takes longer than others may
	streams              bool   // the answer goes on until the client, or the channel, ends
}

// changes says whether the operation is a command.
func (e endpoint) changes() bool { return e.method != http.MethodGet }

// input is where the operation takes what is not in the path.
func (e endpoint) input() string {
	if e.changes() {
		return "body"
	}
	return "query"
}

// entry is an operation of the catalogue.
type entry struct {
	endpoint
	call func(ctx context.Context, s *Service, input json.RawMessage) (any, error) // nil for what only HTTP has
	bind func(a *api)                                                              // makes it a part of the HTTP channel

	watch func(s *Service, input json.RawMessage) (*Subscription, error) // instead of call, for what answers with a stream of events
}

// read makes an entry of a function. Its input and output types are all that a channel needs to know.
func read[I, O any](e endpoint, do func(context.Context, *Service, *I) (O, error)) entry {
	do = recorded(e, do)
	return entry{
		endpoint: e,
		call: func(ctx context.Context, s *Service, input json.RawMessage) (any, error) {
			in, err := decodeInput[I](input)
			if err != nil {
				return nil, err
			}
			return do(ctx, s, in)
		},
		bind: func(a *api) {
			register(a, e, func(ctx context.Context, in *I) (*said[O], error) {
				out, err := do(ctx, a.svc, in)
				if err != nil {
					return nil, err
				}
				return &said[O]{Body: out}, nil
			})
		},
	}
}

// command is read for what changes something and answers with the operation that was accepted.
func command[I any](e endpoint, do func(context.Context, *Service, *I) (Operation, error)) entry {
	made := read(e, do)
	do = recorded(e, do)
	made.bind = func(a *api) {
		register(a, e, func(ctx context.Context, in *I) (*acceptedOutput, error) {
			out, err := do(ctx, a.svc, in)
			if err != nil {
				return nil, err
			}
			return &acceptedOutput{a.prefix + "/api/v1/operations/" + out.ID, out}, nil
		})
	}
	return made
}

// acceptedOutput says where to look how the command goes on.
type acceptedOutput struct {
	Location string `header:"Location" doc:"Where to see how the operation goes on." example:"/api/v1/operations/m8x2k1-17"`
	Body     Operation
}

// catalogue is every operation of the control plane, in the order of the document.
func catalogue(cfg Config) []entry {
	return slices.Concat(
		probeEndpoints(), healthEndpoints(cfg.PublicHealth), runtimeEndpoints(), workerEndpoints(), queueEndpoints(), pipelineEndpoints(), traceEndpoints(),
		operationEndpoints(), eventEndpoints(), auditEndpoints(), profileEndpoints(cfg.Pprof), documentEndpoints(),
	)
}

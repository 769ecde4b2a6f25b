package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// socketWay speaks lines of JSON to the Unix socket, over a connection for each request: there, that costs next to nothing.
type socketWay struct{ path, token string }

func newSocketWay(path, token string) *socketWay { return &socketWay{path, token} }

func (*socketWay) close() {}

type socketRequest struct {
	Operation string                     `json:"operation"`
	Input     map[string]json.RawMessage `json:"input"`
	Token     string                     `json:"token,omitempty"`
}

type socketAnswer struct {
	Result json.RawMessage `json:"result"`
	Event  json.RawMessage `json:"event"`
	Error  *struct {
		Kind, Detail, Field, State string
		Allowed                    []string
	} `json:"error"`
}

// statuses are those of the HTTP channel for the kinds of errors of this one.
var statuses = map[string]int{
	"invalid": http.StatusUnprocessableEntity, "not_found": http.StatusNotFound, "conflict": http.StatusConflict, "unavailable": http.StatusServiceUnavailable,
	"unauthenticated": http.StatusUnauthorized, "denied": http.StatusForbidden, "too_many": http.StatusTooManyRequests,
}

func (w *socketWay) ask(ctx context.Context, r *request) ([]byte, error) {
	s, err := w.open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer s.close()
	a, err := s.receive()
	if err != nil {
		return nil, w.unreachable(ctx, err)
	}
	return a.Result, refusalOf(a)
}

func (w *socketWay) listen(ctx context.Context, r *request) (stream, error) { return w.open(ctx, r) }

// open sends the request. The end of ctx ends the reading of what comes back.
func (w *socketWay) open(ctx context.Context, r *request) (*lines, error) {
	in, err := r.input()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(socketRequest{r.operation, in, w.token})
	if err != nil {
		return nil, fmt.Errorf("the request cannot be encoded: %w", err)
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "unix", w.path)
	if err != nil {
		return nil, w.unreachable(ctx, err)
	}
	s := &lines{conn: conn, text: bufio.NewReader(conn)}
	s.forget = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if _, err := conn.Write(append(text, '\n')); err != nil {
		s.close()
		return nil, w.unreachable(ctx, err)
	}
	return s, nil
}

func (w *socketWay) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	return &UnreachableError{"unix://" + w.path, err}
}

func refusalOf(a socketAnswer) error {
	if a.Error == nil {
		return nil
	}
	status, known := statuses[a.Error.Kind]
	if !known {
		status = http.StatusInternalServerError
	}
	e := &Error{Problem: Problem{Status: int64(status), Title: http.StatusText(status), Detail: a.Error.Detail, State: a.Error.State, Allowed: a.Error.Allowed}}
	if a.Error.Field != "" {
		e.Detail, e.Errors = "validation failed", []ProblemError{{Location: a.Error.Field, Message: a.Error.Detail}}
	}
	return e
}

// lines are the answers that come over a connection.
type lines struct {
	conn   net.Conn
	text   *bufio.Reader
	forget func() bool
}

func (s *lines) receive() (a socketAnswer, err error) {
	line, err := s.text.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("the answer is not what a control plane gives: %w", err)
	}
	return a, nil
}

// next is one event, or the sign of life of a stream that has none.
func (s *lines) next() (e Event, err error) {
	a, err := s.receive()
	if err != nil {
		return e, err
	}
	if err := refusalOf(a); err != nil {
		return e, err
	}
	if a.Event == nil {
		return e, nil
	}
	return e, json.Unmarshal(a.Event, &e)
}

func (s *lines) close() {
	s.forget()
	_ = s.conn.Close()
}

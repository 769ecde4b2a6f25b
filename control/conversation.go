package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// conversation is one connection: requests and answers in turn.
type conversation struct {
	svc  *Service
	conn *net.UnixConn
	who  Principal // by the file system
}

type socketRequest struct {
	ID        json.RawMessage `json:"id"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
	Token     string          `json:"token"`
}

type socketAnswer struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Result any             `json:"result,omitempty"`
	Event  json.RawMessage `json:"event,omitempty"`
	Error  *SocketError    `json:"error,omitempty"`
}

// SocketError is how the socket refuses.
type SocketError struct {
	Kind    string   `json:"kind"`
	Detail  string   `json:"detail"`
	Field   string   `json:"field,omitempty"`
	State   string   `json:"state,omitempty"`
	Allowed []string `json:"allowed,omitempty"`
}

func (t *conversation) run(ctx context.Context) {
	lines := bufio.NewScanner(t.conn)
	lines.Buffer(make([]byte, 4096), maxLine)
	for ctx.Err() == nil {
		if t.conn.SetReadDeadline(time.Now().Add(askTimeout)) != nil || ctx.Err() != nil || !lines.Scan() {
			break
		}
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 && t.answer(ctx, line) != nil {
			return
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		_ = t.send(socketAnswer{Error: &SocketError{Kind: "invalid", Detail: fmt.Sprintf("a line may have at most %d bytes", maxLine)}})
	}
}

// answer deals with one request. The error says that nobody reads any more.
func (t *conversation) answer(ctx context.Context, line []byte) error {
	req, err := readRequest(line)
	if err != nil {
		return t.refuse(req.ID, err)
	}
	who := t.who
	if req.Token != "" {
		if who, err = t.svc.Authenticate(ctx, Credentials{Token: req.Token}, netip.Addr{}); err != nil {
			t.svc.audit.denied(&caller{Principal: who, channel: "socket"}, req.Operation, err.Error())
			return t.refuse(req.ID, err)
		}
	}
	r := Request{Operation: req.Operation, Input: req.Input, Who: who, Channel: "socket"}
	if r.Operation == "operations" {
		return t.send(socketAnswer{ID: req.ID, Result: t.svc.Catalogue()})
	}
	if e, ok := t.svc.entry(r.Operation); ok && e.watch != nil {
		return t.watch(ctx, req.ID, r)
	}
	v, err := t.svc.Call(context.WithoutCancel(ctx), r) // a stop of the channel lets it end
	if err != nil {
		return t.refuse(req.ID, err)
	}
	return t.send(socketAnswer{ID: req.ID, Result: v})
}

// readRequest is strict. The ID of a request that is refused is there if it could be read.
func readRequest(line []byte) (req socketRequest, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil || d.More() {
		return socketRequest{}, invalid("", "a line must be one JSON object with id, operation, input and token")
	}
	if id := req.ID; len(id) > maxEcho || len(id) > 0 && (id[0] == '{' || id[0] == '[') {
		return socketRequest{}, invalid("id", "an id must be a number or a short text")
	}
	return req, nil
}

// watch sends events until somebody ends it.
func (t *conversation) watch(ctx context.Context, id json.RawMessage, r Request) error {
	sub, err := t.svc.Watch(ctx, r)
	if err != nil {
		return t.refuse(id, err)
	}
	defer sub.Close()
	for {
		wait, cancel := context.WithTimeoutCause(ctx, heartbeatEvery, errQuiet)
		batch, err := sub.next(wait)
		cancel()
		switch {
		case errors.Is(err, errQuiet):
			err = t.send(socketAnswer{ID: id})
		case err != nil:
			return t.refuse(id, &Error{Kind: ErrUnavailable, Detail: "the stream has ended: " + err.Error()})
		}
		for i := 0; err == nil && i < len(batch); i++ {
			err = t.send(socketAnswer{ID: id, Event: batch[i].json()})
		}
		if err != nil {
			return err
		}
	}
}

func (t *conversation) refuse(id json.RawMessage, err error) error {
	e := errFailed
	_ = errors.As(err, &e) // those of the service all are
	return t.send(socketAnswer{ID: id, Error: &SocketError{Kind: kindName(e.Kind), Detail: e.Detail, Field: e.Field, State: e.State, Allowed: e.Allowed}})
}

func (t *conversation) send(a socketAnswer) error {
	text, err := json.Marshal(a)
	if err != nil {
		t.svc.app.Logger().Error("an answer of the control socket cannot be encoded", "error", err)
		text, _ = json.Marshal(socketAnswer{ID: a.ID, Error: &SocketError{Kind: kindName(ErrUnavailable), Detail: errFailed.Detail}}) // texts can be
	}
	if err := t.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = t.conn.Write(append(text, '\n'))
	return err
}

// kindName is how channels without statuses spell the kind of an Error.
func kindName(kind error) string {
	switch kind {
	case ErrNotFound:
		return "not_found"
	case ErrConflict:
		return "conflict"
	case ErrUnavailable:
		return "unavailable"
	case ErrUnauthenticated:
		return "unauthenticated"
	case ErrDenied:
		return "denied"
	case ErrTooMany:
		return "too_many"
	}
	return "invalid"
}

package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Client calls the operations of one application. Make it with New.
type Client struct {
	address string
	token   string
	timeout time.Duration
	tls     *tls.Config
	way     way
}

// way is how requests reach the application.
type way interface {
	// ask gives the JSON of an answer. Its errors are those of the package.
	ask(ctx context.Context, r *request) ([]byte, error)
	// listen opens a stream of events. What the application has nothing to tell of, it shows by an event without an ID now and then.
	listen(ctx context.Context, r *request) (stream, error)
	close()
}

// Option is a setting of New.
type Option func(*Client)

// WithToken presents a token with every request (default: none).
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithTLS says which authorities and client certificates to use with https (default: those of the system, and none).
func WithTLS(cfg *tls.Config) Option { return func(c *Client) { c.tls = cfg.Clone() } }

// WithTimeout bounds calls whose context has no deadline (default 30 s). Streams of events are not bounded by it.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// New makes a client for an address: http://HOST:PORT or https://HOST:PORT, either with the prefix under which the application mounts its control plane, or
// unix:///PATH of the socket. Nothing is sent yet. The error says what is wrong with the address.
func New(address string, opts ...Option) (*Client, error) {
	c := &Client{address: address, timeout: 30 * time.Second}
	for _, o := range opts {
		o(c)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address %q cannot be read: %w", address, errors.Unwrap(err))
	}
	switch {
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		c.way = newSocketWay(u.Path, c.token)
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil:
		c.way = newHTTPWay(strings.TrimSuffix(u.String(), "/"), c.token, c.tls)
	default:
		return nil, fmt.Errorf("the address %q must be http://HOST:PORT, https://HOST:PORT or unix:///PATH", address)
	}
	return c, nil
}

// Address is the one that New was given.
func (c *Client) Address() string { return c.address }

// Close gives back the connections that wait for further calls. Calls under way are not disturbed.
func (c *Client) Close() { c.way.close() }

// call asks, and reads the answer.
func call[T any](ctx context.Context, c *Client, r *request) (*T, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	text, err := c.way.ask(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.operation, err)
	}
	out := new(T)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("%s: %w", r.operation, &UnreachableError{c.address, fmt.Errorf("the answer is not what a control plane gives: %w", err)})
	}
	return out, nil
}

// Wait gives the operation when it has ended, as it is then, or the error of ctx. It asks ten times a second at first and once a second later on. An operation that has
// ended already is given back without a call.
//
// The control plane ends with the process: after a stop with Exit set expect an *UnreachableError.
func (c *Client) Wait(ctx context.Context, o *Operation) (*Operation, error) {
	pause := 100 * time.Millisecond
	for o.State == OperationStateRunning {
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(pause*5/4, time.Second)
		var err error
		if o, err = c.GetOperation(ctx, o.ID); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

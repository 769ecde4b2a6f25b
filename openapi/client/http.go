package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds what is read of an answer; the longest of a control plane are far below.
const maxAnswer = 64 << 20

// httpWay speaks to the HTTP channel.
type httpWay struct {
	base, token string
	client      *http.Client
}

func newHTTPWay(base, token string, cfg *tls.Config) *httpWay {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &httpWay{base, token, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: cfg, TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // nobody else is told the token
	}}
}

func (w *httpWay) close() { w.client.CloseIdleConnections() }

func (w *httpWay) ask(ctx context.Context, r *request) ([]byte, error) {
	res, err := w.send(ctx, r, "application/json")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, w.unreachable(ctx, err)
	}
	// The report of an unhealthy application has the status 503, and is an answer.
	if kind := mediaType(res); kind == "application/json" && (res.StatusCode < 300 || res.StatusCode == http.StatusServiceUnavailable) {
		return text, nil
	}
	return nil, w.refusal(res, text)
}

func (w *httpWay) send(ctx context.Context, r *request, accept string) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("the body cannot be encoded: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url(w.base), body)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be made: %w", err)
	}
	req.Header.Set("Accept", accept)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, w.unreachable(ctx, err)
	}
	return res, nil
}

// unreachable tells the end of the context from failures of the way. (The text of a *url.Error repeats method and URL.)
func (w *httpWay) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return &UnreachableError{w.base, err}
}

func (w *httpWay) refusal(res *http.Response, text []byte) error {
	e := &Error{}
	if mediaType(res) == "application/problem+json" && json.Unmarshal(text, &e.Problem) == nil && e.Status == int64(res.StatusCode) {
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			e.RetryAfter = time.Duration(seconds) * time.Second
		}
		return e
	}
	return &UnreachableError{w.base, fmt.Errorf("%s does not come from a control plane; is this its address?", res.Status)}
}

func mediaType(res *http.Response) string {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func (w *httpWay) listen(ctx context.Context, r *request) (stream, error) {
	res, err := w.send(ctx, r, "text/event-stream")
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK && mediaType(res) == "text/event-stream" {
		return newServerSent(res.Body), nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, w.unreachable(ctx, err)
	}
	return nil, w.refusal(res, text)
}

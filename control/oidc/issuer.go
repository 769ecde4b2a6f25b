package oidc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	askEvery   = 10 * time.Second // the least time between two questions to the issuer about one thing
	askTimeout = 5 * time.Second  // of one question
	maxAnswer  = 1 << 20          // bytes of one answer; keys are a few KiB
)

// errUnreachable says that nothing can be said about a token, because the issuer cannot be asked.
var errUnreachable = errors.New("the issuer cannot be asked")

// issuer knows the keys of an issuer.
type issuer struct {
	url, audience string
	client        *http.Client

	mu       sync.Mutex // guards what follows; held while the issuer is asked about itself
	verifier *oidc.IDTokenVerifier
	failed   error // of the last question
	asked    time.Time
}

func newIssuer(url, audience string, authorities *x509.CertPool) *issuer {
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // questions are rare: nothing stays open, and nothing is left to close
	}
	return &issuer{url: url, audience: audience, client: &http.Client{Transport: &sparing{next: transport, timeout: askTimeout, answers: map[string]*answer{}}}}
}

// verify checks a token. ErrUnreachable is for tokens that may be right.
func (i *issuer) verify(ctx context.Context, token string) (*oidc.IDToken, error) {
	v, err := i.discover(ctx)
	if err != nil {
		return nil, err
	}
	var outage error
	id, err := v.Verify(context.WithValue(ctx, outageKey{}, &outage), token)
	if outage != nil {
		return nil, outage
	}
	return id, err
}

// discover asks the issuer about itself, unless it has answered before. One call asks, the others wait for it.
func (i *issuer) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.verifier != nil || i.failed != nil && time.Since(i.asked) < askEvery {
		return i.verifier, i.failed
	}
	// The context of one request does not decide for the others that wait; the question has a timeout of its own.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), i.client)
	p, err := oidc.NewProvider(ctx, i.url)
	i.asked = time.Now()
	var about struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err == nil {
		err = p.Claims(&about)
	}
	if err == nil && !isSafeURL(withoutQuery(about.Keys)) {
		err = fmt.Errorf("its keys are at %q, where anybody on the way could change them", about.Keys)
	}
	if err != nil {
		i.failed = fmt.Errorf("%w: %s: %w", errUnreachable, i.url, err)
		return nil, i.failed
	}
	keys := &keySet{oidc.NewRemoteKeySet(ctx, about.Keys)}
	i.failed, i.verifier = nil, oidc.NewVerifier(i.url, keys, &oidc.Config{ClientID: i.audience, SupportedSigningAlgs: asymmetric(about.Algorithms)})
	return i.verifier, nil
}

func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// asymmetric leaves out what a public key cannot check; [oidc.NewVerifier], other than a provider, takes every algorithm that it is given.
func asymmetric(announced []string) (algorithms []string) {
	for _, a := range announced {
		switch a {
		case oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA:
			algorithms = append(algorithms, a)
		}
	}
	return algorithms
}

// outageKey is where verify wants to be told that keys could not be fetched: the errors of Verify do not wrap those of its key set.
type outageKey struct{}

type keySet struct{ remote *oidc.RemoteKeySet }

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.remote.VerifySignature(ctx, token)
	if errors.Is(err, errUnreachable) || err != nil && ctx.Err() != nil {
		if outage, ok := ctx.Value(outageKey{}).(*error); ok {
			*outage = err
		}
	}
	return payload, err
}

// sparing asks for each URL at most once in askEvery, and gives the answer that it has in between: who sends forged tokens does not decide how often an issuer is
// asked.
type sparing struct {
	next    http.RoundTripper
	timeout time.Duration // of one question; that of an http.Client would hide what the error is

	mu      sync.Mutex // guards answers, and is held while one is fetched
	answers map[string]*answer
}

type answer struct {
	at   time.Time
	body []byte
	err  error
}

// RoundTrip implements http.RoundTripper. An answer that is not 200, too long, or no JSON, is an error; so redirections are not followed.
func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[r.URL.String()]
	if a == nil || time.Since(a.at) >= askEvery {
		body, err := s.fetch(r)
		a = &answer{time.Now(), body, err}
		s.answers[r.URL.String()] = a
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func (s *sparing) fetch(r *http.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	resp, err := s.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: it answers %s", errUnreachable, resp.Status)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("%w: its answer is longer than %d bytes", errUnreachable, maxAnswer)
	case !json.Valid(body):
		return nil, fmt.Errorf("%w: its answer is no JSON", errUnreachable)
	}
	return body, nil
}

package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"go.uber.org/goleak"

	"github.com/plba/plba/control"
	"github.com/plba/plba/control/oidc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer is an OpenID Connect issuer of a test.
type issuer struct {
	t      testing.TB
	url    string
	server *httptest.Server
	asked  atomic.Int64 // questions of any kind

	mu     sync.Mutex // guards what follows
	keys   map[string]crypto.Signer
	answer http.HandlerFunc // instead of the issuer's, when it is in trouble
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{t: t, keys: map[string]crypto.Signer{}}
	i.rotate("one")
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	i.url = i.server.URL
	return i
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// rotate replaces the keys by one of that name.
func (i *issuer) rotate(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = map[string]crypto.Signer{id: newKey(i.t)}
}

// trouble lets something else answer; nil ends it.
func (i *issuer) trouble(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.asked.Add(1)
	i.mu.Lock()
	answer, healthy := i.answer, &oidctest.Server{Algorithms: []string{"ES256", "HS256", "none"}}
	for id, key := range i.keys {
		healthy.PublicKeys = append(healthy.PublicKeys, oidctest.PublicKey{PublicKey: key.Public(), KeyID: id, Algorithm: "ES256"})
	}
	i.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	healthy.SetIssuer(i.url)
	healthy.ServeHTTP(w, r)
}

// claims are those of Jane, with changes; nil takes one out.
func (i *issuer) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.url, "aud": "plba", "sub": "jane", "groups": []string{"staff", "on-call"},
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token is signed by a key of the issuer.
func (i *issuer) token(changes map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, key := range i.keys {
		return oidctest.SignIDToken(key, id, "ES256", text(i.t, i.claims(changes)))
	}
	i.t.Fatal("the issuer has no key")
	return ""
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

// compact puts a token together without a library that would refuse to.
func compact(header, payload string, sign func(signed string) []byte) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settings are those of a usual application.
func (i *issuer) settings() oidc.Settings {
	var s oidc.Settings
	s.SetDefaults()
	s.Issuer, s.Audience = i.url, "plba"
	s.Roles = map[control.Role][]string{control.Admin: {"platform"}, control.Operator: {"on-call", "platform"}, control.Viewer: {"staff"}}
	return s
}

func authenticator(t testing.TB, s oidc.Settings) *oidc.Authenticator {
	t.Helper()
	a, err := oidc.New(s)
	must(t, err)
	return a
}

func ask(t testing.TB, a *oidc.Authenticator, token string) (control.Principal, error) {
	t.Helper()
	return a.Authenticate(t.Context(), control.Credentials{Token: token})
}

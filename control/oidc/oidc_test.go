package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/plba/plba/control"
)

// What is right admits, with the role that may do most of those that the claim gives.
func TestRoles(t *testing.T) {
	i := newIssuer(t)
	type c = map[string]any
	for name, tc := range map[string]struct {
		claims     c
		nameClaim  string
		rolesClaim string
		want       control.Principal
	}{
		"a list":               {want: control.Principal{Name: "jane", Role: control.Operator}},
		"the highest":          {claims: c{"groups": []string{"staff", "platform"}}, want: control.Principal{Name: "jane", Role: control.Admin}},
		"one text":             {claims: c{"groups": "staff"}, want: control.Principal{Name: "jane", Role: control.Viewer}},
		"texts with blanks":    {claims: c{"scope": "openid on-call"}, rolesClaim: "scope", want: control.Principal{Name: "jane", Role: control.Operator}},
		"inside an object":     {claims: c{"realm_access": c{"roles": []any{1, "staff"}}}, rolesClaim: "realm_access.roles", want: control.Principal{Name: "jane", Role: control.Viewer}},
		"dots in its name":     {claims: c{"https://example.com/roles": []string{"staff"}}, rolesClaim: "https://example.com/roles", want: control.Principal{Name: "jane", Role: control.Viewer}},
		"another name":         {claims: c{"preferred_username": "Jane Doe"}, nameClaim: "preferred_username", want: control.Principal{Name: "Jane Doe", Role: control.Operator}},
		"verified e-mail":      {claims: c{"email": "j@example.com", "email_verified": true}, nameClaim: "email", want: control.Principal{Name: "j@example.com", Role: control.Operator}},
		"e-mail, nothing said": {claims: c{"email": "j@example.com"}, nameClaim: "email", want: control.Principal{Name: "j@example.com", Role: control.Operator}},
		"several audiences":    {claims: c{"aud": []string{"shop", "plba"}}, want: control.Principal{Name: "jane", Role: control.Operator}},
	} {
		t.Run(name, func(t *testing.T) {
			s := i.settings()
			if tc.nameClaim != "" {
				s.NameClaim = tc.nameClaim
			}
			if tc.rolesClaim != "" {
				s.RolesClaim = tc.rolesClaim
			}
			if got, err := ask(t, authenticator(t, s), i.token(tc.claims)); err != nil || got != tc.want {
				t.Errorf("%+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

// Who has a right token and may not come in is told why.
func TestRefusals(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, i.settings())
	s := i.settings()
	s.NameClaim = "email"
	byMail := authenticator(t, s)
	type c = map[string]any
	for name, tc := range map[string]struct {
		got  func(t *testing.T) error
		kind error
		want string
	}{
		"expired": {refusal(a, i.token(c{"exp": 1000})), control.ErrUnauthenticated, "the token has expired on 1970-01-01T00:16:40Z"},
		"no end":  {refusal(a, i.token(c{"exp": nil})), control.ErrUnauthenticated, "the token has expired on "},
		"no role": {refusal(a, i.token(c{"groups": []string{"visitors"}})), control.ErrDenied,
			`nothing in the claim "groups" of jane's token gives a role here (platform.control.oidc.roles)`},
		"no claim":           {refusal(a, i.token(c{"groups": nil})), control.ErrDenied, "gives a role here"},
		"part of a value":    {refusal(a, i.token(c{"groups": []string{"on-call staff"}})), control.ErrDenied, "gives a role here"},
		"claim of no text":   {refusal(a, i.token(c{"groups": 7})), control.ErrDenied, "gives a role here"},
		"no name":            {refusal(a, i.token(c{"sub": nil})), control.ErrUnauthenticated, `its claim "sub" is no printable text`},
		"name for terminals": {refusal(a, i.token(c{"sub": "\x1b[2J"})), control.ErrUnauthenticated, `its claim "sub" is no printable text`},
		"long name":          {refusal(a, i.token(c{"sub": strings.Repeat("x", 201)})), control.ErrUnauthenticated, "1 to 200 bytes"},
		"e-mail of anybody":  {refusal(byMail, i.token(c{"email": "x@example.com", "email_verified": false})), control.ErrUnauthenticated, "has not verified the e-mail address x@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			var refused *control.Error
			if err := tc.got(t); !errors.As(err, &refused) || !errors.Is(err, tc.kind) || !strings.Contains(refused.Detail, tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func refusal(a control.Authenticator, token string) func(*testing.T) error {
	return func(t *testing.T) error {
		_, err := a.Authenticate(t.Context(), control.Credentials{Token: token})
		return err
	}
}

// What is forged, or for somebody else, is a wrong token like any other.
func TestForged(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, i.settings())
	if _, err := ask(t, a, i.token(nil)); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.keys["one"].Public())
	must(t, err)
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	claims := text(t, i.claims(nil))
	right := i.token(nil)
	header, _, _ := strings.Cut(right, ".")
	other := newIssuer(t)
	for name, token := range map[string]string{
		"nothing":        "",
		"no token":       "jane",
		"no JSON":        "a.b.c",
		"empty parts":    "..",
		"many parts":     right + ".x",
		"changed claims": header + "." + strings.Split(i.token(map[string]any{"sub": "joe"}), ".")[1] + "." + strings.Split(right, ".")[2],
		"cut":            right[:len(right)-8],
		"another key":    oidctest.SignIDToken(newKey(t), "one", "ES256", claims),
		"an unknown key": oidctest.SignIDToken(newKey(t), "two", "ES256", claims),
		"no algorithm":   compact(`{"alg":"none"}`, claims, func(string) []byte { return nil }),
		"public key as a secret": compact(`{"alg":"HS256","kid":"one"}`, claims, func(signed string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(signed))
			return mac.Sum(nil)
		}),
		"key inside":       compact(`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`, claims, func(string) []byte { return make([]byte, 64) }),
		"other audience":   i.token(map[string]any{"aud": "shop"}),
		"no audience":      i.token(map[string]any{"aud": nil}),
		"of another":       other.token(nil),
		"another in name":  other.token(map[string]any{"iss": i.url}),
		"issuer with more": i.token(map[string]any{"iss": i.url + "/"}),
		"not yet":          i.token(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
	} {
		if who, err := ask(t, a, token); !errors.Is(err, control.ErrUnknown) || who != (control.Principal{}) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if who, err := a.Authenticate(t.Context(), control.Credentials{Certificate: &x509.Certificate{}}); !errors.Is(err, control.ErrUnknown) {
		t.Errorf("a certificate: %+v, %v", who, err)
	}
}

// However many forged tokens come, the issuer is hardly asked.
func TestForgedTokensDoNotReachTheIssuer(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, i.settings())
	key := newKey(t)
	for n := range 300 {
		id := []string{"one", "two", ""}[n%3]
		if _, err := ask(t, a, oidctest.SignIDToken(key, id, "ES256", text(t, i.claims(nil)))); !errors.Is(err, control.ErrUnknown) {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n > 4 {
		t.Errorf("300 forged tokens led to %d questions", n)
	}
	before := i.asked.Load()
	if _, err := ask(t, a, oidctest.SignIDToken(key, "one", "ES256", text(t, i.claims(map[string]any{"iss": "https://elsewhere.example"})))); !errors.Is(err, control.ErrUnknown) {
		t.Fatal(err)
	}
	if i.asked.Load() != before {
		t.Error("the issuer was asked about another's token")
	}
}

// Keys may change while the application runs.
func TestKeysRotate(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, i.settings())
	old := i.token(nil)
	if _, err := ask(t, a, old); err != nil {
		t.Fatal(err)
	}
	i.rotate("two")
	fresh := i.token(nil)
	if _, err := ask(t, a, fresh); !errors.Is(err, control.ErrUnknown) {
		t.Errorf("the issuer was asked again at once: %v", err)
	}
	soon(t, "the new key counts", func() bool {
		a.Wait()
		_, err := ask(t, a, fresh)
		return err == nil
	})
	soon(t, "the old key counts no more", func() bool {
		_, err := ask(t, a, old)
		return errors.Is(err, control.ErrUnknown)
	})
}

// soon waits for what is so once the library has put away the keys that it has fetched: it does so in the background, and gives those before once more.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 1000 {
		if so() {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("not so: %s", what)
}

// An issuer in trouble is an outage, not a wrong token, and passes. Keys that are known go on counting.
func TestTrouble(t *testing.T) {
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text))
		}
	}
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, tc := range map[string]struct {
		trouble http.HandlerFunc
		want    string
	}{
		"error":          {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, "it answers 502 Bad Gateway"},
		"no JSON":        {write("<html>"), "is no JSON"},
		"another issuer": {write(`{"issuer": "https://elsewhere.example"}`), "did not match"},
		"endless":        {write(strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes"},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "exceeded"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "it answers 302"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			a := authenticator(t, i.settings())
			if name == "hangs" {
				a.Hurry(100 * time.Millisecond)
			}
			i.trouble(tc.trouble)
			token := i.token(nil)
			for range 20 {
				_, err := ask(t, a, token)
				if refused := (*control.Error)(nil); err == nil || errors.Is(err, control.ErrUnknown) || errors.As(err, &refused) || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("%v, want an outage with %q", err, tc.want)
				}
			}
			if n := i.asked.Load(); n != 1 {
				t.Errorf("it was asked %d times", n)
			}
			i.trouble(nil)
			a.Wait()
			if _, err := ask(t, a, token); err != nil {
				t.Fatal(err)
			}
			i.trouble(tc.trouble)
			a.Wait()
			if _, err := ask(t, a, token); err != nil {
				t.Errorf("the keys are known: %v", err)
			}
			i.rotate("two")
			if name != "another issuer" { // that one answers the question for keys with none
				soon(t, "a key that cannot be fetched is an outage", func() bool {
					_, err := ask(t, a, i.token(nil))
					return err != nil && !errors.Is(err, control.ErrUnknown)
				})
			}
		})
	}
	i := newIssuer(t)
	i.trouble(func(w http.ResponseWriter, r *http.Request) {
		write(`{"issuer": "`+i.url+`", "jwks_uri": "http://192.0.2.1/keys"}`)(w, r)
	})
	if _, err := ask(t, authenticator(t, i.settings()), i.token(nil)); err == nil || !strings.Contains(err.Error(), "anybody on the way could change them") {
		t.Errorf("keys over plain HTTP: %v", err)
	}
}

func FuzzToken(f *testing.F) {
	i := newIssuer(f)
	a := authenticator(f, i.settings())
	f.Add(i.token(nil)[:40])
	f.Add(compact(`{"alg":"ES256"}`, `{"iss":"`+i.url+`"}`, func(string) []byte { return nil }))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if who, err := a.Authenticate(t.Context(), control.Credentials{Token: token}); err == nil || who.Role != "" {
			t.Errorf("%+v, %v", who, err)
		}
	})
}

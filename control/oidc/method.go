package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
)

// Method links this way of authentication: plba.WithAuthentication(oidc.Method()). The section platform.control.oidc, see [Settings], switches it on.
func Method() control.Method { return method{} }

type method struct{}

func (method) Name() string { return "oidc" }

func (method) Configure(c *config.Config, path string) (control.Authenticator, error) {
	var s Settings
	if err := c.Decode(path, &s); err != nil {
		return nil, err
	}
	return New(s)
}

// Authenticator checks the tokens of one issuer. It is safe for concurrent use, and owns nothing that must be closed.
type Authenticator struct {
	settings Settings
	issuer   *issuer
}

var _ control.Authenticator = (*Authenticator)(nil)

// New makes an authenticator for control.WithAuthenticator. It reads CAFile and asks nobody; the error names everything in s that cannot be used.
func New(s Settings) (*Authenticator, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	authorities, err := s.authorities()
	if err != nil {
		return nil, err
	}
	return &Authenticator{s, newIssuer(s.Issuer, s.Audience, authorities)}, nil
}

// Authenticate implements control.Authenticator.
func (a *Authenticator) Authenticate(ctx context.Context, c control.Credentials) (control.Principal, error) {
	said := unverified(c.Token)
	if said.Issuer != a.settings.Issuer {
		return control.Principal{}, control.ErrUnknown
	}
	token, err := a.issuer.verify(ctx, c.Token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.Is(err, errUnreachable), err != nil && ctx.Err() != nil:
		return control.Principal{}, err
	case errors.As(err, &expired):
		return control.Principal{}, refuse(control.ErrUnauthenticated, "the token has expired on %s", expired.Expiry.UTC().Format(time.RFC3339))
	case err != nil: // forged, or for somebody else: it does not matter which
		return control.Principal{}, control.ErrUnknown
	}
	return a.principal(token)
}

func refuse(kind error, format string, args ...any) error {
	return &control.Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// principal reads the claims of a token that is right.
func (a *Authenticator) principal(token *oidc.IDToken) (control.Principal, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return control.Principal{}, refuse(control.ErrUnauthenticated, "the claims of the token cannot be read")
	}
	name, ok := find(claims, a.settings.NameClaim).(string)
	if !ok || !isName(name) {
		return control.Principal{}, refuse(control.ErrUnauthenticated, "the token does not say who it is for: its claim %q is no printable text of 1 to 200 bytes", a.settings.NameClaim)
	}
	if verified, said := claims["email_verified"]; a.settings.NameClaim == "email" && said && verified != true {
		return control.Principal{}, refuse(control.ErrUnauthenticated, "the issuer has not verified the e-mail address %s", name)
	}
	who := control.Principal{Name: name}
	values := texts(find(claims, a.settings.RolesClaim))
	for _, role := range ranked {
		if slices.ContainsFunc(a.settings.Roles[role], func(v string) bool { return slices.Contains(values, v) }) {
			who.Role = role
			return who, nil
		}
	}
	return who, refuse(control.ErrDenied, "nothing in the claim %q of %s's token gives a role here (platform.control.oidc.roles)", a.settings.RolesClaim, name)
}

// find follows dots into objects. A claim that has dots in its own name, as the URLs of some issuers do, is found first.
func find(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	head, rest, dotted := strings.Cut(path, ".")
	inner, ok := claims[head].(map[string]any)
	if !dotted || !ok {
		return nil
	}
	return find(inner, rest)
}

// texts are the values of a claim: a list, or one text. A text with blanks is a list too, as in the claim "scope" (RFC 8693, section 4.2).
func texts(claim any) (all []string) {
	switch v := claim.(type) {
	case string:
		return append(strings.Fields(v), v)
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

func isName(s string) bool {
	printable := !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
	return s != "" && len(s) <= 200 && printable
}

// unverified reads who a token says it is of. Nothing may be believed of it; it only tells whose the token is to check.
func unverified(token string) (claims struct {
	Issuer string `json:"iss"`
}) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		_ = json.Unmarshal(payload, &claims) // what is no JSON is of nobody
	}
	return claims
}

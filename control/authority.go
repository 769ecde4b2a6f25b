package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/plba/plba/config"
)

// Credentials are what somebody presents.
type Credentials struct {
	Token       string            // "" for none
	Certificate *x509.Certificate // of the client, verified against the configured authority; nil for none
}

// Authenticator finds out who presents credentials. Several stand beside each other (WithAuthenticator): the first that knows them decides.
type Authenticator interface {
	// Authenticate gives who it is. ErrUnknown says that the credentials are not for this authenticator to judge. An *Error refuses in its own words; any
	// other error means that it could not find out, which is logged and answered with a 503. It is safe for concurrent use.
	Authenticate(ctx context.Context, c Credentials) (Principal, error)
}

// Method is a way of authentication that an application links (plba.WithAuthentication) and its configuration switches on.
type Method interface {
	// Name is the key below platform.control where its settings are. It is on when that is there.
	Name() string
	// Configure makes an Authenticator of the settings at path ("platform/control/NAME"). The error names everything that cannot be used. It asks nobody.
	Configure(c *config.Config, path string) (Authenticator, error)
}

// ErrUnknown is what an Authenticator answers to credentials that it does not know.
var ErrUnknown = errors.New("unknown credentials")

// tokens are the hashes of those that admit somebody.
type tokens []hashedToken

type hashedToken struct {
	who     Principal
	hash    [sha256.Size]byte
	expires time.Time // zero: never
}

// newTokens takes the configured ones, which are valid.
func newTokens(configured []Token) tokens {
	ts := make(tokens, len(configured))
	for i, t := range configured {
		ts[i].who, ts[i].expires = Principal{t.Name, t.Role}, t.Expires
		_, _ = hex.Decode(ts[i].hash[:], []byte(t.SHA256)) // Validate has seen it
	}
	return ts
}

// firstRun makes a token for a control plane without configured authentication. The text is kept nowhere.
func firstRun() (text string, t hashedToken) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	text = base64.RawURLEncoding.EncodeToString(random[:])
	return text, hashedToken{who: Principal{"first-run", Admin}, hash: sha256.Sum256([]byte(text))}
}

// Authenticate looks at every token, so that the time it takes tells nothing.
func (ts tokens) Authenticate(_ context.Context, c Credentials) (Principal, error) {
	if c.Token == "" {
		return Principal{}, ErrUnknown
	}
	hash := sha256.Sum256([]byte(c.Token))
	found := -1
	for i := range ts {
		if subtle.ConstantTimeCompare(hash[:], ts[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, ErrUnknown
	}
	t := ts[found]
	if !t.expires.IsZero() && !time.Now().Before(t.expires) {
		return t.who, &Error{Kind: ErrUnauthenticated, Detail: fmt.Sprintf("the token %q has expired on %s", t.who.Name, t.expires.UTC().Format(time.RFC3339))}
	}
	return t.who, nil
}

// authority knows who may come in.
type authority struct {
	chain      []Authenticator
	configured bool // there is more than the token of the first run
	throttle   *throttle
}

func newAuthority(cfg Config, more []Authenticator) *authority {
	a := &authority{throttle: newThrottle()}
	if len(cfg.Tokens) > 0 {
		a.chain = append(a.chain, newTokens(cfg.Tokens))
	}
	if len(cfg.TLS.Clients) > 0 {
		a.chain = append(a.chain, newCertificates(cfg.TLS.Clients))
	}
	a.chain = append(a.chain, more...)
	a.configured = len(a.chain) > 0
	return a
}

// identify finds whose credentials they are; without any it is nobody, and no error. from is where they come from; without it tries are not counted.
func (a *authority) identify(ctx context.Context, c Credentials, from netip.Addr) (Principal, error) {
	if c == (Credentials{}) {
		return Principal{}, nil
	}
	if c.Token == "" {
		who, err := a.ask(ctx, c)
		if errors.Is(err, ErrUnknown) { // a certificate that is nobody's is like none
			return Principal{}, nil
		}
		return who, err
	}
	c.Certificate = nil // who presents a token wants to be known by it
	if !from.IsValid() {
		who, err := a.ask(ctx, c)
		return who, unknownToken(err)
	}
	if wait, ok := a.throttle.take(from, time.Now()); !ok {
		return Principal{}, &tooManyTries{wait}
	}
	who, err := a.ask(ctx, c)
	if !errors.Is(err, ErrUnknown) {
		a.throttle.giveBack(from, time.Now())
	}
	return who, unknownToken(err)
}

func (a *authority) ask(ctx context.Context, c Credentials) (Principal, error) {
	for _, auth := range a.chain {
		who, err := auth.Authenticate(ctx, c)
		if !errors.Is(err, ErrUnknown) {
			return who, err
		}
	}
	return Principal{}, ErrUnknown
}

func unknownToken(err error) error {
	if errors.Is(err, ErrUnknown) {
		return &Error{Kind: ErrUnauthenticated, Detail: "this is not a token that admits anybody"}
	}
	return err
}

// tooManyTries refuses an address that has presented too many wrong tokens.
type tooManyTries struct{ wait time.Duration }

func (*tooManyTries) Error() string { return "too many wrong tokens came from this address" }

// decide says whether who may do what demands need. open: whoever may reach the operation without a token does so now.
func (a *authority) decide(who Principal, need Access, open bool) (Principal, error) {
	switch {
	case need.Without == Always:
		if who.Role == "" {
			who = Principal{Name: "anyone"}
		}
		return who, nil
	case who.Role.may(need.Role):
		return who, nil
	case who.Role == "" && need.Without == OnLoopback && !a.configured && open:
		return Principal{"anyone on this machine", Viewer}, nil
	case who.Role == "":
		which := "the token that the application showed on its terminal when it started"
		if a.configured {
			which = "one of platform.control.tokens"
		}
		return who, &Error{Kind: ErrUnauthenticated, Detail: "this needs a token in the header Authorization: Bearer TOKEN; take " + which}
	}
	return who, &Error{Kind: ErrDenied, Detail: fmt.Sprintf("this needs the role %s; %q has the role %s", need.Role, who.Name, who.Role)}
}

package control

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// tokens are the hashes of those that admit somebody.
type tokens []hashedToken

type hashedToken struct {
	who  Principal
	hash [sha256.Size]byte
}

// newTokens takes the configured ones, which are valid.
func newTokens(configured []Token) tokens {
	ts := make(tokens, len(configured))
	for i, t := range configured {
		ts[i].who = Principal{t.Name, t.Role}
		_, _ = hex.Decode(ts[i].hash[:], []byte(t.SHA256)) // Validate has seen it
	}
	return ts
}

// firstRun makes a token for a channel without configured ones. The text is kept nowhere.
func firstRun() (text string, t hashedToken) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	text = base64.RawURLEncoding.EncodeToString(random[:])
	return text, hashedToken{Principal{"first-run", Admin}, sha256.Sum256([]byte(text))}
}

// find looks at every token, so that the time it takes tells nothing.
func (ts tokens) find(text string) (Principal, bool) {
	hash := sha256.Sum256([]byte(text))
	found := -1
	for i := range ts {
		if subtle.ConstantTimeCompare(hash[:], ts[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, false
	}
	return ts[found].who, true
}

// doorman decides who may do what. It admits nobody who is not admitted by a rule below.
type doorman struct {
	tokens     tokens
	configured bool // the tokens, not made at start
	throttle   *throttle
	log        *slog.Logger
}

// admit tells who asks, or refuses.
func (d *doorman) admit(r *http.Request, need Access) (Principal, *Problem) {
	if need.Without == Always {
		return Principal{Name: "anyone"}, nil
	}
	who, refused := d.identify(r)
	switch {
	case refused != nil:
		return who, refused
	case who.Role.may(need.Role):
		return who, nil
	case who.Role == "" && need.Without == OnLoopback && !d.configured && isLocal(r):
		return Principal{"anyone on this machine", Viewer}, nil
	case who.Role == "":
		return who, d.unauthorized()
	}
	d.log.Warn("control operation refused", "path", r.URL.Path, "by", who.Name, "role", string(who.Role), "needs", string(need.Role))
	return who, newProblem(http.StatusForbidden, "this needs the role %s; the token %q has the role %s", need.Role, who.Name, who.Role)
}

// identify finds whose token the request presents. Without one it is nobody.
func (d *doorman) identify(r *http.Request) (Principal, *Problem) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return Principal{}, nil
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		from = netip.AddrPort{} // all such share their tries
	}
	if wait, ok := d.throttle.take(from.Addr(), time.Now()); !ok {
		return Principal{}, tooMany(wait)
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	if len(headers) == 1 && strings.EqualFold(scheme, "Bearer") {
		if who, ok := d.tokens.find(strings.TrimSpace(text)); ok {
			d.throttle.giveBack(from.Addr(), time.Now())
			return who, nil
		}
	}
	d.log.Warn("control token refused", "path", r.URL.Path, "from", from.Addr().String())
	return Principal{}, d.unauthorized()
}

func (d *doorman) unauthorized() *Problem {
	which := "the token that the application showed on its terminal when it started"
	if d.configured {
		which = "one of platform.control.tokens"
	}
	p := newProblem(http.StatusUnauthorized, "this needs a token in the header Authorization: Bearer TOKEN; take %s", which)
	p.header("WWW-Authenticate", `Bearer realm="PLBA control plane"`)
	return p
}

func tooMany(wait time.Duration) *Problem {
	p := newProblem(http.StatusTooManyRequests, "too many wrong tokens came from this address; wait before the next one")
	p.header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return p
}

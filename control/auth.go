package control

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// doorman decides at the gate of the HTTP channel who may do what. It admits nobody who is not admitted by a rule of the authority.
type doorman struct {
	auth *authority
	svc  *Service
}

// admit tells who asks, or refuses.
func (d *doorman) admit(r *http.Request, rt rule) (*caller, *Problem) {
	c := &caller{channel: channelHTTP, from: addressOf(r)}
	if rt.need.Without == Always {
		c.Principal, _ = d.auth.decide(Principal{}, rt.need, false)
		return c, nil
	}
	who, err := d.identify(r, rt, c.from)
	if err == nil {
		who, err = d.auth.decide(who, rt.need, isLocal(r))
	}
	if c.Principal = who; err == nil {
		return c, nil
	}
	p := d.problem(err, rt)
	d.svc.audit.denied(c, rt.id, p.Detail)
	return c, p
}

// identify finds whose credentials the request presents. Without any it is nobody.
func (d *doorman) identify(r *http.Request, rt rule, from netip.Addr) (Principal, error) {
	var c Credentials
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Certificate = r.TLS.PeerCertificates[0]
	}
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return Principal{}, &Error{Kind: ErrUnauthenticated, Detail: "one header Authorization is enough"}
	}
	if len(headers) == 1 {
		c.Token = tokenIn(headers[0], r, rt.forBrowsers)
	}
	if !from.IsValid() {
		from = netip.IPv6Unspecified() // all such share their tries
	}
	return d.auth.identify(r.Context(), c, from)
}

// tokenIn reads a header Authorization. Browsers say a password on every request once they have been asked for one, so what is Basic is a token only where
// browsers are asked for it, and else nothing. Whatever else it may be, it is a token, and a wrong one.
func tokenIn(header string, r *http.Request, basic bool) string {
	scheme, text, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer") && strings.TrimSpace(text) != "":
		return strings.TrimSpace(text)
	case strings.EqualFold(scheme, "Basic"):
		_, password, ok := r.BasicAuth()
		if !ok || !basic {
			return ""
		}
		return password
	}
	return "\x00" + header
}

const realm = `realm="PLBA control plane"`

// problem is how HTTP says that somebody is not admitted.
func (d *doorman) problem(err error, rt rule) *Problem {
	var tries *tooManyTries
	var e *Error
	switch {
	case errors.As(err, &tries):
		p := newProblem(http.StatusTooManyRequests, "%s; wait before the next one", tries.Error())
		p.header("Retry-After", strconv.Itoa(int(math.Ceil(tries.wait.Seconds()))))
		return p
	case !errors.As(err, &e):
		d.svc.app.Logger().Error("it cannot be found out who asks", "error", err)
		return newProblem(http.StatusServiceUnavailable, "it cannot be found out who asks; the log of the application says why")
	}
	p := newProblem(statusOf(e.Kind), "%s", e.Detail)
	if p.Status == http.StatusUnauthorized {
		p.header("WWW-Authenticate", "Bearer "+realm)
		if rt.forBrowsers {
			p.headers.Add("WWW-Authenticate", "Basic "+realm+`, charset="UTF-8"`)
		}
	}
	return p
}

func addressOf(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

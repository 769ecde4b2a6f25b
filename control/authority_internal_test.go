package control

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sso is an authenticator of an application.
type sso func(Credentials) (Principal, error)

func (f sso) Authenticate(_ context.Context, c Credentials) (Principal, error) { return f(c) }

func TestAuthenticatorsAreAskedInTurn(t *testing.T) {
	_, first := firstRun()
	own := sso(func(c Credentials) (Principal, error) {
		switch c.Token {
		case "jane":
			return Principal{"jane", Operator}, nil
		case "broken":
			return Principal{}, errors.New("the issuer does not answer")
		}
		return Principal{}, ErrUnknown
	})
	a := newAuthority(Config{}, []Authenticator{tokens{first}, own})
	from := netip.MustParseAddr("192.0.2.1")
	if !a.configured {
		t.Error("with an authenticator authentication is configured")
	}
	if who, err := a.identify(t.Context(), Credentials{Token: "jane"}, from); err != nil || who.Name != "jane" {
		t.Errorf("%+v, %v", who, err)
	}
	var e *Error
	if _, err := a.identify(t.Context(), Credentials{Token: "joe"}, from); !errors.As(err, &e) || e.Kind != ErrUnauthenticated {
		t.Errorf("%v", err)
	}
	if _, err := a.identify(t.Context(), Credentials{Token: "broken"}, from); err == nil || errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	if who, err := a.identify(t.Context(), Credentials{}, from); err != nil || who != (Principal{}) {
		t.Errorf("%+v, %v", who, err)
	}
	// Only wrong tokens count as tries: the failing authenticator has used up none.
	for range 3 * loginTries {
		_, _ = a.identify(t.Context(), Credentials{Token: "broken"}, netip.MustParseAddr("192.0.2.2"))
	}
	if _, err := a.identify(t.Context(), Credentials{Token: "jane"}, netip.MustParseAddr("192.0.2.2")); err != nil {
		t.Error(err)
	}
	// A way in without an address has no tries to use up.
	for range 3 * loginTries {
		if _, err := a.identify(t.Context(), Credentials{Token: "joe"}, netip.Addr{}); !errors.As(err, &e) || e.Kind != ErrUnauthenticated {
			t.Fatal(err)
		}
	}
}

// A token that has expired admits nobody, says so, and is no try.
func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, hashed := firstRun()
		hashed.who, hashed.expires = Principal{"ops", Operator}, time.Now().Add(time.Hour)
		a := &authority{chain: []Authenticator{tokens{hashed}}, throttle: newThrottle()}
		from := netip.MustParseAddr("192.0.2.1")
		if who, err := a.identify(t.Context(), Credentials{Token: text}, from); err != nil || who.Name != "ops" {
			t.Errorf("%+v, %v", who, err)
		}
		time.Sleep(time.Hour)
		for range 3 * loginTries {
			who, err := a.identify(t.Context(), Credentials{Token: text}, from)
			if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), `"ops" has expired on 2000-01-01T01:00:00Z`) || who.Name != "ops" {
				t.Fatalf("%+v, %v", who, err)
			}
		}
	})
}

func TestDecide(t *testing.T) {
	type verdict string
	judge := func(a *authority, who Principal, need Access, open bool) verdict {
		_, err := a.decide(who, need, open)
		switch {
		case err == nil:
			return "yes"
		case errors.Is(err, ErrUnauthenticated):
			return "who"
		case errors.Is(err, ErrDenied):
			return "no"
		}
		return verdict(err.Error())
	}
	nobody, viewer, operator := Principal{}, Principal{"v", Viewer}, Principal{"o", Operator}
	for _, c := range []struct {
		configured, open bool
		who              Principal
		need             Access
		want             verdict
	}{
		{true, true, nobody, accessProbe, "yes"},
		{false, true, nobody, accessRead, "yes"},
		{false, false, nobody, accessRead, "who"},
		{true, true, nobody, accessRead, "who"},
		{false, true, nobody, accessPrivate, "who"},
		{false, true, nobody, accessCommand, "who"},
		{true, false, viewer, accessRead, "yes"},
		{true, false, viewer, accessCommand, "no"},
		{true, false, operator, accessCommand, "yes"},
		{true, false, operator, accessAdmin, "no"},
		{true, true, operator, Access{}, "no"},
		{false, true, nobody, Access{}, "who"},
		{false, true, operator, Access{Role: "superuser", Without: Never}, "no"},
	} {
		if got := judge(&authority{configured: c.configured}, c.who, c.need, c.open); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// How many were left out is told by the next one that is recorded.
func TestSkippedDenialsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyService(t)
		for range 50 {
			s.audit.denied(&caller{channel: "test"}, "stopRuntime", "no")
		}
		time.Sleep(time.Second)
		s.audit.denied(&caller{channel: "test"}, "stopRuntime", "no")
		list, _, err := s.Audit(AuditFilter{})
		if err != nil || len(list) != deniedASecond+1 || list[0].Skipped != 30 {
			t.Errorf("%d, %+v, %v", len(list), list[0], err)
		}
	})
}

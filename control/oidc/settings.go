package oidc

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
)

// Settings is the section platform.control.oidc.
type Settings struct {
	// Issuer is the URL of the issuer, as it stands in the claim "iss": https, but for one on this machine. Needed.
	Issuer string `koanf:"issuer"`
	// Audience must be in the claim "aud" of a token, so that tokens for other applications do not count: the client ID that the issuer knows this application
	// by. Needed.
	Audience string `koanf:"audience"`
	// NameClaim is the claim that names the person in the audit and the log (default "sub", which an issuer never gives to anybody else). An e-mail address is
	// not taken when the issuer says that it is not verified.
	NameClaim string `koanf:"name_claim"`
	// RolesClaim is the claim that Roles look at: a text or a list of texts (default "groups"). Dots lead into objects: realm_access.roles.
	RolesClaim string `koanf:"roles_claim"`
	// Roles says which values of the claim give which role: viewer, operator or admin. Of several, the one that may do most counts. Needed.
	Roles map[control.Role][]string `koanf:"roles"`
	// CAFile is a PEM file with the authorities that vouch for the issuer's server (default: those of the system). It is read at start.
	CAFile string `koanf:"ca_file"`
}

// SetDefaults fills s with the defaults.
func (s *Settings) SetDefaults() { *s = Settings{NameClaim: "sub", RolesClaim: "groups"} }

// Validate names everything that cannot be used, all at once.
func (s *Settings) Validate() error {
	var faults []error
	fault := func(key, hint, format string, args ...any) {
		faults = append(faults, &config.Fault{Key: key, Problem: fmt.Sprintf(format, args...), Hint: hint})
	}
	if !isSafeURL(s.Issuer) {
		fault("issuer", "for instance https://login.example.com/realms/ops", "%q is not the https URL of an issuer", s.Issuer)
	}
	if s.Audience == "" {
		fault("audience", "it is the client ID that the issuer knows this application by", "without an audience every token of the issuer would count, whoever it was made for")
	}
	for key, claim := range map[string]string{"name_claim": s.NameClaim, "roles_claim": s.RolesClaim} {
		if claim == "" || slices.Contains(strings.Split(claim, "."), "") {
			fault(key, "for instance groups, or realm_access.roles", "%q is not the name of a claim", claim)
		}
	}
	values := 0
	for role, list := range s.Roles {
		if !slices.Contains(ranked, role) {
			fault("roles", "use viewer, operator or admin", "%q is not a role", role)
		}
		if slices.Contains(list, "") {
			fault("roles", "name a value of the claim", "an empty text gives nobody the role %s", role)
		}
		values += len(list)
	}
	if values == 0 {
		fault("roles", "for instance roles: {admin: [platform], viewer: [staff]}", "no value of the claim gives a role, so nobody could do anything")
	}
	return errors.Join(faults...)
}

// ranked are the roles, the one that may do most first.
var ranked = []control.Role{control.Admin, control.Operator, control.Viewer}

// isSafeURL tells whether nobody on the way can change what comes from there.
func isSafeURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// authorities reads CAFile; nil for those of the system.
func (s *Settings) authorities() (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, &config.Fault{Key: "ca_file", Problem: err.Error()}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &config.Fault{Key: "ca_file", Problem: s.CAFile + " has no certificate in PEM"}
	}
	return pool, nil
}

package control

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plba/plba/config"
)

// Config is the section platform.control.
type Config struct {
	// Enabled says whether the application has a control plane (default true). Who makes the Plane reads it; New does not.
	Enabled bool `koanf:"enabled"`
	// Listen is the address as host:port (default 127.0.0.1:8080). Port 0 takes a free one. An address that other machines can reach is refused
	// without Tokens, TLS.Clients or another authentication, and without TLS unless Insecure is set.
	Listen string `koanf:"listen"`
	// Tokens are who may do what. Without any, a token with the role admin is made at start and shown on the terminal, and on loopback most of what
	// can be read is open to every process of the machine.
	Tokens []Token `koanf:"tokens"`
	// AllowedHosts are the names, without ports, under which clients may address the channel, beside loopback names and the host of Listen.
	AllowedHosts []string `koanf:"allowed_hosts"`
	// Insecure allows plain HTTP, and so tokens that can be overheard, on an address that other machines can reach (default false).
	Insecure bool `koanf:"insecure"`
	// TLS lets the channel speak HTTPS, and admits clients by their certificates.
	TLS TLS `koanf:"tls"`
	// Probes is a second address, as host:port, that serves /livez, /readyz and /startupz and nothing else, over plain HTTP and to everybody who can reach it
	// (default: none). They are on Listen as well.
	Probes string `koanf:"probes"`
	// Pprof lets admins take profiles of the process, at /debug/pprof/ (default false).
	Pprof bool `koanf:"pprof"`
	// PublicHealth opens GET /health to everyone who can reach the address (default false).
	PublicHealth bool `koanf:"public_health"`
	// Socket is a second way in, for programs on the same machine.
	Socket SocketConfig `koanf:"socket"`
	// Audit says where the audit goes beside the memory.
	Audit AuditConfig `koanf:"audit"`
	// Authenticated says that there is authentication beside Tokens and TLS.Clients. It is no setting: whoever makes the Plane with WithAuthenticator says it.
	Authenticated bool `koanf:"-"`
}

// AuditConfig is platform.control.audit.
type AuditConfig struct {
	// File gets a line of JSON for every change that is asked for and every denial; it is made if it is not there, for its owner only. Default: none; the
	// last 1000 records are in memory in any case.
	File string `koanf:"file"`
}

// Token admits whoever presents it, in the header "Authorization: Bearer TOKEN". Only its hash is configured, so reading the configuration admits
// nobody. Make one long and random:
//
//	token=$(openssl rand -base64 32); printf %s "$token" | sha256sum
type Token struct {
	// Name tells in the log whose command it was. Unique.
	Name string `koanf:"name"`
	// Role is viewer, operator or admin; each may do what the one before it may.
	Role Role `koanf:"role"`
	// SHA256 is the hash of the token in 64 hexadecimal digits. A fast hash does for tokens that are long and random; do not use words.
	SHA256 string `koanf:"sha256" secret:"true"`
	// Expires is when the token ends to admit anybody, for instance 2030-01-31T00:00:00Z (default: never). To change a token, configure the new one beside the
	// old one, and let that expire.
	Expires time.Time `koanf:"expires"`
}

// SetDefaults fills c with the defaults, whatever settings it held before.
func (c *Config) SetDefaults() {
	*c = Config{Enabled: true, Listen: "127.0.0.1:8080", Authenticated: c.Authenticated}
	c.Socket.SetDefaults()
}

// Validate names everything that cannot be used, all at once. What would be unsafe is refused only where Enabled.
func (c *Config) Validate() error {
	faults := c.validateTokens()
	for _, h := range c.AllowedHosts {
		if !isHostName(h) {
			faults = append(faults, fault("allowed_hosts", "it is compared with the host that a client names, for instance plba.example.org",
				"%q is not a host name without scheme and port", h))
		}
	}
	if _, port, err := net.SplitHostPort(c.Probes); c.Probes != "" && (err != nil || !isPort(port)) {
		faults = append(faults, fault("probes", "for instance 0.0.0.0:8081", "%q is not an address of the form host:port", c.Probes))
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || !isPort(port) {
		faults = append(faults, fault("listen", "for instance 127.0.0.1:8080, or 127.0.0.1:0 for any free port", "%q is not an address of the form host:port", c.Listen))
	} else if c.Enabled && !isLoopbackName(host) {
		faults = append(faults, c.validateExposure()...)
	}
	return errors.Join(faults...)
}

// validateExposure checks a listen address that other machines can reach.
func (c *Config) validateExposure() (faults []error) {
	if len(c.Tokens) == 0 && len(c.TLS.Clients) == 0 && !c.Authenticated {
		faults = append(faults, fault("listen", "add platform.control.tokens, or listen on 127.0.0.1",
			"%s can be reached from other machines, and no tokens are configured", c.Listen))
	}
	if !c.Insecure && !c.TLS.enabled() {
		faults = append(faults, fault("listen",
			"add platform.control.tls, or listen on 127.0.0.1 and put a proxy with TLS in front of it, or accept that with platform.control.insecure: true",
			"%s can be reached from other machines, and without TLS everyone on the way can read the tokens", c.Listen))
	}
	return faults
}

func (c *Config) validateTokens() (faults []error) {
	names, hashes := map[string]bool{}, map[string]string{}
	for i := range c.Tokens {
		t := &c.Tokens[i]
		if err := t.Validate(); err != nil {
			faults = append(faults, err)
			continue
		}
		if names[t.Name] {
			faults = append(faults, fault("tokens", "", "the name %q is given twice", t.Name))
		}
		hash := strings.ToLower(t.SHA256)
		if other, dup := hashes[hash]; dup {
			faults = append(faults, fault("tokens", "give each its own", "%q and %q are the same token", other, t.Name))
		}
		names[t.Name], hashes[hash] = true, t.Name
	}
	return faults
}

// Validate names what is wrong with the token; it never shows the hash, in the place of which somebody may have put the token itself.
func (t *Token) Validate() error {
	var faults []error
	if t.Name == "" || len(t.Name) > 100 || !isPrintable(t.Name) {
		faults = append(faults, fault("name", "it shows in the log whose command it was", "a token needs a printable name of 1 to 100 bytes"))
	}
	if t.Role.rank() == 0 {
		faults = append(faults, fault("role", "use viewer, operator or admin", "%q is not a role", t.Role))
	}
	if sum, err := hex.DecodeString(t.SHA256); err != nil || len(sum) != 32 {
		faults = append(faults, fault("sha256", `make it with: printf %s "$token" | sha256sum`, "this is not a SHA-256 in 64 hexadecimal digits"))
	}
	return errors.Join(faults...)
}

// fault is at a key of the struct that is validated; package config adds file and line.
func fault(key, hint, format string, args ...any) error {
	return &config.Fault{Key: key, Problem: fmt.Sprintf(format, args...), Hint: hint}
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isLoopbackName tells whether a host can only mean this machine. Other names than localhost are not looked up: what they mean can change.
func isLoopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func isHostName(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253
}

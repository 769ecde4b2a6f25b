package mailbox

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"
)

// The ways to encrypt a connection.
const (
	TLSNone     = "none"     // not at all: for a server on this machine or on a network that is trusted
	TLSStartTLS = "starttls" // a plain connection is encrypted before the login; a server that cannot is refused
	TLSImplicit = "tls"      // encrypted from the first byte; the default
)

const defaultTimeout = time.Minute

// IMAPConfig says where the mails are.
type IMAPConfig struct {
	Address  string        `koanf:"address"` // host:port
	Username string        `koanf:"username"`
	Password string        `koanf:"password" secret:"true"`
	TLS      string        `koanf:"tls"`     // none, starttls or tls; default tls
	CAFile   string        `koanf:"ca_file"` // PEM file with the authorities to trust; default those of the system
	Timeout  time.Duration `koanf:"timeout"` // for one call with all it needs, login and download included; default 1m
	Folders  []string      `koanf:"folders"` // created when they are missing; default Processed, Rejected, Review
}

// SetDefaults fills the fields that are not set.
func (c *IMAPConfig) SetDefaults() {
	setDefaults(&c.TLS, &c.Timeout)
	if c.Folders == nil {
		c.Folders = []string{"Processed", "Rejected", "Review"}
	}
}

// Validate checks what is set. An address is not required here but by Open, so that a program can fill it in later.
func (c *IMAPConfig) Validate() error { return validate(c.Address, c.TLS, c.Timeout) }

// SMTPConfig says how mails are sent.
type SMTPConfig struct {
	Address  string        `koanf:"address"`  // host:port
	Username string        `koanf:"username"` // "" means no login
	Password string        `koanf:"password" secret:"true"`
	TLS      string        `koanf:"tls"`     // none, starttls or tls; default tls
	CAFile   string        `koanf:"ca_file"` // PEM file with the authorities to trust; default those of the system
	Timeout  time.Duration `koanf:"timeout"` // for one mail, from connecting to the server's last answer; default 1m
	Hello    string        `koanf:"hello"`   // the name to introduce oneself with; default localhost
}

// SetDefaults fills the fields that are not set.
func (c *SMTPConfig) SetDefaults() {
	setDefaults(&c.TLS, &c.Timeout)
	if c.Hello == "" {
		c.Hello = "localhost"
	}
}

// Validate checks what is set. An address is not required here but by Send, so that a program can fill it in later.
func (c *SMTPConfig) Validate() error { return validate(c.Address, c.TLS, c.Timeout) }

func setDefaults(encryption *string, timeout *time.Duration) {
	if *encryption == "" {
		*encryption = TLSImplicit
	}
	if *timeout == 0 {
		*timeout = defaultTimeout
	}
}

func validate(address, encryption string, timeout time.Duration) error {
	if address != "" {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return fmt.Errorf("address: %q is not host:port", address)
		}
	}
	switch encryption {
	case "", TLSNone, TLSStartTLS, TLSImplicit:
	default:
		return fmt.Errorf("tls: %q is none of none, starttls, tls", encryption)
	}
	if timeout < 0 {
		return fmt.Errorf("timeout: %v is negative", timeout)
	}
	return nil
}

// check is what must hold before the first connection.
func check(address string, valid error) error {
	if valid == nil && address == "" {
		return fmt.Errorf("address: it is not set; give host:port")
	}
	return valid
}

func tlsConfig(address, caFile string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no PEM certificate", caFile)
	}
	return cfg, nil
}

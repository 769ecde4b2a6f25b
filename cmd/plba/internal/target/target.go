// Package target finds out which application is meant, how to reach it, and what to show it as authority.
//
// Each setting comes from a flag, else from the environment, else from a target of the configuration file. An address that is given by flag or environment is no target: what
// stands in the file for another application, its token above all, is never sent there.
package target

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/plba/plba/openapi/client"
)

// Default is the address where there is no other: that of platform.control.listen.
const Default = "http://127.0.0.1:8080"

// Flags are what the command line says.
type Flags struct {
	Address, Target, Config         string
	Token, TokenFile, CA, Cert, Key string
}

// Target is an application, and how to reach it.
type Target struct {
	// Address is http://HOST:PORT, https://HOST:PORT or unix:///PATH.
	Address string `koanf:"address"`
	// Token is the token itself; TokenFile names a file that holds nothing else.
	Token     string `koanf:"token" secret:"true"`
	TokenFile string `koanf:"token_file"`
	// CA, Cert and Key are files: authorities of the server's certificate, and a client certificate with its key.
	CA   string `koanf:"ca"`
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`

	// From says where the address comes from, TokenFrom where the token: "" without one.
	From, TokenFrom string `koanf:"-"`
}

// Error is a fault of what was given: a flag, a variable, or the file.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func faultf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// Find says which application is meant. Its errors are *Error.
func Find(f Flags, getenv func(string) string) (t Target, err error) {
	if f.Address != "" && f.Target != "" {
		return t, faultf("--address and --target exclude each other")
	}
	address, name := f.Address, f.Target
	from := "--address"
	if address == "" && name == "" {
		address, from = getenv("PLBA_ADDRESS"), "PLBA_ADDRESS"
	}
	if address != "" {
		t.Address, t.From = address, from
	} else if t, err = fromFile(f, name, getenv); err != nil {
		return t, err
	}
	over := func(into *string, flag, variable string) (changed bool, from string) {
		if flag != "" {
			*into = flag
			return true, "the command line"
		}
		if v := getenv(variable); v != "" {
			*into = v
			return true, variable
		}
		return false, ""
	}
	if f.Token != "" && f.TokenFile != "" {
		return t, faultf("--token and --token-file exclude each other")
	}
	if set, from := over(&t.TokenFile, f.TokenFile, "PLBA_TOKEN_FILE"); set && f.Token == "" && getenv("PLBA_TOKEN") == "" {
		t.Token, t.TokenFrom = "", from
	}
	if f.TokenFile == "" {
		if set, from := over(&t.Token, f.Token, "PLBA_TOKEN"); set {
			t.TokenFile, t.TokenFrom = "", from
		}
	}
	over(&t.CA, f.CA, "PLBA_CA")
	over(&t.Cert, f.Cert, "PLBA_CERT")
	over(&t.Key, f.Key, "PLBA_KEY")
	return t, t.readToken()
}

func fromFile(f Flags, name string, getenv func(string) string) (Target, error) {
	path, must := f.Config, f.Config != ""
	if path == "" {
		path, must = getenv("PLBA_CONFIG"), getenv("PLBA_CONFIG") != ""
	}
	if path == "" {
		path = DefaultFile(getenv)
	}
	named := name
	if named == "" {
		named = getenv("PLBA_TARGET")
	}
	file, err := read(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && !must && named == "":
		return Target{Address: Default, From: "the default"}, nil
	case errors.Is(err, os.ErrNotExist) && named != "":
		return Target{}, faultf("there is no target %q, because there is no file %s", named, path)
	case err != nil:
		return Target{}, &Error{err}
	}
	return file.choose(path, named)
}

func (t *Target) readToken() error {
	if t.TokenFile == "" {
		return nil
	}
	text, err := os.ReadFile(t.TokenFile)
	if err != nil {
		return faultf("the token cannot be read: %w", err)
	}
	if t.Token = strings.TrimSpace(string(text)); t.Token == "" {
		return faultf("the token file %s is empty", t.TokenFile)
	}
	t.TokenFrom = t.TokenFile
	return nil
}

// Client makes the client that speaks to the target. Its errors are *Error.
func (t *Target) Client() (*client.Client, error) {
	opts := []client.Option{client.WithToken(t.Token)}
	cfg, err := t.tls()
	if err != nil {
		return nil, &Error{err}
	}
	if cfg != nil {
		if !strings.HasPrefix(t.Address, "https://") {
			return nil, faultf("certificates are for https:// only, and the address is %s (from %s)", t.Address, t.From)
		}
		opts = append(opts, client.WithTLS(cfg))
	}
	c, err := client.New(t.Address, opts...)
	if err != nil {
		return nil, faultf("%w (from %s)", err, t.From)
	}
	return c, nil
}

func (t *Target) tls() (*tls.Config, error) {
	if t.CA == "" && t.Cert == "" && t.Key == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("the authorities cannot be read: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		if t.Cert == "" || t.Key == "" {
			return nil, errors.New("a client certificate needs both its file and that of its key (--cert and --key)")
		}
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate cannot be used: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// DefaultFile is where the configuration file is looked for.
func DefaultFile(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "plba", "config.yaml")
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return filepath.Join(".config", "plba", "config.yaml")
	}
	return filepath.Join(dir, "plba", "config.yaml")
}

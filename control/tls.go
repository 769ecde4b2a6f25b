package control

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// TLS is platform.control.tls. The files are PEM; they are read at the start and again when they change, so certificates can be renewed while the application
// runs. Files that cannot be used then leave the ones before in place, and the log says so.
type TLS struct {
	// Cert and Key are the files of the server's certificate, with the chain, and of its key. Both or none; without them the channel speaks plain HTTP.
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
	// ClientCA is the file of the authorities whose client certificates are accepted. A client need not have one; a token does too.
	ClientCA string `koanf:"client_ca"`
	// Clients are the certificates that admit somebody.
	Clients []Client `koanf:"clients"`
}

// Client admits whoever has a certificate of that name, issued by the ClientCA.
type Client struct {
	// Name is a DNS name, an e-mail address or a URI of the certificate, or, if it has none of these, its common name. Unique.
	Name string `koanf:"name"`
	// Role is viewer, operator or admin; each may do what the one before it may.
	Role Role `koanf:"role"`
}

func (t *TLS) enabled() bool { return t.Cert != "" }

// Validate names everything that cannot be used, all at once. It does not look at the files.
func (t *TLS) Validate() error {
	var faults []error
	if (t.Cert == "") != (t.Key == "") {
		faults = append(faults, fault("cert", "give both, or none for plain HTTP", "a certificate needs its key, and a key its certificate"))
	}
	if t.ClientCA != "" && t.Cert == "" {
		faults = append(faults, fault("client_ca", "add cert and key", "client certificates need TLS"))
	}
	if (t.ClientCA == "") != (len(t.Clients) == 0) {
		faults = append(faults, fault("clients", "give client_ca, and for each certificate a name and a role", "client certificates need an authority and the names that it vouches for"))
	}
	names := map[string]bool{}
	for _, c := range t.Clients {
		if c.Name == "" || len(c.Name) > 200 || !isPrintable(c.Name) {
			faults = append(faults, fault("clients", "it is the name in the certificate", "a client needs a printable name of 1 to 200 bytes"))
		}
		if c.Role.rank() == 0 {
			faults = append(faults, fault("clients", "use viewer, operator or admin", "%q is not a role", c.Role))
		}
		if names[c.Name] {
			faults = append(faults, fault("clients", "", "the name %q is given twice", c.Name))
		}
		names[c.Name] = true
	}
	return errors.Join(faults...)
}

// certificates admit clients by the names that their certificates have.
type certificates map[string]Role

func newCertificates(clients []Client) certificates {
	cs := certificates{}
	for _, c := range clients {
		cs[c.Name] = c.Role
	}
	return cs
}

// Authenticate is given certificates that TLS has verified.
func (cs certificates) Authenticate(_ context.Context, c Credentials) (Principal, error) {
	if c.Certificate == nil {
		return Principal{}, ErrUnknown
	}
	for _, name := range namesOf(c.Certificate) {
		if role, ok := cs[name]; ok {
			return Principal{name, role}, nil
		}
	}
	return Principal{}, ErrUnknown
}

func namesOf(c *x509.Certificate) []string {
	names := slices.Concat(c.DNSNames, c.EmailAddresses)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 {
		names = append(names, c.Subject.CommonName)
	}
	return names
}

// lookEvery is how often the files of the certificates are looked at, at most.
const lookEvery = time.Second

// keyring holds what TLS needs and reads it again when the files change.
type keyring struct {
	cfg TLS
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	current *tls.Config
	stamps  []stamp
	looked  time.Time
}

// stamp tells versions of a file apart.
type stamp struct {
	at   time.Time
	size int64
}

// newKeyring reads the files; the error says what is wrong with them.
func newKeyring(cfg TLS, log *slog.Logger) (*keyring, error) {
	k := &keyring{cfg: cfg, log: log, looked: time.Now()}
	k.stamps = k.stamp()
	var err error
	k.current, err = k.load()
	return k, err
}

// config is for a server. Each connection gets what the files say at that time.
func (k *keyring) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.now(), nil },
	}
}

func (k *keyring) now() *tls.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.looked) < lookEvery {
		return k.current
	}
	k.looked = time.Now()
	stamps := k.stamp()
	if slices.Equal(stamps, k.stamps) {
		return k.current
	}
	k.stamps = stamps
	fresh, err := k.load()
	if err != nil {
		k.log.Error("the changed certificates cannot be used; those before stay", "error", err)
		return k.current
	}
	k.log.Info("the certificates of the control plane were read again", "cert", k.cfg.Cert)
	k.current = fresh
	return fresh
}

func (k *keyring) stamp() (stamps []stamp) {
	for _, path := range []string{k.cfg.Cert, k.cfg.Key, k.cfg.ClientCA} {
		var s stamp
		if info, err := os.Stat(path); err == nil {
			s = stamp{info.ModTime(), info.Size()}
		}
		stamps = append(stamps, s)
	}
	return stamps
}

func (k *keyring) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(k.cfg.Cert, k.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("platform.control.tls: %s and %s are no certificate with its key: %w", k.cfg.Cert, k.cfg.Key, err)
	}
	if pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
		k.log.Warn("the certificate of the control plane has expired", "cert", k.cfg.Cert, "at", pair.Leaf.NotAfter)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if k.cfg.ClientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(k.cfg.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("platform.control.tls.client_ca: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("platform.control.tls.client_ca: there is no certificate in %s", k.cfg.ClientCA)
	}
	return c, nil
}

package control_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
)

// ca issues certificates for a test.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

func newCA(t *testing.T) *ca {
	c := &ca{t: t, last: 1}
	c.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &c.key.PublicKey, c.key)
	if err != nil {
		t.Fatal(err)
	}
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue gives a certificate and its key in PEM.
func (c *ca) issue(template *x509.Certificate) (cert, key []byte) {
	c.t.Helper()
	c.last++
	template.SerialNumber = big.NewInt(c.last)
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	own := newKey(c.t)
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, &own.PublicKey, c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		c.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

func (c *ca) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

func serverTemplate(serialName string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: serialName}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func clientTemplate(name pkix.Name, dns ...string) *x509.Certificate {
	return &x509.Certificate{Subject: name, DNSNames: dns, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// vault is a folder with the files of a server.
type vault struct {
	t              *testing.T
	ca             *ca
	cert, key, cas string
}

func newVault(t *testing.T) *vault {
	dir := t.TempDir()
	v := &vault{t: t, ca: newCA(t), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), cas: filepath.Join(dir, "ca.pem")}
	v.renew("first")
	v.put(v.cas, v.ca.pem())
	return v
}

func (v *vault) put(path string, text []byte) {
	v.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) renew(name string) {
	cert, key := v.ca.issue(serverTemplate(name))
	v.put(v.cert, cert)
	v.put(v.key, key)
}

// settings are those of a control plane with TLS, with one token and two kinds of client certificates.
func (v *vault) settings() map[string]any {
	s := withTokens()
	s["platform.control.tls.cert"], s["platform.control.tls.key"], s["platform.control.tls.client_ca"] = v.cert, v.key, v.cas
	s["platform.control.tls.clients"] = []any{
		map[string]any{"name": "dashboard.example.org", "role": "viewer"}, map[string]any{"name": "Night Shift", "role": "operator"},
	}
	return s
}

// client trusts the authority and presents a certificate, if one is given.
func (v *vault) client(cert, key []byte) *http.Client {
	v.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(v.ca.cert)
	conf := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			v.t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	v.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: transport}
}

func status(t *testing.T, c *http.Client, method, url string, changes ...with) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(req)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestTLS(t *testing.T) {
	v := newVault(t)
	p := startPlane(t, v.settings())
	url := "https://" + p.http.Addr()
	if !strings.Contains(p.log.String(), `"address":"`+url+`"`) {
		t.Error("the log does not say https")
	}
	plain := v.client(nil, nil)
	if got := status(t, plain, "GET", url+"/livez"); got != 200 {
		t.Errorf("/livez: %d", got)
	}
	if got := status(t, plain, "GET", url+"/api/v1/runtime"); got != 401 {
		t.Errorf("without a token: %d", got)
	}
	if got := status(t, plain, "GET", url+"/api/v1/runtime", bearer(viewerToken)); got != 200 {
		t.Errorf("with a token: %d", got)
	}
	// Plain HTTP is not answered with anything useful.
	if res, err := p.client.Get("http://" + p.http.Addr() + "/livez"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("plain HTTP: %d", res.StatusCode)
		}
	}
}

// Certificates admit by their names, with the role of the name.
func TestClientCertificates(t *testing.T) {
	v := newVault(t)
	p := startPlane(t, v.settings())
	url := "https://" + p.http.Addr()
	for name, c := range map[string]struct {
		template    *x509.Certificate
		reads, acts int
	}{
		"a DNS name":                 {clientTemplate(pkix.Name{CommonName: "x"}, "dashboard.example.org"), 200, 403},
		"a common name":              {clientTemplate(pkix.Name{CommonName: "Night Shift"}), 200, 409},
		"a common name beside a DNS": {clientTemplate(pkix.Name{CommonName: "Night Shift"}, "other.example.org"), 401, 401},
		"nobody":                     {clientTemplate(pkix.Name{CommonName: "stranger"}), 401, 401},
	} {
		client := v.client(v.ca.issue(c.template))
		if got := status(t, client, "GET", url+"/api/v1/workers"); got != c.reads {
			t.Errorf("%s reads: %d, want %d", name, got, c.reads)
		}
		if got := status(t, client, "POST", url+"/api/v1/runtime/start"); got != c.acts {
			t.Errorf("%s starts: %d, want %d", name, got, c.acts)
		}
	}
	night := v.client(v.ca.issue(clientTemplate(pkix.Name{CommonName: "Night Shift"})))
	if got := status(t, night, "GET", url+"/api/v1/workers", bearer("wrong")); got != 401 {
		t.Errorf("a wrong token beside a certificate: %d", got)
	}
	if got := status(t, night, "POST", url+"/api/v1/runtime/start", bearer(viewerToken)); got != 403 {
		t.Errorf("a viewer's token beside an operator's certificate: %d", got)
	}
	if list := p.records("?by=Night+Shift", v.client(nil, nil), url); len(list) != 1 || list[0].Role != control.Operator || list[0].Outcome != control.AuditRefused {
		t.Errorf("audit %+v", list)
	}
	// A certificate of another authority, an expired one and one for servers do not get through the handshake.
	old := clientTemplate(pkix.Name{CommonName: "Night Shift"})
	old.NotAfter = time.Now().Add(-time.Minute)
	foreign := newCA(t)
	for name, client := range map[string]*http.Client{
		"foreign": v.client(foreign.issue(clientTemplate(pkix.Name{CommonName: "Night Shift"}))),
		"expired": v.client(v.ca.issue(old)),
		"server":  v.client(v.ca.issue(serverTemplate("Night Shift"))),
	} {
		if res, err := client.Get(url + "/livez"); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

// Renewed files are used without a restart; broken ones are not, and the log says so.
func TestCertificatesAreReadAgain(t *testing.T) {
	v := newVault(t)
	p := startPlane(t, v.settings())
	shown := func() string {
		conn, err := tls.Dial("tcp", p.http.Addr(), v.client(nil, nil).Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Fatalf("%s", got)
	}
	v.renew("second, which is longer")
	eventually(t, "the second is shown", func() bool { return shown() == "second, which is longer" })
	v.put(v.cert, []byte("rubbish"))
	eventually(t, "the log tells of the broken one", func() bool {
		return shown() == "second, which is longer" && strings.Contains(p.log.String(), "the changed certificates cannot be used; those before stay")
	})
	v.renew("third")
	eventually(t, "the third is shown", func() bool { return shown() == "third" })
	v.put(v.cas, newCA(t).pem())
	night := v.client(v.ca.issue(clientTemplate(pkix.Name{CommonName: "Night Shift"})))
	eventually(t, "the authority has changed", func() bool {
		res, err := night.Get("https://" + p.http.Addr() + "/livez")
		if err == nil {
			_ = res.Body.Close()
		}
		return err != nil
	})
}

// Files that cannot be used fail the start, before any worker runs, and the port is free again.
func TestBadCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vault)
		want  string
	}{
		"no file":   {func(v *vault) { _ = os.Remove(v.cert) }, "are no certificate with its key"},
		"rubbish":   {func(v *vault) { v.put(v.key, []byte("rubbish")) }, "are no certificate with its key"},
		"other key": {func(v *vault) { _, key := v.ca.issue(serverTemplate("x")); v.put(v.key, key) }, "are no certificate with its key"},
		"no CA":     {func(v *vault) { _ = os.Remove(v.cas) }, "platform.control.tls.client_ca"},
		"empty CA":  {func(v *vault) { v.put(v.cas, []byte("\n")) }, "there is no certificate in"},
	} {
		v := newVault(t)
		c.spoil(v)
		p := newPlane(t, v.settings())
		if err := p.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if p.http.Addr() != "" {
			t.Errorf("%s: it listens", name)
		}
	}
}

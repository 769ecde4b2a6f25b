package mailbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plba/plba/examples/mailorderbot/internal/mailserver"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// certify makes a certificate for a host and returns it with the file that holds its authority, which is itself.
func certify(t testing.TB, host string) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func TestEncryption(t *testing.T) {
	right, rightCA := certify(t, "127.0.0.1")
	other, otherCA := certify(t, "mail.example.test")
	for name, tc := range map[string]struct {
		server   *tls.Config
		implicit bool
		mode, ca string
		fails    string
	}{
		"starttls":                       {right, false, mailbox.TLSStartTLS, rightCA, ""},
		"implicit":                       {right, true, mailbox.TLSImplicit, rightCA, ""},
		"starttls, authority unknown":    {right, false, mailbox.TLSStartTLS, otherCA, "x509"},
		"implicit, authority unknown":    {right, true, mailbox.TLSImplicit, "", "x509"},
		"implicit, another server":       {other, true, mailbox.TLSImplicit, otherCA, "x509"},
		"starttls, another server":       {other, false, mailbox.TLSStartTLS, otherCA, "x509"},
		"starttls, server has none":      {nil, false, mailbox.TLSStartTLS, rightCA, "STARTTLS"},
		"implicit, server speaks plain":  {nil, false, mailbox.TLSImplicit, rightCA, "tls"},
		"no encryption, server could do": {right, false, mailbox.TLSNone, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, mailserver.Config{TLS: tc.server, Implicit: tc.implicit})
			s.Deliver([]byte("mail"))
			cfg := plain(s.IMAPAddr())
			cfg.TLS, cfg.CAFile = tc.mode, tc.ca
			m := mailbox.New(cfg)
			closeAtEnd(t, m)
			err := m.Open(t.Context())
			sendErr := mailbox.NewSender(mailbox.SMTPConfig{
				Address: s.SMTPAddr(), Username: "orders", Password: "orders", TLS: tc.mode, CAFile: tc.ca,
			}).Send(t.Context(), "ann@a.test", []byte("Subject: hi\r\n\r\n"))
			if tc.fails != "" {
				wantError(t, err, nil, s.IMAPAddr())
				wantError(t, sendErr, nil, s.SMTPAddr(), tc.fails)
				if len(s.Sent()) > 0 {
					t.Error("the mail was sent")
				}
				return
			}
			must(t, err)
			must(t, sendErr)
			item := list(t, m, 1)[0]
			if raw, err := m.Fetch(t.Context(), item); err != nil || string(raw) != "mail" {
				t.Errorf("fetched %q, %v", raw, err)
			}
		})
	}
}

// Before the encryption anybody on the way can write; none of it may be taken for the server's word.
func TestNothingIsTrustedBeforeStartTLS(t *testing.T) {
	for name, tc := range map[string]struct {
		greeting, answer, want string
	}{
		"a login that is not needed": {"* PREAUTH hello", "", "PREAUTH"},
		"more than the consent":      {"* OK hello", "S1 OK go\r\n* OK [CAPABILITY IMAP4rev1 MOVE] trust me", "unencrypted bytes"},
		"no consent":                 {"* OK hello", "S1 NO", `"S1 NO\r\n"`},
		"a farewell":                 {"* BYE full", "", "BYE full"},
		"a long greeting":            {"* OK " + string(make([]byte, 8000)), "", "full"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := play(t, func(p *peer) {
				p.say("%s", tc.greeting)
				if tc.answer != "" {
					p.hear("STARTTLS")
					p.say("%s", tc.answer)
				}
				p.hear("nothing more")
			})
			cfg := bare(addr)
			cfg.TLS = mailbox.TLSStartTLS
			wantError(t, mailbox.New(cfg).Open(t.Context()), nil, addr, "starttls", tc.want)
		})
	}
}

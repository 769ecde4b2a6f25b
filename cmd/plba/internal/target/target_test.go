package target_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/cmd/plba/internal/target"
)

const targets = `
targets:
  production: {address: 'https://orders.example.com:8443', token: of-production, ca: /etc/ca.pem}
  local: {address: 'unix:///run/orders/plba.sock'}
`

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		if name == "XDG_CONFIG_HOME" {
			return "/nowhere"
		}
		return ""
	}
}

func TestFind(t *testing.T) {
	file := write(t, "config.yaml", targets, 0o600)
	single := write(t, "config.yaml", "targets: {only: {address: 'http://x:1', token: t}}", 0o600)
	token := write(t, "token", " of-a-file\n", 0o600)
	for what, c := range map[string]struct {
		flags          target.Flags
		env            func(string) string
		address, token string
		from           string
	}{
		"the documented file":   {target.Flags{Target: "local", Config: "testdata/config.yaml"}, env(), "unix:///run/orders/plba.sock", "", `the target "local"`},
		"nothing":               {target.Flags{}, env(), target.Default, "", "the default"},
		"variable":              {target.Flags{}, env("PLBA_ADDRESS", "http://v:1", "PLBA_TOKEN", "of-v"), "http://v:1", "of-v", "PLBA_ADDRESS"},
		"flag over variable":    {target.Flags{Address: "http://f:1"}, env("PLBA_ADDRESS", "http://v:1", "PLBA_TOKEN", "of-v"), "http://f:1", "of-v", "--address"},
		"target":                {target.Flags{Target: "production", Config: file}, env(), "https://orders.example.com:8443", "of-production", `the target "production"`},
		"target over variable":  {target.Flags{Target: "local", Config: file}, env("PLBA_ADDRESS", "http://v:1"), "unix:///run/orders/plba.sock", "", `the target "local"`},
		"target by variable":    {target.Flags{}, env("PLBA_TARGET", "production", "PLBA_CONFIG", file), "https://orders.example.com:8443", "of-production", `the target "production"`},
		"only target":           {target.Flags{Config: single}, env(), "http://x:1", "t", `the target "only"`},
		"the user's file":       {target.Flags{Target: "only"}, env("XDG_CONFIG_HOME", home(t, single)), "http://x:1", "t", `the target "only"`},
		"token not elsewhere":   {target.Flags{Address: "http://evil:1", Config: file}, env(), "http://evil:1", "", "--address"},
		"token of a flag":       {target.Flags{Target: "production", Config: file, Token: "f"}, env("PLBA_TOKEN", "of-v"), "https://orders.example.com:8443", "f", `the target "production"`},
		"token of a file":       {target.Flags{Address: "http://f:1", TokenFile: token}, env("PLBA_TOKEN", "of-v"), "http://f:1", "of-a-file", "--address"},
		"file by variable":      {target.Flags{Address: "http://f:1"}, env("PLBA_TOKEN_FILE", token), "http://f:1", "of-a-file", "--address"},
		"flag over file's file": {target.Flags{Address: "http://f:1", Token: "f"}, env("PLBA_TOKEN_FILE", token), "http://f:1", "f", "--address"},
	} {
		got, err := target.Find(c.flags, c.env)
		if err != nil || got.Address != c.address || got.Token != c.token || !strings.HasPrefix(got.From, c.from) || (got.Token == "") != (got.TokenFrom == "") {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func home(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "plba"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plba", "config.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFaults(t *testing.T) {
	file := write(t, "config.yaml", targets, 0o600)
	for want, f := range map[string]target.Flags{
		"exclude each other":                  {Address: "http://x", Target: "y"},
		"--token and --token-file":            {Token: "a", TokenFile: "b"},
		"has several targets (local, produc":  {Config: file},
		`has no target "odd" (there are: l`:   {Config: file, Target: "odd"},
		"no such file":                        {Config: "/nowhere.yaml"},
		`there is no target "x", because`:     {Target: "x"},
		"can be read by others (its mode is ": {Config: write(t, "config.yaml", targets, 0o644), Target: "production"},
		`unknown key "targets.a.adress"`:      {Config: write(t, "config.yaml", "targets: {a: {adress: x}}", 0o600)},
		"colour":                              {Config: write(t, "config.yaml", "colour: true", 0o600)},
		"has no address":                      {Config: write(t, "config.yaml", "targets: {a: {token: x}}", 0o600)},
		"is empty":                            {TokenFile: write(t, "token", "\n", 0o600)},
	} {
		_, err := target.Find(f, env())
		if fault := (*target.Error)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "of-production") {
			t.Errorf("%s: %v", want, err)
		}
	}
	empty := write(t, "empty.pem", "", 0o600)
	for want, at := range map[string]target.Target{
		"certificates are for https://":     {Address: "http://x", CA: certificate(t).CA},
		"holds no certificate":              {Address: "https://x", CA: empty},
		"needs both":                        {Address: "https://x", Cert: empty},
		"client certificate cannot be used": {Address: "https://x", Cert: empty, Key: empty},
		"must be http://":                   {Address: "x"},
	} {
		_, err := at.Client()
		if fault := (*target.Error)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// certificate starts a server that insists on client certificates, and gives what is needed to speak to it.
func certificate(t *testing.T) target.Target {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"ok":true}`))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o600)
	keyFile := write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), 0o600)
	return target.Target{Address: server.URL, CA: cert, Cert: cert, Key: keyFile}
}

func TestCertificates(t *testing.T) {
	whole := certificate(t)
	c, err := whole.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p, err := c.GetLiveness(t.Context()); err != nil || !p.Ok {
		t.Errorf("%+v, %v", p, err)
	}
	for _, less := range []target.Target{{Address: whole.Address, CA: whole.CA}, {Address: whole.Address, Cert: whole.Cert, Key: whole.Key}} {
		c, err := less.Client()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetLiveness(t.Context()); err == nil {
			t.Error("it answers")
		}
		c.Close()
	}
}

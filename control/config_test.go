package control_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
)

func decode(t *testing.T, text string) (control.Config, error) {
	t.Helper()
	c, err := config.Load(config.YAML("cfg.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	var cc control.Config
	err = c.Decode("platform/control", &cc)
	return cc, err
}

func TestConfigDefaults(t *testing.T) {
	cc, err := decode(t, "log: {level: info}")
	if err != nil || !cc.Enabled || cc.Listen != "127.0.0.1:8080" || cc.Insecure || cc.PublicHealth || len(cc.Tokens)+len(cc.AllowedHosts) > 0 {
		t.Errorf("%+v, %v", cc, err)
	}
}

const good = "3f3aaeb4b6e5e7c5ac7a49b1b9ba1ce1b1e9a7a0b2a1f8f6d2c5b7d4c3e2f1a0"

func TestConfigThatIsFine(t *testing.T) {
	for _, text := range []string{
		"{}", "{listen: 'localhost:0'}", "{listen: '[::1]:8080'}", "{listen: '127.1.2.3:80'}", "{enabled: false, listen: '0.0.0.0:80'}",
		"{listen: '0.0.0.0:80', insecure: true, tokens: [{name: a, role: viewer, sha256: " + good + "}]}",
		"{listen: ':80', insecure: true, tokens: [{name: a, role: admin, sha256: " + strings.ToUpper(good) + "}]}",
		"{listen: '0.0.0.0:80', tokens: [{name: a, role: viewer, sha256: " + good + ", expires: 2030-01-31T00:00:00Z}], tls: {cert: c.pem, key: k.pem}}",
		"{listen: '0.0.0.0:80', tls: {cert: c.pem, key: k.pem, client_ca: ca.pem, clients: [{name: ops.example.org, role: operator}]}}",
		"{audit: {file: audit.jsonl}}", "{probes: '0.0.0.0:8081', pprof: true}", "{socket: {path: /run/plba.sock, role: viewer, group: true}}",
		"{allowed_hosts: [plba.example.org, localhost, 10.0.0.1, '::1', a_b]}",
	} {
		cc, err := decode(t, "platform: {control: "+text+"}")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := control.New(cc); err != nil {
			t.Errorf("%s: New: %v", text, err)
		}
	}
}

// Each fault names file and line, what is wrong, and what to do. Nothing shows the hash, in the place of which the token itself may stand.
func TestConfigFaults(t *testing.T) {
	for text, want := range map[string][]string{
		"listen: 8080":              {"cfg.yaml:3", "wants text"},
		"listen: '8080'":            {`cfg.yaml:3: platform.control.listen: "8080" is not an address of the form host:port (for instance 127.0.0.1:8080`},
		"listen: '127.0.0.1:http'":  {"not an address of the form host:port"},
		"listen: '127.0.0.1:70000'": {"not an address of the form host:port"},
		"listen: '0.0.0.0:8080'": {
			"cfg.yaml:3: platform.control.listen: 0.0.0.0:8080 can be reached from other machines, and no tokens are configured (add platform.control.tokens, or listen on 127.0.0.1)",
			"without TLS everyone on the way can read the tokens (add platform.control.tls, or listen on 127.0.0.1 and put a proxy with TLS in front of it, or accept that with platform.control.insecure: true)",
		},
		"listen: ':8080'":                          {"no tokens are configured"},
		"listen: 'example.org:8080'":               {"no tokens are configured"},
		"listen: '[::]:8080'":                      {"no tokens are configured"},
		"{listen: '192.0.2.1:80', insecure: true}": {"no tokens are configured"},
		"{listen: '0.0.0.0:80', tokens: [{name: a, role: admin, sha256: " + good + "}]}": {"without TLS"},
		"tokens: [{name: a, role: root, sha256: " + good + "}]":                          {`cfg.yaml:3: platform.control.tokens[0].role: "root" is not a role (use viewer, operator or admin)`},
		"tokens: [{name: a, role: viewer, sha256: secret-token}]":                        {"cfg.yaml:3: platform.control.tokens[0].sha256: this is not a SHA-256 in 64 hexadecimal digits (make it with: printf"},
		"tokens: [{role: viewer, sha256: " + good + "}]":                                 {"platform.control.tokens[0].name: a token needs a printable name"},
		"tokens: [{name: a, role: viewer, sha256: " + good + ", expires: tomorrow}]":     {"tokens[0].expires"},
		"probes: '8081'":                {`platform.control.probes: "8081" is not an address of the form host:port`},
		"socket: {path: a, role: root}": {`platform.control.socket.role: "root" is not a role`},
		"tls: {cert: c.pem}":            {"platform.control.tls.cert: a certificate needs its key"},
		"tls: {key: k.pem}":             {"a certificate needs its key"},
		"tls: {client_ca: a.pem, clients: [{name: x, role: viewer}]}":                                                                 {"client certificates need TLS (add cert and key)"},
		"tls: {cert: c.pem, key: k.pem, client_ca: a.pem}":                                                                            {"client certificates need an authority and the names"},
		"tls: {cert: c.pem, key: k.pem, clients: [{name: x, role: viewer}]}":                                                          {"client certificates need an authority and the names"},
		"tls: {cert: c.pem, key: k.pem, client_ca: a.pem, clients: [{name: x, role: root}, {name: x, role: viewer}, {role: viewer}]}": {`"root" is not a role`, `the name "x" is given twice`, "a client needs a printable name"},
		"tokens: [{}]": {"tokens[0].name", "tokens[0].role", "tokens[0].sha256"},
		"tokens: [{name: a, role: viewer, sha256: " + good + "}, {name: a, role: admin, sha256: " + strings.Repeat("ab", 32) + "}]": {`the name "a" is given twice`},
		"tokens: [{name: a, role: viewer, sha256: " + good + "}, {name: b, role: admin, sha256: " + strings.ToUpper(good) + "}]":    {`"a" and "b" are the same token (give each its own)`},
		"allowed_hosts: ['http://a', 'a:80', '', 'a b', '*']":                                                                       {`"http://a" is not`, `"a:80" is not`, `"" is not`, `"a b" is not`, `"*" is not`},
		"alowed_hosts: [a]": {`unknown key "platform.control.alowed_hosts" (did you mean "allowed_hosts"?)`},
	} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		_, err := decode(t, "platform:\n  control:\n    "+text)
		if err == nil {
			t.Errorf("%s: no fault", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s:\n%v\nlacks %q", text, err, w)
			}
		}
		if strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), good) {
			t.Errorf("%s: shows the hash: %v", text, err)
		}
	}
}

// A configuration that was made in code is checked as well.
func TestNewChecksToo(t *testing.T) {
	var f *config.Fault
	_, err := control.New(control.Config{Enabled: true, Listen: "0.0.0.0:0"})
	if !errors.As(err, &f) || f.Key != "listen" {
		t.Errorf("%v", err)
	}
	if _, err := control.New(control.Config{}); err == nil {
		t.Error("an empty listen address is accepted")
	}
}

package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/plba/plba/config"
)

const password = "hun\"ter2"

func TestSecretDoesNotShow(t *testing.T) {
	s := config.Secret(password)
	holder := struct {
		Password config.Secret
		Many     []config.Secret
		Keyed    map[string]config.Secret
	}{s, []config.Secret{s}, map[string]config.Secret{"a": s}}

	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, holder))
	}
	for _, v := range []any{s, holder} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", v)
		shown = append(shown, log.String())
	}
	text, _ := s.MarshalText()
	shown = append(shown, string(text), s.String(), s.GoString(), s.LogValue().String())
	for _, text := range shown {
		// fmt prints the address of a pointer for some verbs, which shows nothing.
		if strings.Contains(text, "ter2") || strings.Contains(text, fmt.Sprintf("%x", "ter2")) || strings.Contains(text, fmt.Sprintf("%X", "ter2")) {
			t.Errorf("shown: %s", text)
		}
	}
	if s.Reveal() != password {
		t.Error("Reveal does not")
	}
}

// secretive objects to everything, and tells what it holds.
type secretive struct {
	Password config.Secret            `koanf:"password"`
	Token    string                   `koanf:"token" secret:"true"`
	Port     int                      `koanf:"port" secret:"true"`
	Flag     bool                     `koanf:"flag" secret:"true"`
	Wait     logLevel                 `koanf:"wait" secret:"true"`
	Keys     []string                 `koanf:"keys" secret:"true"`
	Ports    []uint8                  `koanf:"ports" secret:"true"`
	ByName   map[string]config.Secret `koanf:"by_name"`
	Inner    struct {
		Plain int `koanf:"plain"`
	} `koanf:"inner" secret:"true"`
	Database struct {
		Password config.Secret `koanf:"password"`
	} `koanf:"database"`
}

func (s *secretive) Validate() error {
	return errors.Join(
		fmt.Errorf("bad: %s %q %s", s.Password.Reveal(), s.Token, s.Keys),
		fmt.Errorf("bad: %d", s.Port),
		&config.Fault{Key: "token", Problem: "is " + s.Token, Hint: "not " + s.Token},
		fmt.Errorf("bad: %s", s.ByName["a"].Reveal()),
	)
}

type logLevel struct{}

func (*logLevel) UnmarshalText(text []byte) error { return fmt.Errorf("no such level: %s", text) }

func TestSecretsStayOutOfErrors(t *testing.T) {
	const s = "hunter2-the-secret"
	const number = "48271"
	environ := []string{"SECRET=" + s, "NUMBER=" + number}
	texts := []string{
		"{password: S, token: S, keys: [S], by_name: {a: S}, port: N}", // reaches Validate
		"{password: '${SECRET}', token: '${SECRET}', keys: '${SECRET}', by_name: {a: '${SECRET}'}}",
		"{port: S, flag: S, wait: S, ports: [S]}",
		"{port: '${SECRET}', flag: '${SECRET}', wait: '${SECRET}', ports: '${SECRET},${SECRET}'}",
		"{password: N, token: N, keys: [N], by_name: {a: N}, flag: N, wait: N, ports: [N], inner: {plain: N.5}}",
		"{ports: '${NUMBER}', flag: '${NUMBER}'}",
		"{password: [S], token: {S: S}, keys: S, by_name: S, inner: S, database: S}",
		"{inner: {plain: S}, database: [S], unknown: S, passwrod: S}",
		"{password: *S}", "{password: !S x}", "{password: &S }", "{password: !!int S}", "{password: '${S x}'}", "{password: '${SECRET}${S'}",
		"password: S: S", "password: \"S", "password: @S", "password: |S\n", "{password: S", "password: %S",
		"{password: 'S\x01'}", "{password: 'S\xff'}", "password: S\n password: S", "password: S\n---\npassword: S", "? [S]\n: S",
	}
	for _, text := range texts {
		text = strings.ReplaceAll(text, "S", s)
		text = strings.ReplaceAll(strings.ReplaceAll(text, s+"ECRET", "SECRET"), "N", number)
		text = strings.ReplaceAll(text, number+"UMBER", "NUMBER")
		c, errLoad := config.Load(config.YAML("cfg.yaml", "s:\n "+text), config.Environment("PLBA", environ))
		_, err := config.Section[secretive](c, "s")
		err = config.Join(errLoad, err)
		switch {
		case err == nil:
			t.Errorf("%s: no fault", text)
		case strings.Contains(err.Error(), s) && !strings.Contains(err.Error(), "unknown key"), strings.Contains(err.Error(), number):
			t.Errorf("%s: shown in:\n%v", text, err)
		}
	}
}

func TestSecretsFromEnvironmentStayOutOfErrors(t *testing.T) {
	c, err := config.Load(config.Environment("PLBA", []string{
		"PLBA_S__PORT=hunter2", "PLBA_S__FLAG=hunter2", "PLBA_S__PORTS=1,hunter2", "PLBA_S__WAIT=hunter2",
		"PLBA_S__INNER=hunter2", "PLBA_S__DATABASE=hunter2", "PLBA_S__TOKN=hunter2", "PLBA_S__TOKEN__X=hunter2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Section[secretive](c, "s")
	want := `environment variable PLBA_S__DATABASE: s.database: wants a group of settings, got a text
environment variable PLBA_S__FLAG: s.flag: wants true or false, got a text
environment variable PLBA_S__INNER: s.inner: wants a group of settings, got a text
environment variable PLBA_S__PORT: s.port: wants a whole number, got a text
environment variable PLBA_S__PORTS: s.ports[1]: wants a whole number from 0 to 255, got a text
environment variable PLBA_S__TOKEN__X: s.token: wants text, got a group of settings
environment variable PLBA_S__TOKN: unknown key "s.tokn" (did you mean "token"?)
environment variable PLBA_S__WAIT: s.wait: the text is not acceptable`
	if fmt.Sprint(err) != want {
		t.Errorf("faults:\n%v\nwant:\n%s", err, want)
	}
}

package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/config"
)

func TestEnvironmentTypes(t *testing.T) {
	c, err := config.Load(config.Environment("PLBA", []string{
		"PLBA_SERVER__LISTEN=10",
		"PLBA_SERVER__TIMEOUT=1m",
		"PLBA_SERVER__INTERVALS=1s, 2s",
		"PLBA_SERVER__RATIO=0.25",
		"PLBA_SERVER__ENABLED=1",
		"PLBA_SERVER__RETRIES=-7",
		"PLBA_SERVER__PORT=65535",
		"PLBA_SERVER__COUNT=010",
		"PLBA_SERVER__HOSTS=",
		"PLBA_SERVER__LEVEL=DEBUG",
		"PLBA_SERVER__LIMITS__API__RATE=3",
		"PLBA_SERVER__LABELS__X=5",
		"PLBA_SERVER__PAIR=1,2",
		"PLBA_SERVER__OPTIONAL=4",
		"PLBA_SERVER__EXTRA=6",
		"PLBA_SERVER__PASSWORD=${NOT_EXPANDED}=x",
		"PLBA_SERVER__UNTAGGED=",
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := section[server](t, c, "server")
	var want server
	want.SetDefaults()
	want.Base.SetDefaults()
	four := 4
	want.Listen, want.Timeout, want.Intervals = "10", time.Minute, []time.Duration{time.Second, 2 * time.Second}
	want.Ratio, want.Enabled, want.Retries, want.Port, want.Count = 0.25, true, -7, 65535, 10
	want.Hosts, want.Level, want.Limits["api"] = []string{}, -4, limit{3, 10}
	want.Labels, want.Pair, want.Optional = map[string]string{"x": "5"}, [2]int{1, 2}, &four
	want.Extra, want.Password = "6", "${NOT_EXPANDED}=x"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// An underscore stands for "-" and "." too, where no key has just the underscore.
func TestEnvironmentSpelling(t *testing.T) {
	type worker struct {
		Dashed  int `koanf:"max-in-flight"`
		Dotted  int `koanf:"v1.rate"`
		Literal int `koanf:"start_after"`
		Near    int `koanf:"start-after"`
		Mixed   int `koanf:"maxSize"`
		TwinA   int `koanf:"twin-a"`
		TwinB   int `koanf:"twin.a"`
	}
	type section struct {
		Workers map[string]worker `koanf:"workers"`
	}
	environ := func(name string) config.Source {
		return config.Environment("PLBA_", []string{
			"PLBA_P__WORKERS__" + name + "__MAX_IN_FLIGHT=1", "PLBA_P__WORKERS__" + name + "__V1_RATE=2",
			"PLBA_P__WORKERS__" + name + "__START_AFTER=3", "PLBA_P__WORKERS__" + name + "__MAXSIZE=4",
		})
	}
	want := worker{Dashed: 1, Dotted: 2, Literal: 3, Mixed: 4}

	c := load(t, "p: {workers: {e-mail: {start-after: 9}}}", environ("E_MAIL"))
	s, err := config.Section[section](c, "p")
	merged := want
	merged.Literal, merged.Near = 0, 3 // spelt as the file spells it
	if err != nil || !reflect.DeepEqual(s.Workers, map[string]worker{"e-mail": merged}) {
		t.Errorf("over a file: %+v, %v", s.Workers, err)
	}
	if got := c.Where("p/workers/e-mail/max-in-flight"); got != "environment variable PLBA_P__WORKERS__E_MAIL__MAX_IN_FLIGHT" {
		t.Errorf("Where = %q", got)
	}

	c = load(t, "p: {workers: {e-mail: {}, e_mail: {}}}", environ("E_MAIL"))
	s, err = config.Section[section](c, "p")
	if err != nil || !reflect.DeepEqual(s.Workers, map[string]worker{"e-mail": {}, "e_mail": want}) {
		t.Errorf("over two files: %+v, %v", s.Workers, err)
	}

	c = load(t, "", environ("E_MAIL"))
	var w worker
	if err := c.Decode("p/workers/e-mail", &w); err != nil || w != want {
		t.Errorf("by path: %+v, %v", w, err)
	}
	if err := c.Decode("p/workers/e_mail", &w); err != nil || w != want {
		t.Errorf("by literal path: %+v, %v", w, err)
	}

	c = load(t, "", config.Environment("PLBA", []string{"PLBA_P__TWIN_A=1"}))
	err = c.Decode("p", &w)
	if !strings.Contains(fmt.Sprint(err), `environment variable PLBA_P__TWIN_A: unknown key "p.twin_a" (did you mean "twin-a"?)`) {
		t.Errorf("two keys fit: %v", err)
	}

	c = load(t, "p: {max-in-flight: 1}", environ("X"), config.Environment("PLBA", []string{"PLBA_P__MAX_IN_FLIGHT=5"}))
	if err := c.Decode("p", &w, "workers"); err != nil || w.Dashed != 5 {
		t.Errorf("except: %+v, %v", w, err)
	}
}

// A key in a file is taken as it is written.
func TestFilesAreNotLoose(t *testing.T) {
	_, err := config.Section[logSection](load(t, "log: {LEVEL: info}"), "log")
	if want := `cfg.yaml:1: unknown key "log.LEVEL" (did you mean "level"?)`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = config.Section[server](load(t, `server: {count: "5"}`), "server")
	if want := `cfg.yaml:1: server.count: wants a whole number, got the text "5"`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestEnvironmentTakesOnlySettings(t *testing.T) {
	c, err := config.Load(config.Environment("PLBA", []string{
		"PLBA_TEST_LONG=1", "PLBA=1", "PLBA_=1", "PLBAX__Y=1", "OTHER__A=1", "=C:=C:\\", "PLBA_NO_VALUE__X", "plba_a__b=1",
	}))
	if err != nil || len(c.Keys("")) != 0 {
		t.Errorf("keys %q, error %v", c.Keys(""), err)
	}
	if _, err := config.Load(config.Environment("", []string{"A__B=1"})); err == nil {
		t.Error("no prefix is no fault")
	}
}

func TestEnvironmentControlCharacters(t *testing.T) {
	_, err := config.Load(config.Environment("PLBA", []string{"PLBA_A\n__B=1"}))
	want := `environment variable "PLBA_A\n__B": the key "a\n" holds a control character`
	if fmt.Sprint(err) != want {
		t.Errorf("error %q, want %q", fmt.Sprint(err), want)
	}
}

func TestVariablesInFiles(t *testing.T) {
	file := config.YAML("cfg.yaml", `
server:
  listen: ${HOST}:${PORT}
  port: ${PORT}
  timeout: 3${UNIT}
  pair: ${PORTS}
  hosts:
    - "$${HOST} $HOST $$ ${EMPTY}."
    - ${YAML}
    - ${AGAIN}
    - ${TWICE}
  labels: {"${HOST}": key}
`)
	environ := config.Environment("PLBA", []string{
		"HOST=db", "PORT=5432", "UNIT=s", "EMPTY=", "TWICE=first", "TWICE=last", "PORTS=1,2", "YAML=]}: {evil: true", "AGAIN=${HOST}",
	})
	c, err := config.Load(file, environ)
	if err != nil {
		t.Fatal(err)
	}
	got := section[server](t, c, "server")
	want := []string{"${HOST} $HOST $$ .", "]}: {evil: true", "${HOST}", "last"}
	if !reflect.DeepEqual(got.Hosts, want) {
		t.Errorf("hosts %q, want %q", got.Hosts, want)
	}
	if got.Listen != "db:5432" || got.Port != 5432 || got.Timeout != 3*time.Second || got.Pair != [2]int{1, 2} {
		t.Errorf("got %+v", got)
	}
	if _, ok := got.Labels["${HOST}"]; !ok {
		t.Errorf("keys are not expanded: %v", got.Labels)
	}
}

func TestVariablesComeFromTheFirstProvider(t *testing.T) {
	file := config.YAML("cfg.yaml", "log: {level: '${PLBA_CONFIG_TEST}'}")
	t.Setenv("PLBA_CONFIG_TEST", "process")
	for want, sources := range map[string][]config.Source{
		"process": {file},
		"given":   {file, config.Environment("PLBA", []string{"PLBA_CONFIG_TEST=given"})},
		"own":     {file, fromMap{"PLBA_CONFIG_TEST": "own"}, config.Environment("PLBA", []string{"PLBA_CONFIG_TEST=given"})},
	} {
		c, err := config.Load(sources...)
		if err != nil {
			t.Fatal(err)
		}
		if got := section[logSection](t, c, "log").Level; got != want {
			t.Errorf("level %q, want %q", got, want)
		}
	}
}

// fromMap is a provider of variables.
type fromMap map[string]string

func (m fromMap) Load(config.Lookup) (*config.Node, error) { return nil, nil }

func (m fromMap) Variable(name string) (string, bool) { v, ok := m[name]; return v, ok }

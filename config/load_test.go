package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plba/plba/config"
)

func TestPrecedence(t *testing.T) {
	c, err := config.Load(
		config.YAML("base.yaml", `
server:
  listen: base
  grade: base
  hosts: [a, b, c]
  timeout: 1s
  count: 1
  limits:
    api: {rate: 1, burst: 11}
    web: {rate: 2}
`),
		config.YAML("site.yaml", `
server:
  grade: site
  hosts: [d]
  timeout: null
  limits:
    api: {rate: 3}
`),
		config.Environment("PLBA", []string{
			"PLBA_SERVER__COUNT=2", "PLBA_SERVER__LIMITS__API__BURST=12", "PLBA_SERVER__LISTEN=environment",
		}),
		config.Settings(map[string]any{
			"server.listen":          "program",
			"server/limits/a.b/rate": 4,
			"server.retries":         uint8(5),
			"server.intervals":       []time.Duration{time.Second},
			"server.labels":          map[string]string{"x": "y"},
			"server.password":        config.Secret("hunter2"),
			"server.starts":          time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
			"server.optional":        new(int),
			"server.ratio":           float32(0.5),
			"server.enabled":         true,
			"server.inner":           nil,
			"server.extra":           (*int)(nil),
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	got := section[server](t, c, "server")
	var want server
	want.SetDefaults()
	want.Base.SetDefaults()
	want.Listen, want.Grade, want.Hosts, want.Count = "program", "site", []string{"d"}, 2
	want.Limits["api"], want.Limits["web"], want.Limits["a.b"] = limit{3, 12}, limit{2, 10}, limit{4, 10}
	want.Retries, want.Intervals, want.Labels = 5, []time.Duration{time.Second}, map[string]string{"x": "y"}
	want.Password, want.Starts = "hunter2", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	want.Optional, want.Ratio, want.Enabled = new(int), 0.5, true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	for path, where := range map[string]string{
		"server":                       "site.yaml:2",
		"server/listen":                `setting "server.listen"`,
		"server/grade":                 "site.yaml:3",
		"server/hosts":                 "site.yaml:4",
		"server/count":                 "environment variable PLBA_SERVER__COUNT",
		"server/limits/api/rate":       "site.yaml:7",
		"server/limits/api/burst":      "environment variable PLBA_SERVER__LIMITS__API__BURST",
		"server/limits/web":            "base.yaml:10",
		"server/limits/web/burst":      "base.yaml:10",
		"server/limits/nobody/at/home": "site.yaml:6",
		"nobody":                       "base.yaml, site.yaml",
		"":                             "base.yaml, site.yaml",
	} {
		if got := c.Where(path); got != where {
			t.Errorf("Where(%q) = %q, want %q", path, got, where)
		}
	}
	if got, want := c.Keys("server/limits"), []string{"a.b", "api", "web"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Keys = %q, want %q", got, want)
	}
	for _, path := range []string{"nobody", "server/hosts", "server/listen", "server/listen/deeper"} {
		if got := c.Keys(path); len(got) != 0 {
			t.Errorf("Keys(%q) = %q", path, got)
		}
	}
}

func TestGroupsAndValuesReplaceEachOther(t *testing.T) {
	group, value, list := "x: {a: {b: 1}}", "x: {a: 2}", "x: {a: [3]}"
	for _, layers := range [][2]string{{group, value}, {value, group}, {list, group}, {group, list}, {list, value}, {value, list}} {
		c := load(t, layers[0], config.YAML("second.yaml", layers[1]))
		alone := load(t, layers[1])
		var got, want any
		if err := errors.Join(c.Decode("x", &got), alone.Decode("x", &want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s over %s: %v", layers[1], layers[0], got)
		}
		if where := c.Where("x/a/b"); where != "second.yaml:1" {
			t.Errorf("%s over %s: Where = %q", layers[1], layers[0], where)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, []byte("\xEF\xBB\xBFlog: {level: debug}\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.File(good))
	if err != nil {
		t.Fatal(err)
	}
	if got := section[logSection](t, c, "log"); got.Level != "debug" {
		t.Errorf("got %+v", got)
	}

	missing := filepath.Join(dir, "missing.yaml")
	_, err = config.Load(config.File(missing), config.File(dir), config.FSFile(fstest.MapFS{}, "nowhere.yaml"))
	for _, want := range []string{
		missing + ": the file does not exist",
		dir + ": the file cannot be read: ",
		"nowhere.yaml: the file does not exist",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("fs.ErrNotExist is lost")
	}

	long := fstest.MapFS{"long.yaml": {Data: []byte("a: " + strings.Repeat("x", 1<<20))}}
	_, err = config.Load(config.FSFile(long, "long.yaml"))
	if want := "long.yaml: the file is longer than 1048576 bytes"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What is required may stand in the file that is lost: only what is certain is reported.
func TestLostSource(t *testing.T) {
	c, err := config.Load(config.YAML("a.yaml", "shop: {"), config.YAML("b.yaml", "shop: {zebra: 1}\nlimit: {rate: x}"))
	_, errShop := config.Section[required](c, "shop")
	_, errLimit := config.Section[limit](c, "limit")
	want := `a.yaml:1: not valid YAML: did not find expected node content
b.yaml:1: unknown key "shop.zebra" (known here: account, limit)
b.yaml:2: limit.rate: wants a number, got the text "x"`
	if got := config.Join(errLimit, errShop, err); fmt.Sprint(got) != want {
		t.Errorf("error:\n%v\nwant:\n%s", got, want)
	}
}

// A value that Load has reported raises no second fault, wherever it stands.
func TestInvalidValuesAreReportedOnce(t *testing.T) {
	for _, text := range []string{
		"shop: ${NOWHERE}", "shop: {account: '${NOWHERE}'}", "shop: !x {}",
		"shop: {limit: {rate: '${NOWHERE}', burst: -1}, account: a}",
	} {
		c, err := config.Load(config.YAML("a.yaml", text), config.Environment("X", nil))
		if err == nil {
			t.Errorf("%s: no fault", text)
		}
		if _, err := config.Section[required](c, "shop"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var l limit
		if err := c.Decode("shop/limit", &l); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUnclaimed(t *testing.T) {
	c := load(t, "log:\nplatform: {}\nmail_oder_bot: {}\n",
		config.Environment("PLBA", []string{"PLBA_MAIL_BOT__A=1", "PLBA_LOGG__LEVEL=x", "PLBA_LOG__LEVEL=info"}))
	c.Claim("platform")
	c.Claim("mail_order_bot")
	c.Claim("mail-bot") // the variable's underscore stands for it
	section[logSection](t, c, "log")
	want := `cfg.yaml:3: unknown section "mail_oder_bot" (did you mean "mail_order_bot"?)
environment variable PLBA_LOGG__LEVEL: unknown section "logg" (did you mean "log"?)`
	if got := c.Unclaimed(); fmt.Sprint(got) != want {
		t.Errorf("faults:\n%v\nwant:\n%s", got, want)
	}
	c.Claim("mail_oder_bot")
	c.Claim("logg")
	if err := c.Unclaimed(); err != nil {
		t.Errorf("all are claimed: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	c := load(t, "platform:\n  workers:\n    email-processing: {concurrency: 3}\n    confrm: {concurrency: 3}\n",
		config.Environment("PLBA", []string{
			"PLBA_PLATFORM__WORKERS__EMAIL_PROCESSING__CONCURRENCY=4",
			"PLBA_PLATFORM__WORKERS__OUT_BOX__CONCURRENCY=4",
			"PLBA_PLATFORM__WORKERS__NOBODY__CONCURRENCY=4",
		}))
	want := `cfg.yaml:4: unknown key "platform.workers.confrm" (did you mean "confirm"?)
environment variable PLBA_PLATFORM__WORKERS__NOBODY__CONCURRENCY: unknown key "platform.workers.nobody" (known here: email-processing, out-box, confirm)`
	if got := c.Unknown("platform/workers", "email-processing", "out-box", "confirm"); fmt.Sprint(got) != want {
		t.Errorf("faults:\n%v\nwant:\n%s", got, want)
	}
	if err := c.Unknown("platform/nowhere", "x"); err != nil {
		t.Errorf("a path that is not set: %v", err)
	}
	if err := c.Unknown("platform/workers/confrm/concurrency", "x"); err != nil {
		t.Errorf("a single value has no keys: %v", err)
	}
}

// fixed is a source of another kind.
type fixed struct{ root *config.Node }

func (f fixed) Load(config.Lookup) (*config.Node, error) { return f.root, nil }

func TestOwnSource(t *testing.T) {
	root := &config.Node{Where: "server 7", Group: map[string]*config.Node{
		"server": {Group: map[string]*config.Node{"count": {Where: "server 7, key 1", Value: "many"}}},
	}}
	c, err := config.Load(fixed{root})
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Section[server](c, "server")
	if want := `server 7, key 1: server.count: wants a whole number, got the text "many"`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	root.Group["server"] = &config.Node{Group: map[string]*config.Node{
		"count": {Where: "key 1", Value: 1},
		"extra": {Where: "key 2", List: []*config.Node{{Where: "key 3", Value: map[string]any{"a": 1}}}},
	}}
	c, err = config.Load(fixed{root})
	want := "key 1: server.count: the source gives a value of type int, which is none for settings\n" +
		"key 3: server.extra[0]: the source gives a value of type map[string]interface {}, which is none for settings"
	if fmt.Sprint(err) != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
	if s, err := config.Section[server](c, "server"); err != nil || s.Count != 0 {
		t.Errorf("a second fault: %v", err)
	}

	_, err = config.Load(fixed{&config.Node{Where: "server 7", Value: int64(1)}}, fixed{nil})
	if want := "server 7: the source does not give a group of settings"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	_, err := config.Load(config.Settings(map[string]any{
		"a.b": 1, "a": 2, "f": func() {}, "c": map[int]string{1: "x"}, "l": []any{make(chan int)}, "m.": 1,
	}))
	want := `setting "a.b": a.b: contradicts setting "a" (one of them has to go)
setting "c": a value of type map[int]string cannot be a setting
setting "f": a value of type func() cannot be a setting
setting "l": a value of type chan int cannot be a setting
setting "m.": m: an empty key`
	if fmt.Sprint(err) != want {
		t.Errorf("faults:\n%v\nwant:\n%s", err, want)
	}
}

func TestJoin(t *testing.T) {
	f := func(where, key string) error { return &config.Fault{Where: where, Key: key, Problem: "is bad"} }
	other := errors.New("other")
	wrapped := fmt.Errorf("module shop: %w", f("z.yaml:1", "x"))
	got := config.Join(other, nil, f("b.yaml:10", "x"), errors.Join(f("b.yaml:9", "x"), config.Join(f("a.yaml:11", "x"), f("b.yaml:9", "x"))), wrapped)
	want := "a.yaml:11: x: is bad\nb.yaml:9: x: is bad\nb.yaml:10: x: is bad\nother\nmodule shop: z.yaml:1: x: is bad"
	if fmt.Sprint(got) != want {
		t.Errorf("joined:\n%v\nwant:\n%s", got, want)
	}
	var fault *config.Fault
	if !errors.As(got, &fault) || fault.Where != "a.yaml:11" {
		t.Errorf("errors.As found %v", fault)
	}
	if config.Join(nil, nil) != nil {
		t.Error("nothing joined is not nil")
	}
}

func TestConfigShowsNoValues(t *testing.T) {
	c := load(t, "server: {password: hunter2}\nlog: {}")
	for _, text := range []string{fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), c.String()} {
		if text != "config of sections log, server" {
			t.Errorf("printed %q", text)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := load(t, "server: {limits: {api: {rate: 2}}}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if s, err := config.Section[server](c, "server"); err != nil || s.Limits["api"].Rate != 2 {
					t.Errorf("got %+v, %v", s.Limits, err)
				}
				_, _, _ = c.Unclaimed(), c.Where("server/limits"), c.Keys("server")
			}
		})
	}
	wg.Wait()
}

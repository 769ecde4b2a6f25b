package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/config"
)

func TestDecodeEveryKind(t *testing.T) {
	c := load(t, `
server:
  base: b
  listen: ":80"
  timeout: 1m30s
  intervals: [1s, 2m]
  ratio: 2          # a whole number is a number
  enabled: true
  retries: -128
  port: 0x1F
  count: 1_000
  hosts: [x]
  level: warn
  address: 10.0.0.1
  starts: 2026-01-02T03:04:05Z
  limits: {api: {rate: 2.5}}
  routes: [{path: /a}, {path: /b, method: PUT}]
  labels: {"1": one, on: two, a.b/c: three, since: 2026-01-02}
  pair: [1, 2]
  optional: 0
  inner: {burst: 20}
  extra: {a: [1, x, {b: null}], t: 2026-01-02}
  grade: good
  password: hunter2
  token: hunter3
  untagged: yes
`)
	got := section[server](t, c, "server")
	zero := 0
	want := server{
		Base: base{"b"}, Listen: ":80", Timeout: 90 * time.Second, Intervals: []time.Duration{time.Second, 2 * time.Minute},
		Ratio: 2, Enabled: true, Retries: -128, Port: 31, Count: 1000, Hosts: []string{"x"}, Level: slog.LevelWarn,
		Address: netip.MustParseAddr("10.0.0.1"), Starts: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Limits:   map[string]limit{"default": {7, 70}, "api": {2.5, 10}},
		Routes:   []route{{"/a", "GET"}, {"/b", "PUT"}},
		Labels:   map[string]string{"1": "one", "on": "two", "a.b/c": "three", "since": "2026-01-02"},
		Pair:     [2]int{1, 2},
		Optional: &zero, Inner: &limit{1, 20},
		Extra: map[string]any{"a": []any{int64(1), "x", map[string]any{"b": nil}}, "t": "2026-01-02"},
		Grade: "good", Password: "hunter2", Token: "hunter3", Untagged: "yes", hidden: "untouched",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestDefaultsHoldWhereNothingIsSet(t *testing.T) {
	for name, text := range map[string]string{
		"no file content":  "",
		"only a comment":   "# nothing\n",
		"no such section":  "log: {}",
		"empty section":    "server:\n",
		"null values":      "server: {timeout: , hosts: null, limits: ~, inner: }",
		"an empty group":   "server: {}",
		"empty map stays":  "server: {limits: {}}",
		"only empty parts": "---\nserver:\n...\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := section[server](t, load(t, text), "server")
			var want server
			want.SetDefaults()
			want.Base.SetDefaults()
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDefaultsOfElements(t *testing.T) {
	type queues struct {
		ByName   map[string]limit            `koanf:"by_name"`
		ByRef    map[string]*limit           `koanf:"by_ref"`
		InOrder  []limit                     `koanf:"in_order"`
		Pointers []*limit                    `koanf:"pointers"`
		Nested   map[string]map[string]limit `koanf:"nested"`
	}
	got := section[queues](t, load(t, `
q:
  by_name: {a: , b: {rate: 2}}
  by_ref: {a: , b: {rate: 2}}
  in_order: [{}, {rate: 2}]
  pointers: [{}, {rate: 2}]
  nested: {x: {y: {}}}
`), "q")
	want := queues{
		ByName:   map[string]limit{"a": {1, 10}, "b": {2, 10}},
		ByRef:    map[string]*limit{"a": {1, 10}, "b": {2, 10}},
		InOrder:  []limit{{1, 10}, {2, 10}},
		Pointers: []*limit{{1, 10}, {2, 10}},
		Nested:   map[string]map[string]limit{"x": {"y": {1, 10}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// shared is a default that all values share; decoding must not write into it.
var shared = map[string]limit{"default": {7, 70}}

type sharing struct {
	Limits map[string]limit `koanf:"limits"`
}

func (s *sharing) SetDefaults() { s.Limits = shared }

func TestElementsOfDefaultsAreStartedFrom(t *testing.T) {
	got := section[sharing](t, load(t, "s: {limits: {default: {rate: 8}, other: {}}}"), "s")
	want := map[string]limit{"default": {8, 70}, "other": {1, 10}}
	if !reflect.DeepEqual(got.Limits, want) {
		t.Errorf("got %v, want %v", got.Limits, want)
	}
	if len(shared) != 1 || shared["default"] != (limit{7, 70}) {
		t.Errorf("the default was changed: %v", shared)
	}
}

func TestListsReplaceDefaults(t *testing.T) {
	c := load(t, "server: {hosts: [only]}\nempty: {hosts: []}")
	if got := section[server](t, c, "server").Hosts; !reflect.DeepEqual(got, []string{"only"}) {
		t.Errorf("hosts = %q", got)
	}
	if got := section[server](t, c, "empty").Hosts; got == nil || len(got) != 0 {
		t.Errorf("hosts = %#v, want an empty list", got)
	}
}

func TestKeysOfMaps(t *testing.T) {
	type keyed struct {
		Ports map[uint16]string     `koanf:"ports"`
		Peers map[netip.Addr]string `koanf:"peers"`
	}
	got := section[keyed](t, load(t, "k: {ports: {80: http}, peers: {10.0.0.1: a}}"), "k")
	want := keyed{map[uint16]string{80: "http"}, map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "a"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	_, err := config.Section[keyed](load(t, "k:\n  ports: {99999: x}\n  peers: {nobody: a}"), "k")
	wantErr := "cfg.yaml:2: k.ports.99999: as a key: wants a whole number from 0 to 65535, got the number 99999\n" +
		`cfg.yaml:3: k.peers.nobody: as a key: the text "nobody" is not acceptable: ParseAddr("nobody"): unable to parse IP`
	if fmt.Sprint(err) != wantErr {
		t.Errorf("error:\n%v\nwant:\n%s", err, wantErr)
	}
}

func TestDecodePathAndExcept(t *testing.T) {
	c := load(t, `
platform:
  queues:
    mails: {backend: memory, rate: 3, extra: 1}
`)
	l := limit{Burst: 99}
	if err := c.Decode("platform/queues/mails", &l, "backend", "extra"); err != nil {
		t.Fatal(err)
	}
	if l != (limit{3, 10}) {
		t.Errorf("got %+v", l)
	}
	err := c.Decode("platform/queues/mails", &l, "backend")
	if want := `cfg.yaml:4: unknown key "platform.queues.mails.extra" (known here: rate, burst, backend)`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := c.Decode("platform/queues/others/deeper", &l); err != nil || l != (limit{1, 10}) {
		t.Errorf("a missing path: %+v, %v", l, err)
	}
	var all map[string]any
	if err := c.Decode("", &all); err != nil || len(all) != 1 {
		t.Errorf("the root: %v, %v", all, err)
	}
}

func TestDecodeWantsAPointer(t *testing.T) {
	c := load(t, "")
	for _, into := range []any{nil, limit{}, (*limit)(nil)} {
		if err := c.Decode("x", into); err == nil || !strings.Contains(err.Error(), "wants a pointer") {
			t.Errorf("Decode(%T) = %v", into, err)
		}
	}
}

func TestScalarSection(t *testing.T) {
	_, err := config.Section[limit](load(t, "log: {}\nlimit: 5"), "limit")
	if want := "cfg.yaml:2: limit: wants a group of settings, got a number"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// required reports a missing key; its place is as near as can be.
type required struct {
	Account string `koanf:"account"`
	Limit   limit  `koanf:"limit"`
}

var errRequired = errors.New("account is required")

func (r *required) Validate() error {
	if r.Account == "" {
		return errRequired
	}
	return nil
}

func TestValidateWithoutSection(t *testing.T) {
	for text, want := range map[string]string{
		"log:\nshop:\n  limit: {}": "cfg.yaml:2: shop: account is required",
		"log: {}":                  "cfg.yaml: shop: account is required",
	} {
		_, err := config.Section[required](load(t, text), "shop")
		if fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if !errors.Is(err, errRequired) {
			t.Error("the author's error is lost")
		}
	}
	none, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = config.Section[required](none, "shop"); fmt.Sprint(err) != "shop: account is required" {
		t.Errorf("without sources: %v", err)
	}
}

// embedding has two squashed structs with methods of the same names, so that none is promoted.
type embedding struct {
	required `koanf:",squash"`
	Limit2   limit `koanf:",squash"`
	base     `koanf:",squash"`
}

func TestSquash(t *testing.T) {
	got := section[embedding](t, load(t, "e: {account: a, rate: 2, base: b}"), "e")
	if got.Account != "a" || got.Limit2 != (limit{2, 10}) || got.Common != "b" || got.Limit != (limit{1, 10}) {
		t.Errorf("got %+v", got)
	}
	_, err := config.Section[embedding](load(t, "e: {rate: 20, limit: {rate: 30}}"), "e")
	want := "cfg.yaml:1: e: account is required\ncfg.yaml:1: e: burst must not be less than rate\n" +
		"cfg.yaml:1: e.limit: burst must not be less than rate"
	if fmt.Sprint(err) != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}

	type wrong struct {
		Port int `koanf:",squash"`
	}
	if _, err := config.Section[wrong](load(t, "e: {port: 1}"), "e"); !strings.Contains(fmt.Sprint(err), "cannot squash") {
		t.Errorf("squashing an int: %v", err)
	}
}

// normal changes itself in Validate, which also holds in a map.
type normal struct {
	Name string `koanf:"name"`
}

func (n *normal) Validate() error { n.Name = strings.TrimSpace(n.Name); return nil }

func TestValidateMayNormalise(t *testing.T) {
	var got map[string]normal
	if err := load(t, "m: {a: {name: ' x '}}").Decode("m", &got); err != nil || got["a"].Name != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSectionReturnsZeroBesideAnError(t *testing.T) {
	got, err := config.Section[server](load(t, "server: {listen: a, zebra: 1}"), "server")
	if err == nil || !reflect.DeepEqual(got, server{}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

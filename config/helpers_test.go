package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/config"
)

// server has a field of every supported kind.
type server struct {
	Base      base              `koanf:",squash"`
	Listen    string            `koanf:"listen"`
	Timeout   time.Duration     `koanf:"timeout"`
	Intervals []time.Duration   `koanf:"intervals"`
	Ratio     float64           `koanf:"ratio"`
	Enabled   bool              `koanf:"enabled"`
	Retries   int8              `koanf:"retries"`
	Port      uint16            `koanf:"port"`
	Count     int               `koanf:"count"`
	Hosts     []string          `koanf:"hosts"`
	Level     slog.Level        `koanf:"level"`
	Address   netip.Addr        `koanf:"address"`
	Starts    time.Time         `koanf:"starts"`
	Limits    map[string]limit  `koanf:"limits"`
	Routes    []route           `koanf:"routes"`
	Labels    map[string]string `koanf:"labels"`
	Pair      [2]int            `koanf:"pair"`
	Optional  *int              `koanf:"optional"`
	Inner     *limit            `koanf:"inner"`
	Extra     any               `koanf:"extra"`
	Grade     grade             `koanf:"grade"`
	Password  config.Secret     `koanf:"password"`
	Token     string            `koanf:"token" secret:"true"`
	Channel   chan int          `koanf:"channel"`
	Ignored   string            `koanf:"-"`
	Untagged  string
	hidden    string
}

func (s *server) SetDefaults() {
	s.Timeout = 30 * time.Second
	s.Hosts = []string{"a.example", "b.example", "c.example"}
	s.Limits = map[string]limit{"default": {Rate: 7, Burst: 70}}
	s.hidden = "untouched"
}

func (s *server) Validate() error {
	if s.Count < 0 {
		return errors.New("count must not be negative")
	}
	return nil
}

// base is squashed into server.
type base struct {
	Common string `koanf:"base"`
}

func (b *base) SetDefaults() { b.Common = "common" }

type limit struct {
	Rate  float64 `koanf:"rate"`
	Burst int     `koanf:"burst"`
}

func (l *limit) SetDefaults() { l.Rate, l.Burst = 1, 10 }

func (l *limit) Validate() error {
	var errs []error
	if l.Rate <= 0 {
		errs = append(errs, errors.New("rate must be positive"))
	}
	if float64(l.Burst) < l.Rate {
		errs = append(errs, errors.New("burst must not be less than rate"))
	}
	return errors.Join(errs...)
}

type route struct {
	Path   string `koanf:"path"`
	Method string `koanf:"method"`
}

func (r *route) SetDefaults() { r.Method = "GET" }

func (r *route) Validate() error {
	if !strings.HasPrefix(r.Path, "/") {
		return &config.Fault{Key: "path", Problem: "must begin with a slash", Hint: "write /" + r.Path}
	}
	return nil
}

// grade validates itself although it is no struct.
type grade string

func (g *grade) Validate() error {
	if *g == "bad" {
		return errors.New("is not good enough")
	}
	return nil
}

type logSection struct {
	Level string `koanf:"level"`
}

// load loads a YAML text and wants no faults.
func load(t *testing.T, text string, more ...config.Source) *config.Config {
	t.Helper()
	c, err := config.Load(append([]config.Source{config.YAML("cfg.yaml", text)}, more...)...)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

// section decodes a section and wants no faults.
func section[T any](t *testing.T, c *config.Config, name string) T {
	t.Helper()
	s, err := config.Section[T](c, name)
	if err != nil {
		t.Fatalf("Section(%q): %v", name, err)
	}
	return s
}

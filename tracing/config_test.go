package tracing

import (
	"math"
	"strings"
	"testing"
)

func TestConfigDefaults(t *testing.T) {
	var cfg Config
	cfg.SetDefaults()
	if want := (Config{Transport: "none", Ratio: 1, Recent: 200}); cfg != want {
		t.Errorf("defaults are %+v, want %+v", cfg, want)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("the defaults do not validate: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	good := Config{Transport: "memory", Ratio: 0.5, Recent: 10}
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string // nil: no fault
	}{
		"good":         {func(*Config) {}, nil},
		"ratio 0":      {func(c *Config) { c.Ratio = 0 }, nil},
		"transport":    {func(c *Config) { c.Transport = "jaegr" }, []string{`transport: "jaegr" is not known (use none, stdout, memory)`}},
		"no transport": {func(c *Config) { c.Transport = "" }, []string{`transport: "" is not known`}},
		"ratio 2":      {func(c *Config) { c.Ratio = 2 }, []string{"ratio: 2 is not between 0 and 1"}},
		"ratio NaN":    {func(c *Config) { c.Ratio = math.NaN() }, []string{"ratio: NaN is not between 0 and 1"}},
		"recent 0":     {func(c *Config) { c.Recent = 0 }, []string{"recent: 0 is not between 1 and 10000"}},
		"recent huge":  {func(c *Config) { c.Recent = 10_001 }, []string{"recent: 10001 is not between 1 and 10000"}},
		"all at once":  {func(c *Config) { *c = Config{Ratio: -1} }, []string{"transport:", "ratio:", "recent:"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			checkError(t, cfg.Validate(), c.want)
		})
	}
}

// checkError wants an error with all the given parts, or none when there are no parts.
func checkError(t *testing.T, err error, parts []string) {
	t.Helper()
	if (err != nil) != (len(parts) > 0) {
		t.Fatalf("error %v, want one with %q", err, parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

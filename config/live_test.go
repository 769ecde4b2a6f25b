package config_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/config"
)

// changing is a file whose text the test changes.
type changing struct{ text atomic.Pointer[string] }

func newChanging(text string) *changing {
	s := &changing{}
	s.set(text)
	return s
}

func (s *changing) set(text string) { s.text.Store(&text) }

func (s *changing) Load(variables config.Lookup) (*config.Node, error) {
	return config.YAML("cfg.yaml", *s.text.Load()).Load(variables)
}

// shop is a section that is followed.
type shop struct {
	Every time.Duration `koanf:"every"`
	Rate  float64       `koanf:"rate"`
	Tags  []string      `koanf:"tags"`
}

func (s *shop) SetDefaults() { s.Every, s.Rate = time.Minute, 20 }

func (s *shop) Validate() error {
	if s.Rate <= 0 {
		return errors.New("rate must be more than 0")
	}
	return nil
}

// frozen is a section that is not.
type frozen struct {
	Listen string        `koanf:"listen"`
	Wait   time.Duration `koanf:"wait"`
}

func follow[T any](t *testing.T, c *config.Config, name string) *config.Live[T] {
	t.Helper()
	l, err := config.Follow[T](c, name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reload reloads, applies and tells, and wants no faults.
func reload(t *testing.T, c *config.Config) *config.Reload {
	t.Helper()
	r, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Apply() {
		n.Tell()
	}
	return r
}

func keys(changes []config.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.String())
	}
	return strings.Join(out, ", ")
}

func TestLive(t *testing.T) {
	file := newChanging("shop: {rate: 5}")
	c := load(t, "other: {every: 1s}", file)
	live := follow[shop](t, c, "shop")
	if got := live.Get(); got.Rate != 5 || got.Every != time.Minute {
		t.Errorf("at first %+v", got)
	}
	file.set("shop:\n  every: 10s\n  tags: [a]")
	r, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if live.Get().Rate != 5 {
		t.Error("in effect before Apply")
	}
	if got := keys(r.Live); got != "shop.every (cfg.yaml:2), shop.rate (no longer set, was cfg.yaml:1), shop.tags (cfg.yaml:3)" {
		t.Errorf("changes: %s", got)
	}
	if n := r.Apply(); len(n) != 0 {
		t.Errorf("%d notices for nobody", len(n))
	}
	if got := live.Get(); got.Rate != 20 || got.Every != 10*time.Second || !slices.Equal(got.Tags, []string{"a"}) {
		t.Errorf("after it %+v", got)
	}
	if err := c.Unclaimed(); err == nil || strings.Contains(err.Error(), `section "shop"`) {
		t.Errorf("unclaimed: %v", err)
	}
}

func TestFollowFaults(t *testing.T) {
	c := load(t, "shop: {rate: 0}")
	l, err := config.Follow[shop](c, "shop")
	if l != nil || fmt.Sprint(err) != "cfg.yaml:1: shop: rate must be more than 0" {
		t.Errorf("%v, %v", l, err)
	}
}

func TestOnChange(t *testing.T) {
	file := newChanging("")
	c := load(t, "", file)
	one, two, same := follow[shop](t, c, "one"), follow[shop](t, c, "two"), follow[shop](t, c, "one")
	var told []string
	note := func(name string, of *config.Live[shop]) func(old, new shop) {
		return func(old, new shop) {
			if of.Get().Rate != new.Rate {
				t.Errorf("%s is told of %v before it holds", name, new)
			}
			told = append(told, fmt.Sprintf("%s %v>%v", name, old.Rate, new.Rate))
		}
	}
	two.OnChange(note("a", two))
	stop := one.OnChange(note("b", one))
	same.OnChange(note("c", same))
	var stopLater func()
	two.OnChange(func(_, _ shop) { stopLater() })
	stopLater = two.OnChange(note("never", two))
	one.OnChange(func(_, _ shop) { one.OnChange(note("late", one)) })

	check := func(text, want string) {
		t.Helper()
		told = nil
		file.set(text)
		reload(t, c)
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("%s: told %q, want %q", text, got, want)
		}
	}
	check("one: {rate: 2}", "b 20>2, c 20>2")
	check("one: {rate: 2}\ntwo:\n    every: 60s", "")
	check("{one: {rate: 3}, two: {rate: 4}}", "a 20>4, b 2>3, c 2>3, late 2>3")
	stop()
	stop()
	check("{one: {rate: 1}, two: {rate: 4}}", "c 3>1, late 3>1, late 3>1")
}

func TestReloadFaultsChangeNothing(t *testing.T) {
	const good = "shop: {rate: 5}\nfixed: {listen: here}"
	file := newChanging(good)
	c := load(t, "", file, config.Environment("PLBA", []string{"NAME=here", "PLBA_FIXED__WAIT=1s"}))
	live := follow[shop](t, c, "shop")
	section[frozen](t, c, "fixed")
	_, err := config.Ask(c, "names", func(c *config.Config) (int, error) { return 0, c.Unknown("shop/named", "x") })
	if err == nil {
		_, err = config.Ask(c, "", func(c *config.Config) (int, error) { return 0, c.Unclaimed() })
	}
	if err != nil {
		t.Fatal(err)
	}
	live.OnChange(func(old, new shop) { t.Errorf("told of %v", new) })
	for text, want := range map[string]string{
		"shop: {rate: 0}":            "cfg.yaml:1: shop: rate must be more than 0",
		"shop: {rate: 1, ever: 10s}": `cfg.yaml:1: unknown key "shop.ever" (did you mean "every"?)`,
		"fixed:\n  wait: 5\n  x: 1\nshop: {rate: 9}": "" +
			`cfg.yaml:3: unknown key "fixed.x" (known here: listen, wait)`,
		"shop: {rate: 9}\nfixed: {listen: 3}": "cfg.yaml:2: fixed.listen: wants text, got the number 3 (put it in quotes)",
		"shop: {rate: 9}\nshops: {}":          `cfg.yaml:2: unknown section "shops" (did you mean "shop"?)`,
		"shop: [":                             "cfg.yaml:1: not valid YAML: did not find expected node content",
		"fixed:\n  listen: ${NOBODY}":         "cfg.yaml:2: fixed.listen: undefined variable ${NOBODY} (set it in the environment, or write $${ for a plain ${)",
	} {
		file.set(text)
		r, err := c.Reload()
		if r != nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		if live.Get().Rate != 5 {
			t.Errorf("%q took effect", text)
		}
	}
	file.set(good)
	if r := reload(t, c); len(r.All)+len(r.Live)+len(r.Restart) != 0 {
		t.Errorf("back to what it was: %+v", r)
	}
}

func TestRestart(t *testing.T) {
	file := newChanging("fixed: {listen: here, wait: 10s}\nshop: {rate: 5}")
	c := load(t, "", file, config.Environment("PLBA", []string{"PLBA_LOUD_ONE__LISTEN=a"}))
	section[frozen](t, c, "fixed")
	section[frozen](t, c, "loud-one")
	live := follow[shop](t, c, "shop")
	section[shop](t, c, "shop")
	c.Claim("ignored")
	for _, step := range []struct{ text, live, restart string }{
		{"fixed:\n  wait: 10000ms\n  listen: here\nshop: {rate: 5}\nignored: {a: 1}", "", ""},
		{"fixed: {listen: there, wait: 10s}\nshop: {rate: 5}", "", "fixed.listen (cfg.yaml:1)"},
		{"fixed:\n  listen: there\nshop: {rate: 5}", "", "fixed.listen (cfg.yaml:2), fixed.wait (no longer set, was cfg.yaml:1)"},
		{"fixed:\n  listen: there\n  wait: 10s\nshop: {rate: 6}", "shop.rate (cfg.yaml:4)", "fixed.listen (cfg.yaml:2), shop.rate (cfg.yaml:4)"},
		{"fixed: {listen: here, wait: 10s}\nshop: {rate: 6}", "", "shop.rate (cfg.yaml:2)"},
		{"fixed: {listen: here, wait: 10s}\nshop: {rate: 5}", "shop.rate (cfg.yaml:2)", ""},
		{"fixed: {listen: here, wait: 10s}\nshop: {rate: 5}\nloud-one: {wait: 1s}", "", "loud-one.wait (cfg.yaml:3)"},
	} {
		file.set(step.text)
		r := reload(t, c)
		if keys(r.Live) != step.live || keys(r.Restart) != step.restart {
			t.Errorf("%s\nlive %q, want %q\nrestart %q, want %q", step.text, keys(r.Live), step.live, keys(r.Restart), step.restart)
		}
	}
	if live.Get().Rate != 5 {
		t.Errorf("at the end %v", live.Get())
	}
}

// What was asked is asked of the new configuration, by the same function.
func TestAsk(t *testing.T) {
	file := newChanging("names: {a: {x: 1}, b: {x: 2}}")
	c := load(t, "", file)
	ask := func(c *config.Config) ([]string, error) {
		if names := c.Keys("names"); len(names) > 0 {
			return names, nil
		}
		return nil, &config.Fault{Where: c.Where("names"), Problem: "no names"}
	}
	if got, err := config.Ask(c, "names", ask); err != nil || !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Fatalf("%v, %v", got, err)
	}
	file.set("names: {a: {x: 3}, b: {x: 2}}")
	if r := reload(t, c); keys(r.Restart) != "" || keys(r.All) != "names.a.x (cfg.yaml:1)" {
		t.Errorf("restart %q of %q although the answer is the same", keys(r.Restart), keys(r.All))
	}
	file.set("names: {c: {x: 3}}")
	if r := reload(t, c); keys(r.Restart) != "names.a.x (no longer set, was cfg.yaml:1), names.b.x (no longer set, was cfg.yaml:1), names.c.x (cfg.yaml:1)" {
		t.Errorf("restart %q", keys(r.Restart))
	}
	file.set("other: {}")
	if _, err := c.Reload(); fmt.Sprint(err) != "cfg.yaml: no names" && fmt.Sprint(err) != "cfg.yaml, cfg.yaml: no names" {
		t.Errorf("error %v", err)
	}
}

// Once one reader has seen a new value, no reader sees an old one, of any section.
func TestLiveChangesAllAtOnce(t *testing.T) {
	const generations = 300
	file := newChanging("{a: {rate: 1}, b: {rate: 1}}")
	c := load(t, "", file)
	a, b := follow[shop](t, c, "a"), follow[shop](t, c, "b")
	var readers sync.WaitGroup
	for _, first := range []bool{true, false} {
		readers.Go(func() {
			one, two := a, b
			if first {
				one, two = b, a
			}
			for seen := 1.0; seen < generations; {
				x := one.Get().Rate
				y := two.Get().Rate
				if x < seen || y < x {
					t.Errorf("saw %v, then %v, then %v", seen, x, y)
					return
				}
				seen = y
			}
		})
	}
	var told atomic.Int64
	stop := a.OnChange(func(old, new shop) { told.Add(1) })
	for g := 2; g <= generations; g++ {
		file.set(fmt.Sprintf("{a: {rate: %d}, b: {rate: %d}}", g, g))
		reload(t, c)
		if g == generations/2 {
			readers.Go(stop)
		}
	}
	readers.Wait()
	if n := told.Load(); n < generations/2-1 || n >= generations {
		t.Errorf("told %d times", n)
	}
}

func TestFileNames(t *testing.T) {
	c, _ := config.Load(config.File("b.yaml"), config.YAML("text", ""), config.File("a.yaml"), config.File("b.yaml"))
	if got := c.Files(); !slices.Equal(got, []string{"b.yaml", "a.yaml"}) {
		t.Errorf("%v", got)
	}
}

package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plba/plba/config"
)

// number is a section that holds a number, 7 unless it is set, and never a negative one.
type number struct {
	N int `koanf:"n"`
}

func (n *number) SetDefaults() { n.N = 7 }

func (n *number) Validate() error {
	if n.N < 0 {
		return fmt.Errorf("n is %d", n.N)
	}
	return nil
}

// Random files, with and without faults, against a few lines that say what is to come of them: all of a file or
// nothing, those who follow told once of each change, in order, and what only a restart can change named as long as it
// differs.
func TestReloadsAgainstModel(t *testing.T) {
	names := []string{"a", "b", "c", "fixed"}
	reloads, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) map[string]int {
			file := map[string]int{}
			for _, name := range names {
				if n := rapid.IntRange(-1, 4).Draw(t, label+name); n != 4 && (n >= 0 || label != "first ") {
					file[name] = n
				}
			}
			return file
		}
		value := func(file map[string]int, name string) int {
			if n, set := file[name]; set {
				return n
			}
			return 7
		}
		first := draw("first ")
		source := newChanging(yamlOf(first))
		c, err := config.Load(source)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Section[number](c, "fixed"); err != nil {
			t.Fatal(err)
		}
		var told []string
		lives := map[string]*config.Live[number]{}
		for _, name := range names[:3] {
			if lives[name], err = config.Follow[number](c, name); err != nil {
				t.Fatal(err)
			}
		}
		listeners := rapid.SliceOfN(rapid.SampledFrom(names[:3]), 0, 5).Draw(t, "listeners")
		for i, name := range listeners {
			lives[name].OnChange(func(old, new number) { told = append(told, fmt.Sprint(i, name, old.N, new.N)) })
		}
		present := first
		for range rapid.IntRange(1, 6).Draw(t, "reloads") {
			reloads++
			file := draw("")
			source.set(yamlOf(file))
			told = nil
			r, err := c.Reload()
			if bad := slices.ContainsFunc(names, func(name string) bool { return value(file, name) < 0 }); bad != (err != nil) {
				t.Fatalf("%v: error %v", file, err)
			}
			var want, restart []string
			if err != nil {
				refused++
			} else {
				for _, n := range r.Apply() {
					n.Tell()
				}
				for i, name := range listeners {
					if old, new := value(present, name), value(file, name); old != new {
						want = append(want, fmt.Sprint(i, name, old, new))
					}
				}
				if value(first, "fixed") != value(file, "fixed") {
					restart = []string{"fixed.n"}
				}
				present = file
				if got := len(r.Restart); got != len(restart) || got == 1 && r.Restart[0].Key != restart[0] {
					t.Fatalf("restart %v, want %v", r.Restart, restart)
				}
			}
			if !slices.Equal(told, want) {
				t.Fatalf("told %v, want %v", told, want)
			}
			for name, live := range lives {
				if got := live.Get().N; got != value(present, name) {
					t.Fatalf("%s is %d, want %d", name, got, value(present, name))
				}
			}
		}
	})
	if reloads < 200 || refused < 50 || refused == reloads {
		t.Errorf("only %d reloads, %d of them refused", reloads, refused)
	}
}

func yamlOf(file map[string]int) string {
	var b strings.Builder
	for name, n := range file {
		fmt.Fprintf(&b, "%s: {n: %d}\n", name, n)
	}
	return b.String()
}

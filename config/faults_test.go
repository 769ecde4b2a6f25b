package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestFaults compares what is said about each file of testdata/faults with the golden file beside it. A line
// `#env NAME=value` in a file sets a variable.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) < 35 {
		t.Fatalf("found %d files, error %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			got := faultsOf(t, name+".yaml").Error() + "\n"
			golden := filepath.Join("testdata", "faults", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("faults:\n%swant:\n%s", got, want)
			}
		})
	}
}

// faultsOf does what a program does at its start, and joins what went wrong.
func faultsOf(t *testing.T, name string) error {
	t.Helper()
	dir := os.DirFS("testdata/faults")
	c, errLoad := config.Load(config.FSFile(dir, name), config.Environment("PLBA", environOf(t, name)))
	_, errServer := config.Section[server](c, "server")
	_, errLog := config.Section[logSection](c, "log")
	err := config.Join(errLoad, errServer, errLog, c.Unclaimed())
	if err == nil {
		t.Fatal("no fault found")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("faults are not joined but %T", err)
	}
	for _, e := range joined.Unwrap() {
		if f := (*config.Fault)(nil); !errors.As(e, &f) || f.Where == "" {
			t.Errorf("not a located fault: %v", e)
		}
	}
	return err
}

func environOf(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/faults", name))
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for line := range strings.Lines(string(text)) {
		if variable, ok := strings.CutPrefix(line, "#env "); ok {
			environ = append(environ, strings.TrimSpace(variable))
		}
	}
	return environ
}

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"

	"example.org/meters/meters"
)

// folder makes an inbox with the given files and a configuration that points at it.
func folder(t *testing.T, files map[string]string) (config string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("meters: {inbox: %q, ledger: %q, every: 1m}\n", dir, filepath.Join(dir, "ledger.json"))
}

func TestFilesBecomeTotals(t *testing.T) {
	config := folder(t, map[string]string{
		"may.csv":   "hall;10\nflat;5\n",
		"june.csv":  "hall;2.5\n",
		"notes.txt": "not for us",
	})
	synctest.Test(t, func(t *testing.T) {
		m := &module{}
		app := plbatest.Start(t, m, plba.WithConfigYAML(config))
		app.WaitState("book", workers.Busy)
		app.WaitState("book", workers.Idle)
		if got, want := m.office.Totals(), (map[string]float64{"hall": 12.5, "flat": 5}); !maps.Equal(got, want) {
			t.Errorf("totals %v, want %v", got, want)
		}
		begin := []string{"stopped start starting", "starting ready idle", "idle work busy", "busy rest idle"}
		if got := app.Transitions("book"); !slices.Equal(got, begin) {
			t.Errorf("transitions %q, want %q", got, begin)
		}
	})
	// A second life reads the ledger and books nothing twice.
	synctest.Test(t, func(t *testing.T) {
		m := &module{}
		app := plbatest.Start(t, m, plba.WithConfigYAML(config))
		app.WaitState("book", workers.Idle)
		if res := plbatest.Feed(app, "files", meters.File{Name: "may.csv"}); res.Outcome != task.Done {
			t.Errorf("outcome %v: %v", res.Outcome, res.Err)
		}
		if got := m.office.Totals()["hall"]; got != 12.5 {
			t.Errorf("hall has %v kWh, want 12.5", got)
		}
	})
}

// The domain says "permanent" in its own words, and the platform does not repeat.
func TestBadLineIsNotRepeated(t *testing.T) {
	config := folder(t, nil)
	synctest.Test(t, func(t *testing.T) {
		m := &module{}
		app := plbatest.Start(t, m, plba.WithConfigYAML(config))
		app.WaitState("book", workers.Idle)
		inbox := m.office.Inbox()
		if err := os.WriteFile(filepath.Join(inbox, "bad.csv"), []byte("hall;10\nflat;many\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		res := plbatest.Feed(app, "files", meters.File{Name: "bad.csv"})
		if res.Outcome != task.Dead || res.Attempts != 1 {
			t.Errorf("outcome %v after %d attempts, want dead after 1", res.Outcome, res.Attempts)
		}
		if res.Err == nil || !strings.Contains(res.Err.Error(), `bad.csv:2: the reading is not a number of kWh: "flat;many"`) {
			t.Errorf("error %v does not name the line", res.Err)
		}
		if got := m.office.Totals(); len(got) != 0 {
			t.Errorf("booked %v of a bad file", got)
		}
	})
}

func TestConfigurationIsChecked(t *testing.T) {
	_, err := plba.New(&module{}, plba.WithoutControlListener(), plba.WithConfigYAML("meters: {inbox: in, ledgr: out}"))
	if err == nil {
		t.Fatal("no fault for a misspelt key")
	}
	if !strings.Contains(err.Error(), `did you mean "ledger"`) {
		t.Errorf("fault %q does not name the key that was meant", err)
	}
}

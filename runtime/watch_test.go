package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
)

// watched assembles an application with a file, and gives what its section shop is told.
func watched(t *testing.T, text string, opts ...runtime.Option) (a *runtime.App, path string, told chan int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cfg.yaml")
	writeFile(t, path, text)
	told = make(chan int, 10)
	m := module{"app", func(r *runtime.Registry) error {
		live, err := runtime.Live[pricing](r, "shop")
		if err == nil {
			live.OnChange(func(_, new pricing) { told <- new.Rate })
		}
		return err
	}}
	sources := runtime.WithSources(config.File(path))
	a, err := runtime.New(m, append([]runtime.Option{sources, runtime.WithDrivers(memory.Driver())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return a, path, told
}

// writeFile puts a file in its place at once.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

const watchOn = "\nplatform: {reload: {watch: true}}\n"

// While the application runs it follows its file; what changed before its start, too.
func TestWatchedFile(t *testing.T) {
	a, path, told := watched(t, "shop: {rate: 1}"+watchOn, runtime.WithLogger(quiet))
	for round := range 3 {
		first := 10 * (round + 1)
		writeFile(t, path, strings.ReplaceAll("shop: {rate: N}", "N", string(rune('1'+round))+"0")+watchOn)
		start(t, a)
		if got := <-told; got != first {
			t.Errorf("at the start %d, want %d", got, first)
		}
		writeFile(t, path, "shop: {rate: -1}"+watchOn) // is not taken
		writeFile(t, path, "shop: {rate: 3}"+watchOn)
		if got := <-told; got != 3 {
			t.Errorf("then %d", got)
		}
		stop(t, a)
	}
}

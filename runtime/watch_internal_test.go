package runtime

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plba/plba/config"
)

type emptyModule struct{}

func (emptyModule) Name() string             { return "empty" }
func (emptyModule) Register(*Registry) error { return nil }

// Files are watched when the configuration says so, there is one, and no option forbids it.
func TestWhenFilesAreWatched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cfg.yaml")
	if err := os.WriteFile(path, []byte("log: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	on := config.YAML("text", "platform: {reload: {watch: true}}")
	for name, c := range map[string]struct {
		opts    []Option
		watched bool
		warned  bool
	}{
		"by default":     {[]Option{WithSources(config.File(path))}, false, false},
		"switched on":    {[]Option{WithSources(config.File(path), on)}, true, false},
		"forbidden":      {[]Option{WithSources(config.File(path), on), WithoutWatch()}, false, false},
		"without a file": {[]Option{WithSources(on)}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			a, err := New(emptyModule{}, append(c.opts, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			watched := a.watcher != nil
			if _, err := a.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			warned := strings.Contains(log.String(), "comes from no file")
			if watched != c.watched || warned != c.warned || a.watcher != nil {
				t.Errorf("watched %t, warned %t, after the stop %t", watched, warned, a.watcher != nil)
			}
		})
	}
}

package config_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/plba/plba/config"
)

// watching is a Watch under way.
type watching struct {
	t     *testing.T
	files []string
	saw   chan string // what the files held, joined, at each call
	end   context.CancelFunc
	ended chan error
}

func watchFiles(t *testing.T, files ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{t: t, files: files, saw: make(chan string, 100), end: cancel, ended: make(chan error, 1)}
	go func() {
		w.ended <- config.Watch(ctx, files, func() {
			var all []string
			for _, name := range files {
				text, _ := os.ReadFile(name)
				all = append(all, string(text))
			}
			w.saw <- strings.Join(all, "+")
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-w.ended; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return w
}

// wait waits for a call at which the files held that. Only what lies between two steps of a replacement, or is
// written in place, may have been seen before.
func (w *watching) wait(want string, between ...string) {
	w.t.Helper()
	for {
		got := <-w.saw
		if got == want {
			return
		}
		ok := false
		for _, b := range between {
			ok = ok || got == b
		}
		if !ok {
			w.t.Fatalf("saw %q while waiting for %q", got, want)
		}
	}
}

func do(t *testing.T, steps ...error) {
	t.Helper()
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

func TestWatch(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string) error{
		"written in place": func(t *testing.T, path string) error { return write(path, "new") },
		"renamed over": func(t *testing.T, path string) error {
			do(t, write(path+".tmp", "new"))
			return os.Rename(path+".tmp", path)
		},
		"moved away and written anew": func(t *testing.T, path string) error {
			do(t, os.Rename(path, path+"~"), write(path, "new"))
			return os.Remove(path + "~")
		},
		"removed and written anew": func(t *testing.T, path string) error {
			do(t, os.Remove(path))
			return write(path, "new")
		},
		"emptied and then written": func(t *testing.T, path string) error {
			do(t, os.Truncate(path, 0), os.Chmod(path, 0o640))
			return write(path, "new")
		},
		"its directory replaced": func(t *testing.T, path string) error {
			dir := filepath.Dir(path)
			do(t, os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
			return write(path, "new")
		},
		"its directory prepared and put in place": func(t *testing.T, path string) error {
			dir := filepath.Dir(path)
			do(t, os.Mkdir(dir+".new", 0o700), write(filepath.Join(dir+".new", filepath.Base(path)), "new"))
			do(t, os.Rename(dir, dir+".old"))
			return os.Rename(dir+".new", dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(name, "directory") {
				t.Skip("a directory that is watched cannot be renamed there")
			}
			path := filepath.Join(t.TempDir(), "conf", "cfg.yaml")
			do(t, os.Mkdir(filepath.Dir(path), 0o700), write(path, "old"))
			w := watchFiles(t, path)
			w.wait("old")
			do(t, change(t, path))
			w.wait("new")
			do(t, write(path, "newer")) // it is still watched
			w.wait("newer", "new")
		})
	}
}

// Links are followed, wherever one of them is turned to something else.
func TestWatchLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	turn := func(t *testing.T, link, target string) {
		t.Helper()
		do(t, os.Symlink(target, link+".tmp"), os.Rename(link+".tmp", link))
	}
	t.Run("kubernetes", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "cfg.yaml")
		volume := func(name, text string) {
			do(t, os.Mkdir(filepath.Join(dir, name), 0o700), write(filepath.Join(dir, name, "cfg.yaml"), text))
			turn(t, filepath.Join(dir, "..data"), name)
		}
		volume("..1", "one")
		do(t, os.Symlink(filepath.Join("..data", "cfg.yaml"), path))
		w := watchFiles(t, path)
		w.wait("one")
		volume("..2", "two")
		do(t, os.RemoveAll(filepath.Join(dir, "..1")))
		w.wait("two")
		volume("..3", "three")
		do(t, os.RemoveAll(filepath.Join(dir, "..2")))
		w.wait("three")
	})
	t.Run("releases", func(t *testing.T) {
		dir := t.TempDir()
		for _, release := range []string{"1", "2"} {
			do(t, os.MkdirAll(filepath.Join(dir, "releases", release), 0o700))
			do(t, write(filepath.Join(dir, "releases", release, "real.yaml"), release))
			do(t, os.Symlink("real.yaml", filepath.Join(dir, "releases", release, "cfg.yaml")))
		}
		turn(t, filepath.Join(dir, "current"), filepath.Join(dir, "releases", "1")) // absolute
		do(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o700))
		path := filepath.Join(dir, "etc", "cfg.yaml")
		turn(t, path, "../current/cfg.yaml")
		w := watchFiles(t, path)
		w.wait("1")
		do(t, write(filepath.Join(dir, "releases", "1", "real.yaml"), "1b")) // the file behind three links
		w.wait("1b")
		turn(t, filepath.Join(dir, "current"), "releases/2")
		w.wait("2")
		do(t, write(filepath.Join(dir, "other.yaml"), "other"))
		turn(t, path, "../other.yaml")
		w.wait("other")
	})
	t.Run("circle", func(t *testing.T) { // which nobody can read
		path := filepath.Join(t.TempDir(), "cfg.yaml")
		do(t, os.Symlink("cfg.yaml", path))
		w := watchFiles(t, path)
		do(t, os.Remove(path), write(path, "file"))
		w.wait("file")
	})
}

// A file that is not there yet, nor its directories, is waited for; of several all must be there.
func TestWatchMissing(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "x", "y", "a.yaml"), filepath.Join(dir, "b.yaml")
	w := watchFiles(t, a, b)
	do(t, write(b, "b"), os.MkdirAll(filepath.Dir(a), 0o700), write(a, "a"))
	w.wait("a+b")
	do(t, os.Remove(b), write(a, "a2"), write(b, "b2"))
	w.wait("a2+b2")
}

func TestWatchNothingToWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := config.Watch(ctx, []string{filepath.Join(t.TempDir(), "x.yaml")}, func() { t.Error("called") }); err != nil {
		t.Error(err)
	}
}

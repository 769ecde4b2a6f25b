package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long nothing may happen to the files before they are read: who changes one rarely does so at a stroke.
const quiet = 100 * time.Millisecond

// maxLinks is how many symbolic links a path may lead through.
const maxLinks = 40

// Watch calls changed when what the files hold has changed, and once at its beginning, for what happened before. It
// blocks until ctx is done, and then returns nil; an error says that it cannot watch (any more).
//
// It follows files that are replaced, as editors and configuration management do, and symbolic links that are turned
// to another target, as Kubernetes does with its volumes. It reads them 100 ms after the last thing that happened
// to them. A file that is missing or empty is taken for one that is being written: nothing is said until it holds
// something.
//
// Changed runs on the goroutine of Watch; what happens meanwhile is not lost. A file that is renamed into its place
// is never read half-written; with one that is written in place that can happen.
func Watch(ctx context.Context, files []string, changed func()) error {
	w := &watch{files: files, touched: make(chan struct{}, 1)}
	defer w.close()
	if err := w.open(); err != nil {
		return err
	}
	w.touch() // the first look
	var failed error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	debounce(ctx, w.touched, quiet, func() {
		different, err := w.look()
		switch {
		case err != nil:
			failed = err
			stop()
		case different:
			changed()
		}
	})
	return failed
}

// debounce calls act when something was touched and then nothing for a while, until ctx is done.
func debounce(ctx context.Context, touched <-chan struct{}, quiet time.Duration, act func()) {
	for {
		select {
		case <-touched:
		case <-ctx.Done():
			return
		}
		if settled(ctx, touched, quiet) {
			act()
		}
	}
}

// settled waits until nothing is touched for so long; false when ctx is done.
func settled(ctx context.Context, touched <-chan struct{}, quiet time.Duration) bool {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case <-touched:
			timer.Reset(quiet)
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// watch is the state of Watch.
type watch struct {
	files   []string
	seen    [sha256.Size]byte // what the files held at the last look
	touched chan struct{}     // holds one

	notify *fsnotify.Watcher
	events sync.WaitGroup // the goroutine that reads those of notify
}

// touch says that something has happened. It does not block.
func (w *watch) touch() {
	select {
	case w.touched <- struct{}{}:
	default:
	}
}

// look watches what leads to the files now, reads them, and tells whether they hold something else than before.
func (w *watch) look() (different bool, err error) {
	if err := w.open(); err != nil { // before reading, so that no change falls between
		return false, err
	}
	sum := sha256.New()
	for _, name := range w.files {
		text, err := File(name).(yamlSource).read()
		if err != nil || len(text) == 0 {
			return false, nil
		}
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	now := [sha256.Size]byte(sum.Sum(nil))
	different, w.seen = now != w.seen, now
	return different, nil
}

// open watches every directory in which something can happen that changes what is read, in place of those that were
// watched before. All of it is new each time: a directory that was replaced has the same name and is another one.
func (w *watch) open() error {
	names := map[string]bool{}
	for _, file := range w.files {
		for _, name := range trail(file) {
			names[name] = true
		}
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("config: cannot watch files: %w", err)
	}
	for _, dir := range directories(names) {
		err := notify.Add(dir)
		if errors.Is(err, fs.ErrNotExist) { // it has just gone
			w.touch()
			continue
		}
		if err != nil {
			_ = notify.Close()
			return fmt.Errorf("config: cannot watch %s: %w", dir, err)
		}
	}
	w.close()
	w.notify = notify
	w.events.Go(func() { w.read(notify, names) })
	return nil
}

// read waits for events until notify is closed. After an error, usually that there were too many, anything may have
// happened.
func (w *watch) read(notify *fsnotify.Watcher, names map[string]bool) {
	for {
		select {
		case e, ok := <-notify.Events:
			if !ok {
				return
			}
			if names[filepath.Clean(e.Name)] {
				w.touch()
			}
		case _, ok := <-notify.Errors:
			if !ok {
				return
			}
			w.touch()
		}
	}
}

func (w *watch) close() {
	if w.notify != nil {
		_ = w.notify.Close() // there is nothing to be done about it
		w.events.Wait()
	}
}

// directories are those that hold the names, and their own names beside.
func directories(names map[string]bool) (dirs []string) {
	for name := range names {
		if dir := filepath.Dir(name); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		names[dir] = true // that a directory goes away is told by its own name
	}
	return dirs
}

// trail lists what decides on what is read under path: the symbolic links that lead there, and the file itself, or
// else the first thing that is missing. The directories around each of them exist.
func trail(path string) (names []string) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	at, rest := splitRoot(absolute)
	for links := 0; len(rest) > 0; {
		name := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(name)
		if err != nil {
			return append(names, name)
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = name
			continue
		}
		names = append(names, name)
		target, err := os.Readlink(name)
		if links++; err != nil || links > maxLinks {
			return names
		}
		if filepath.IsAbs(target) {
			var more []string
			at, more = splitRoot(target)
			rest = append(more, rest...)
		} else {
			rest = append(parts(target), rest...)
		}
	}
	return append(names, at)
}

// splitRoot splits an absolute path into its root and the names below.
func splitRoot(path string) (root string, below []string) {
	root = filepath.VolumeName(path) + string(filepath.Separator)
	return root, parts(strings.TrimPrefix(path, filepath.VolumeName(path)))
}

// parts are the names in a path.
func parts(path string) []string {
	return slices.DeleteFunc(strings.Split(path, string(filepath.Separator)), func(name string) bool { return name == "" })
}

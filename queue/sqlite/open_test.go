package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
)

func script(t *testing.T, path, sql string) {
	t.Helper()
	c, err := openConn(dsnOf(path, ""))
	if err == nil {
		err = errors.Join(c.script(sql), c.close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsMadeOverWhatWasThere opens what is no file of queues. It is refused, in words that help, and stays as it is.
func TestNothingIsMadeOverWhatWasThere(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		is   error
		says string
	}{
		"empty":     {func(path string) error { return os.WriteFile(path, nil, 0o600) }, ErrDamaged, "it is empty"},
		"text":      {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("hello ", 2000)), 0o600) }, ErrDamaged, "not a database"},
		"zeroes":    {func(path string) error { return os.WriteFile(path, make([]byte, 8192), 0o600) }, ErrDamaged, "not a database"},
		"foreign":   {func(path string) error { return os.WriteFile(path, read(t, foreign(t)), 0o600) }, ErrDamaged, "not one of queues"},
		"log alone": {func(path string) error { return os.WriteFile(path+"-wal", []byte("the last changes"), 0o600) }, ErrDamaged, "-wal is there"},
		"newer": {func(path string) error {
			data := read(t, filled(t))
			err := os.WriteFile(path, data, 0o600)
			script(t, path, "PRAGMA user_version = 99")
			return err
		}, ErrNewer, "version 99"},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, nil, "is no file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			before := list(t, filepath.Dir(path))
			_, err := Driver().Open(t.Context(), queue.Opening{Queue: "orders", Settings: &Settings{Path: path}})
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) ||
				!strings.HasPrefix(err.Error(), "queue orders: "+path) {
				t.Errorf("opened: %v; expected %v and the words %q", err, c.is, c.says)
			}
			if after := list(t, filepath.Dir(path)); after != before {
				t.Errorf("the directory held %s, and after the refusal %s", before, after)
			}
		})
	}
}

// foreign is a database of somebody else.
func foreign(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script(t, path, "CREATE TABLE tasks (id TEXT)")
	return path
}

// list are the files of a directory and their sizes, without locks.
func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.Name(), ".lock") {
			all = append(all, fmt.Sprintf("%s (%d bytes)", e.Name(), info.Size()))
		}
	}
	return strings.Join(all, ", ")
}

// TestBackup takes a copy of a file at work, as the operations guide says, and goes on with that.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "queue.db"), filepath.Join(dir, "copy.db")
	e := openQueue(t, Driver(), path)
	rs := []queue.Record{newRecord(), newRecord()}
	publish(t, e, rs...)
	receive(t, e, 1)
	script(t, path, "VACUUM INTO '"+copied+"'")
	publish(t, e, newRecord())
	restored := openQueue(t, Driver(), copied)
	ls := receive(t, restored, 3)
	if len(ls) != 2 {
		t.Fatalf("the copy holds %d tasks, expected 2", len(ls))
	}
	for i, l := range ls {
		if want := []int{2, 1}[i]; l.ID != rs[i].Info.ID || l.Info.Attempt != want {
			t.Errorf("restored task %d is %s in attempt %d, expected %s in attempt %d", i, l.ID, l.Info.Attempt, rs[i].Info.ID, want)
		}
	}
	if err := errors.Join(e.Close(t.Context()), restored.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestSharedFile has several queues in one file.
func TestSharedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "queue.db")
	d := Driver()
	open := func(name, path string) (queue.Engine, error) {
		return d.Open(t.Context(), queue.Opening{Queue: name, Settings: &Settings{Path: path}})
	}
	first, err := open("first", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "link")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	second, err := open("second", filepath.Join(dir, "link", "..", "new", ".", "queue.db"))
	if err != nil {
		t.Fatalf("the same file by another name: %v", err)
	}
	if _, err := open("first", filepath.Join(dir, "link", "queue.db")); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Errorf("the same queue again: %v", err)
	}
	if _, err := Driver().Open(t.Context(), queue.Opening{Queue: "third", Settings: &Settings{Path: path}}); !errors.Is(err, ErrInUse) {
		t.Errorf("the file, with another driver: %v, expected ErrInUse", err)
	}
	publish(t, first, newRecord())
	publish(t, second, newRecord(), newRecord())
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := second.Stats(t.Context()); err != nil || s.Ready != 2 {
		t.Errorf("the second queue, when the first is closed: %+v, %v", s, err)
	}
	if first, err = open("first", path); err != nil {
		t.Fatal(err)
	}
	if s, err := first.Stats(t.Context()); err != nil || s.Ready != 1 {
		t.Errorf("the first queue, opened again: %+v, %v", s, err)
	}
	if err := errors.Join(first.Close(t.Context()), second.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if left := list(t, filepath.Join(dir, "new")); strings.Contains(left, "-wal") {
		t.Errorf("after everything is closed there is %s", left)
	}
}

// TestLeasesOfTheDead opens a file whose process is gone: what it had is taken back at once, and its attempts count.
func TestLeasesOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	e := openQueue(t, Driver(), path)
	last := newRecord()
	last.Info.MaxAttempts = 1
	rs := []queue.Record{newRecord(), last}
	publish(t, e, rs...)
	for range rs {
		receive(t, e, 1)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e = openQueue(t, Driver(), path) // another driver has nothing of the first
	l := receive(t, e, 1)[0]
	if l.ID != rs[0].Info.ID || l.Info.Attempt != 2 || time.Since(began) > 30*time.Second {
		t.Errorf("received %+v after %s", l.Info, time.Since(began))
	}
	dead, err := e.Task(t.Context(), last.Info.ID)
	if err != nil || dead.State != queue.StateDead || len(dead.Failures) != 1 || dead.Failures[0].Error != "lease expired" {
		t.Errorf("the task whose last attempt it was: %+v, %v", dead, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNobodyIsBusy publishes from 64 goroutines while others read and a backup is taken: nobody hears that the database is busy.
func TestNobodyIsBusy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "queue.db")
	e := openQueue(t, Driver(), path)
	const publishers, each = 64, 10
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for range each {
				if _, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true); err != nil {
					t.Errorf("Publish: %v", err)
				}
				if _, err := e.Tasks(t.Context(), queue.Query{Limit: 1 + i%5}); err != nil {
					t.Errorf("Tasks: %v", err)
				}
			}
		})
	}
	for i := range 3 {
		script(t, path, fmt.Sprintf("VACUUM INTO '%s.%d'", path, i))
	}
	wg.Wait()
	if s, err := e.Stats(t.Context()); err != nil || s.Ready != publishers*each {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

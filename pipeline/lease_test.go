package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plba/plba/task"
)

// shelf keeps the checkpoints of one task, as a queue does: encoded, and only while the lease is held.
type shelf struct {
	mu     sync.Mutex
	values map[string]string
	calls  []string         // "save path", "load path", …
	broken map[string]error // by the first word of a call
	before func() error     // called before every call
}

func newShelf() *shelf { return &shelf{values: map[string]string{}, broken: map[string]error{}} }

// call notes a call and gives the error that it is to have.
func (s *shelf) call(ctx context.Context, what, path string) error {
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, what+" "+path)
	if err := s.broken[what]; err != nil {
		return err
	}
	return ctx.Err()
}

func (s *shelf) Load(ctx context.Context, path string, into any) (bool, error) {
	if err := s.call(ctx, "load", path); err != nil {
		return false, err
	}
	s.mu.Lock()
	text, ok := s.values[path]
	s.mu.Unlock()
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal([]byte(text), into)
}

func (s *shelf) Save(ctx context.Context, path string, v any) error {
	if err := s.call(ctx, "save", path); err != nil {
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[path] = string(text)
	return nil
}

func (s *shelf) Forget(ctx context.Context, prefix string) error {
	if err := s.call(ctx, "forget", prefix); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.values, func(path, _ string) bool { return strings.HasPrefix(path, prefix) })
	return nil
}

func (s *shelf) List(ctx context.Context, prefix string) ([]string, error) {
	if err := s.call(ctx, "list", prefix); err != nil {
		return nil, err
	}
	return s.kept(prefix), nil
}

// kept are the paths of what is kept.
func (s *shelf) kept(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for path := range s.values {
		if strings.HasPrefix(path, prefix) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// places are the kept paths without the fingerprints; "!" stands behind the marks of what is being undone.
func (s *shelf) places() []string {
	var found []string
	for _, path := range s.kept("") {
		place := path[:strings.LastIndexByte(path, '@')]
		if strings.HasSuffix(path, "!") {
			place += "!"
		}
		found = append(found, place)
	}
	return found
}

// lease is the context of an attempt at a task of which s keeps something.
func (s *shelf) lease(ctx context.Context) context.Context {
	return task.With(ctx, task.Info{ID: "t1", Attempt: 1, MaxAttempts: 20}, s, nil)
}

// undoing is the context of the lease that a task gets when it was given up.
func (s *shelf) undoing(ctx context.Context, cause string) context.Context {
	return task.With(ctx, task.Info{ID: "t1", Attempt: 1, MaxAttempts: 20, Undo: true, Cause: cause}, s, nil)
}

// diary notes what stages do, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// want checks what was noted since it was asked last.
func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("done:\n%s\nwant:\n%s", strings.Join(d.lines, "\n"), strings.Join(want, "\n"))
	}
	d.lines = nil
}

var errDeclined = errors.New("card declined")

// undo makes a compensation that notes what it undoes.
func (d *diary) undo(name string) func(context.Context, int, int, error) error {
	return func(_ context.Context, in, out int, cause error) error {
		d.note("undo %s(%d)=%d: %v", name, in, out, cause)
		return nil
	}
}

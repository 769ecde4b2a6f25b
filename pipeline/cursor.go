package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/plba/plba/task"
)

// cursor is the context of one stage in one run: the context around it, and where the run is. It is never
// changed, so code that keeps a stage's context longer than the stage lives still sees its own path. The top-level
// stages of a pipeline, which follow each other, share a course instead.
type cursor struct {
	context.Context
	name string // relative to the cursor around it
}

// Path implements task.Cursor.
func (c *cursor) Path() string { return pathIn(c.Context, c.name) }

// Value implements context.Context.
func (c *cursor) Value(key any) any {
	if task.IsCursorKey(key) {
		return c
	}
	return c.Context.Value(key)
}

// element is the place of one element of a fan-out; the cursors of the stages that work on it stand inside of
// it.
type element struct {
	context.Context
	index int
	key   string // from KeyedBy; "" without
}

// Path implements task.Cursor.
func (e *element) Path() string { return pathIn(e.Context, e.label()) }

// Value implements context.Context.
func (e *element) Value(key any) any {
	if task.IsCursorKey(key) || key == (elementKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// label names the element: by its key, or by its index.
func (e *element) label() string {
	if e.key != "" {
		return e.key
	}
	return strconv.Itoa(e.index)
}

type elementKey struct{}

// indexIn is the index of the innermost element that ctx works on, -1 outside of a fan-out.
func indexIn(ctx context.Context) int {
	if e, ok := ctx.Value(elementKey{}).(*element); ok {
		return e.index
	}
	return -1
}

// elementAround is the element of a fan-out whose outermost stage stands at that context; nil for other stages.
func elementAround(at context.Context) *element {
	if c, ok := at.(*cursor); ok {
		if e, ok := c.Context.(*element); ok {
			return e
		}
	}
	return nil
}

// pathAt is the path of the stage whose context this is.
func pathAt(at context.Context) string {
	cursor, _ := task.CursorFrom(at)
	return cursor.Path()
}

// pathIn is the path of something called name inside of what ctx stands in.
func pathIn(ctx context.Context, name string) string {
	if around, ok := task.CursorFrom(ctx); ok {
		return around.Path() + "/" + name
	}
	return name
}

// unsafeInPath are the characters that a path uses itself.
var unsafeInPath = strings.NewReplacer("%", "%25", "/", "%2F", "#", "%23", "\x00", "%00")

// elementKeys names elements by key. No two get the same name: the second "a" becomes "a#2". An empty key
// counts as a repeated one.
type elementKeys map[string]int

func (k elementKeys) name(key string) (name string, unique bool) {
	key = unsafeInPath.Replace(strings.ToValidUTF8(key, "\uFFFD"))
	k[key]++
	if n := k[key]; n > 1 || key == "" {
		return key + "#" + strconv.Itoa(n), false
	}
	return key, true
}

// ErrRepeatedKey says that two elements of a fan-out have the same key, or one has none, although something is
// kept under it.
var ErrRepeatedKey = errors.New("elements of which something is kept (Checkpoint, Compensate) need a key of their own")

func repeatedKey(index int, name string) error {
	key, _, _ := strings.Cut(name, "#")
	return task.Permanent(fmt.Errorf("%w: element %d has the key %q, as another one has, or none", ErrRepeatedKey, index, key))
}

// place is a place in a run whose path is known.
type place struct {
	context.Context
	path string
}

// Path implements task.Cursor.
func (p *place) Path() string { return p.path }

// Value implements context.Context.
func (p *place) Value(key any) any {
	if task.IsCursorKey(key) {
		return p
	}
	return p.Context.Value(key)
}

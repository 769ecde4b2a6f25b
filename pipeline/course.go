package pipeline

import (
	"context"

	"github.com/plba/plba/task"
)

// course is what the contexts of a run's stages have in common. Each stage needs a context of its own, which says for
// ever after where that stage stands, and making one for each would be what a run of quick stages takes longest for.
// So all of them are the same course, seen as different types: as the nth of its stages.
//
// A course serves eight stages; a longer run makes another one for the next eight.
type course struct {
	context.Context           // of the run
	names           *[]string // of all its stages, relative to what the context stands in
	first           int       // the number of the course's first stage
}

// at is the context of the stage with that number in a run: of this course, or of the next one. The zero course, nil, is
// before the first.
func (c *course) at(ctx context.Context, names *[]string, i int) (*course, context.Context) {
	if c == nil || i >= c.first+courseLength {
		c = &course{ctx, names, i}
	}
	switch i - c.first {
	case 0:
		return c, (*nth[[0]ordinal])(c)
	case 1:
		return c, (*nth[[1]ordinal])(c)
	case 2:
		return c, (*nth[[2]ordinal])(c)
	case 3:
		return c, (*nth[[3]ordinal])(c)
	case 4:
		return c, (*nth[[4]ordinal])(c)
	case 5:
		return c, (*nth[[5]ordinal])(c)
	case 6:
		return c, (*nth[[6]ordinal])(c)
	default:
		return c, (*nth[[7]ordinal])(c)
	}
}

const courseLength = 8

// nth is a course as the context of the stage whose number is the length of N, counted from the course's first.
type nth[N ordinals] course

// ordinals are numbers as types.
type ordinals interface {
	[0]ordinal | [1]ordinal | [2]ordinal | [3]ordinal | [4]ordinal | [5]ordinal | [6]ordinal | [7]ordinal
}

type ordinal struct{}

// Path implements task.Cursor.
func (c *nth[N]) Path() string {
	var n N
	return pathIn(c.Context, (*c.names)[c.first+len(n)])
}

// Value implements context.Context.
func (c *nth[N]) Value(key any) any {
	if task.IsCursorKey(key) {
		return c
	}
	return c.Context.Value(key)
}

package task

import (
	"context"
	"time"
)

// Info describes the task at hand. It is a value; Metadata must not be changed.
type Info struct {
	ID          string            // unique and sortable by the time of publishing
	Queue       string            // the queue's name
	Kind        string            // schema name of the payload; default: the queue's name
	Attempt     int               // 1 on the first attempt
	MaxAttempts int               // after this many failed attempts the task is dead
	Undo        bool              // this lease only compensates: the task was given up
	Cause       string            // with Undo: why, the text of its last error; ErrCancelled's when an operator cancelled it
	Unique      string            // unique key, "" without
	Group       string            // group key, "" without
	Priority    int               // higher goes first; default 0
	Metadata    map[string]string // trace context, correlation, what the publisher added
	EnqueuedAt  time.Time         // when it was published
	RunAt       time.Time         // when it was due
}

// LastAttempt says whether a failure of this attempt makes the task a dead letter.
func (i Info) LastAttempt() bool { return i.MaxAttempts > 0 && i.Attempt >= i.MaxAttempts }

// Scope is what a context knows of the task at hand.
type Scope interface {
	// Task describes the task. It must not be changed, as handlers may keep their context.
	Task() *Info
	// Kept is what the queue keeps with the task; nil if it keeps nothing.
	Kept() Checkpoints
	// Slots are those of the worker that runs the task; nil outside of a worker.
	Slots() Slots
}

type (
	scopeKey  struct{}
	cursorKey struct{}
)

// IsScopeKey says whether a context is asked for the task at hand. A context type whose Value answers with itself then is a [Scope]: a worker makes so what it
// knows of a task anyway the context of the handler, without the allocation that [With] takes.
func IsScopeKey(key any) bool { return key == scopeKey{} }

// With gives ctx the task at hand, as the worker does before it calls the handler. checkpoints and slots may be nil.
func With(ctx context.Context, info Info, checkpoints Checkpoints, slots Slots) context.Context {
	return &scope{ctx, info, checkpoints, slots}
}

// scope is a context with a task; one allocation for what every handler needs.
type scope struct {
	context.Context
	info        Info
	checkpoints Checkpoints
	slots       Slots
}

func (s *scope) Task() *Info       { return &s.info }
func (s *scope) Kept() Checkpoints { return s.checkpoints }
func (s *scope) Slots() Slots      { return s.slots }

// Value finds the scope, and else what the context around it has.
func (s *scope) Value(key any) any {
	if IsScopeKey(key) {
		return s
	}
	return s.Context.Value(key)
}

func scopeOf(ctx context.Context) Scope {
	s, _ := ctx.Value(scopeKey{}).(Scope)
	return s
}

// From gives the task at hand; false outside of a task.
func From(ctx context.Context) (Info, bool) {
	if s := scopeOf(ctx); s != nil {
		return *s.Task(), true
	}
	return Info{}, false
}

// CheckpointsFrom gives what the queue keeps for the task at hand; false outside of a task or when the queue keeps nothing.
func CheckpointsFrom(ctx context.Context) (Checkpoints, bool) {
	if s := scopeOf(ctx); s != nil {
		kept := s.Kept()
		return kept, kept != nil
	}
	return nil, false
}

// SlotsFrom gives the slots of the worker that runs the task at hand; false outside of a worker.
func SlotsFrom(ctx context.Context) (Slots, bool) {
	if s := scopeOf(ctx); s != nil {
		slots := s.Slots()
		return slots, slots != nil
	}
	return nil, false
}

// Cursor says where inside a handler the running code is: pipeline and stage, and the element of a fan-out.
type Cursor interface {
	// Path is stable over attempts, parts separated by "/": "orders/store", "orders/attachments/order.csv/decode".
	Path() string
}

// WithCursor gives ctx the place where the code runs. Pipelines call it; it decides what Key returns.
func WithCursor(ctx context.Context, c Cursor) context.Context {
	return context.WithValue(ctx, cursorKey{}, c)
}

// IsCursorKey says whether a context is asked for its cursor. A context type whose Value answers with itself then is its own cursor, without the allocation
// that WithCursor takes.
func IsCursorKey(key any) bool { return key == cursorKey{} }

// CursorFrom gives the place where the code runs; false outside of a pipeline.
func CursorFrom(ctx context.Context) (Cursor, bool) {
	c, ok := ctx.Value(cursorKey{}).(Cursor)
	return c, ok
}

// Key is the idempotency key of the running code: task ID, then the cursor's path, separated by "/". It is the same on
// every attempt of the task and differs between stages and elements. Outside of a task it is the path alone; outside of both "".
func Key(ctx context.Context) string {
	path := ""
	if c, ok := CursorFrom(ctx); ok {
		path = c.Path()
	}
	s := scopeOf(ctx)
	switch {
	case s == nil:
		return path
	case path == "":
		return s.Task().ID
	default:
		return s.Task().ID + "/" + path
	}
}

package queue

import (
	"context"
	"time"

	"github.com/plba/plba/task"
)

// Engine keeps the tasks of one queue. Its contract is set out in this package's documentation and checked by package
// queuetest. All methods are safe for concurrent use. After Close they return [ErrClosed].
//
// Errors need not name the queue: [Queue] does.
type Engine interface {
	// Publish takes the records in order and returns one receipt for each that is safe: an accepted prefix, complete
	// when err is nil. wait says what to do when the queue is full: wait for room until ctx ends, or return [ErrFull].
	// A record whose unique key counts already, or whose ID the engine has already, takes no room and changes nothing; its receipt says
	// Existing and names the task that is there. The slice is the caller's again when Publish returns.
	Publish(ctx context.Context, rs []Record, wait bool) ([]Receipt, error)

	// Receive claims up to max tasks that are due, ready or undoing, for the length of lease: by priority, then in the order in which they
	// became due, as far as pause, limits and groups allow. It waits until there is at least one, or until ctx ends. It returns leases
	// or an error, never both. max < 1 or lease <= 0 is [ErrInvalid].
	Receive(ctx context.Context, max int, lease time.Duration) ([]Lease, error)

	// Renew lets the leases end lease from now, and tells which are lost and which tasks are to end. lease <= 0 is [ErrInvalid].
	Renew(ctx context.Context, ts []Token, lease time.Duration) (Renewed, error)

	// Complete ends leases as the completions say, and returns the tokens of those whose lease was lost before; for them
	// nothing was changed. An outcome that package task does not have is [ErrInvalid], and nothing was changed at all.
	Complete(ctx context.Context, cs []Completion) (lost []Token, err error)

	// Checkpoints gives what is kept with the task of that lease; every call is fenced by the token. It is nil when the
	// engine lacks the capability [Checkpointed].
	Checkpoints(t Token) task.Checkpoints

	// Admin is what operators do.
	Admin

	// Close ends the engine and wakes everyone who waits, with [ErrClosed]. Closing twice is fine.
	Close(ctx context.Context) error
}

// Driver opens engines of one kind: "memory", "sqlite", … The runtime finds it by the backend that the configuration names.
type Driver interface {
	// Name is what the configuration calls it, for instance "memory".
	Name() string
	// Capabilities is what every engine of this driver can do.
	Capabilities() Capabilities
	// Settings returns a pointer to a new settings struct with koanf tags, which embeds [Common] and holds the defaults. The section of the
	// queue is decoded into it strictly; SetDefaults() is called before, Validate() error after that, if it has them.
	Settings() Settings
	// Open opens the engine of one queue. Opening a durable one again finds what was in it.
	Open(ctx context.Context, o Opening) (Engine, error)
}

// Opening is what an engine is opened with.
type Opening struct {
	// Queue is the queue's name.
	Queue string
	// Order is how tasks of one group follow each other.
	Order Order
	// Settings is what the driver's Settings returned, filled; nil asks for the defaults.
	Settings Settings
}

// Order is how tasks with one group key follow each other.
type Order uint8

const (
	// Unordered: the group key limits only how many run at once (group_running).
	Unordered Order = iota
	// Strict: one task of a group at a time, and the next one waits until it has ended: from its first claim on, whether it runs,
	// retries, snoozes, was given back or is undoing. done, dead and cancelled let the next one go.
	Strict
)

// Record is a task on its way into an engine.
type Record struct {
	// Info comes with ID, Queue, Kind, MaxAttempts (0: no limit), Unique, Group, Priority, Metadata and, if the publisher named an
	// instant, RunAt. The engine sets EnqueuedAt, and RunAt where it is zero or past, by its own clock.
	Info task.Info
	// Payload belongs to the engine from now on.
	Payload Payload
	// Delay makes the task due that long after it is published, by the engine's clock. It wins over Info.RunAt.
	Delay time.Duration
	// UniqueFor is how long Info.Unique counts from publishing on, also when the task has ended; it counts at least as long
	// as the task lives. Without Info.Unique it has no meaning.
	UniqueFor time.Duration
	// Made is when the record was made, with the monotonic reading: an engine in the same process may take that of the first record for the present, and need not ask the
	// clock again. Zero: it asks.
	Made time.Time
}

// Payload is what a task carries: Value as it is, for engines with the capability [InProcess], Bytes for the others.
type Payload struct {
	Value any
	Bytes []byte
}

// Receipt tells what became of a published task.
type Receipt struct {
	// ID of the task, sortable by the time of publishing.
	ID string
	// Existing: the unique key counts already; nothing was added, and ID is the task that has the key.
	Existing bool
}

// Token is the right to answer for a task: it names the task and one claim of it.
type Token struct {
	ID string
	// Lease grows with every claim of the task, also after a snooze and a return. An older one is worthless.
	Lease int64
}

// Lease is a task handed out for a while. Info.Undo says that it only compensates: the task was given up, and Info.Cause why: the error of its last
// attempt, or the text of task.ErrCancelled.
type Lease struct {
	Token
	Info    task.Info
	Payload Payload
	Until   time.Duration // how long the lease lasts, from the moment Receive returned
}

// Renewed is what a renewal found. Every token that is in neither list was renewed.
type Renewed struct {
	// Lost are leases that had ended: their handlers must stop, and what they answer changes nothing.
	Lost []Token
	// Cancelled are leases of tasks that an operator wants to end: renewed too, but their handlers must stop, and then
	// answer task.Cancelled.
	Cancelled []Token
}

// Completion is how a lease ends.
type Completion struct {
	Token
	// Outcome: task.Done, Dropped, Retry, Snoozed, Dead or Cancelled.
	Outcome task.Outcome
	// After is how long the task waits before it is ready again, after Retry and Snoozed; 0 or less: at once.
	After time.Duration
	// Counted says whether a Retry uses up the attempt. One that does not gives the task back: with After 0 it takes
	// its old place among the ready ones. The other outcomes do not look at it.
	Counted bool
	// Cause is the error text; it is kept in the task's history after a counted Retry, after Dead and after Cancelled.
	Cause string
}

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
	// A record whose unique key counts already takes no room; its receipt names the task that has the key. The slice is the
	// caller's again when Publish returns.
	Publish(ctx context.Context, rs []Record, wait bool) ([]Receipt, error)

	// Receive claims up to max ready tasks for the length of lease: by priority, then in the order in which they
	// became due. It waits until there is at least one, or until ctx ends. It returns leases or an error, never both.
	// max < 1 or lease <= 0 is [ErrInvalid].
	Receive(ctx context.Context, max int, lease time.Duration) ([]Lease, error)

	// Renew lets the leases end lease from now, and returns those tokens whose lease is lost. lease <= 0 is [ErrInvalid].
	Renew(ctx context.Context, ts []Token, lease time.Duration) (lost []Token, err error)

	// Complete ends leases as the completions say, and returns the tokens of those whose lease was lost before; for them
	// nothing was changed. An outcome that package task does not have is [ErrInvalid], and nothing was changed at all.
	Complete(ctx context.Context, cs []Completion) (lost []Token, err error)

	// Checkpoints gives what is kept with the task of that lease; every call is fenced by the token. It is nil when the
	// engine lacks the capability [Checkpointed].
	Checkpoints(t Token) task.Checkpoints

	// Stats counts. It does not wait for other operations.
	Stats(ctx context.Context) (Stats, error)

	// Dead lists up to limit dead letters, those that died last first. A limit below 1 lists none.
	Dead(ctx context.Context, limit int) ([]Dead, error)

	// Close ends the engine and wakes everyone who waits, with [ErrClosed]. Closing twice is fine.
	Close(ctx context.Context) error
}

// Driver opens engines of one kind: "memory", "sqlite", … The runtime finds it by the backend that the configuration names.
type Driver interface {
	// Name is what the configuration calls it, for instance "memory".
	Name() string
	// Capabilities is what every engine of this driver can do.
	Capabilities() Capabilities
	// Settings returns a pointer to a new settings struct with koanf tags. The section of the queue is decoded into
	// it strictly; SetDefaults() is called before, Validate() error after that, if it has them.
	Settings() any
	// Open opens the engine of one queue. settings is what Settings returned, filled; nil asks for the defaults.
	Open(ctx context.Context, queue string, settings any) (Engine, error)
}

// Record is a task on its way into an engine.
type Record struct {
	// Info comes with ID, Queue, Kind, MaxAttempts (0: no limit), Unique, Priority, Metadata and, if the publisher named an
	// instant, RunAt. The engine sets EnqueuedAt, and RunAt where it is zero or past, by its own clock.
	Info task.Info
	// Payload belongs to the engine from now on.
	Payload Payload
	// Delay makes the task due that long after it is published, by the engine's clock. It wins over Info.RunAt.
	Delay time.Duration
	// UniqueFor is how long Info.Unique counts from publishing on, also when the task has ended; it counts at least as long
	// as the task lives. Without Info.Unique it has no meaning.
	UniqueFor time.Duration
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

// Lease is a task handed out for a while.
type Lease struct {
	Token
	Info    task.Info
	Payload Payload
	Until   time.Duration // how long the lease lasts, from the moment Receive returned
}

// Completion is how a lease ends.
type Completion struct {
	Token
	// Outcome: task.Done, Dropped, Retry, Snoozed or Dead.
	Outcome task.Outcome
	// After is how long the task waits before it is ready again, after Retry and Snoozed; 0 or less: at once.
	After time.Duration
	// Counted says whether a Retry uses up the attempt. One that does not gives the task back: with After 0 it takes
	// its old place among the ready ones. The other outcomes do not look at it.
	Counted bool
	// Cause is the error text; it is kept in the task's history after a counted Retry and after Dead.
	Cause string
}

// Failure is one failed attempt in a task's history.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error"`
}

// Dead is a dead letter: a task that will not be tried again, with everything known about it.
type Dead struct {
	Info     task.Info // Attempt is the last one
	Payload  Payload
	Failures []Failure // every failed attempt, in order
	DiedAt   time.Time
}

// Stats counts the tasks of a queue by state, and what went through it since it was opened.
type Stats struct {
	Ready       int64         `json:"ready"`
	Scheduled   int64         `json:"scheduled"`
	Running     int64         `json:"running"`
	Retrying    int64         `json:"retrying"`
	Dead        int64         `json:"dead"`
	Published   int64         `json:"published"`       // accepted, without those that existed
	Completed   int64         `json:"completed"`       // done or dropped
	Capacity    int64         `json:"capacity"`        // how many unfinished tasks fit, 0: no bound
	OldestReady time.Duration `json:"oldest_ready_ns"` // for how long the first ready task has been due, 0 without one
}

// Unfinished is how many tasks count against the capacity.
func (s Stats) Unfinished() int64 { return s.Ready + s.Scheduled + s.Running + s.Retrying }

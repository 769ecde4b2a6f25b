package workers

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/tracing"
)

// Worker is an active component that the runtime starts, watches and stops. All methods are safe for concurrent use.
type Worker interface {
	// Name is unique within the application.
	Name() string
	// Start returns when the worker is ready or cannot be. The context bounds the start only, not the worker's life.
	// Starting a running worker does nothing.
	Start(start context.Context) error
	// Stop ends the intake at once and waits for what is in flight. When soft is done the contexts of handlers are cancelled with
	// task.ErrForced; when hard is done what still runs is abandoned. A forced stop is Stop with soft already done.
	Stop(soft, hard context.Context) Receipt
	// Done is closed at the end of the present life; it is closed already when the worker does not run.
	Done() <-chan struct{}
	// Err says why the last life ended: nil after a stop or a clean return.
	Err() error
	// Health answers at once; it does no I/O.
	Health() health.Report
	// Status answers at once.
	Status() Status
}

// Status is what a worker is doing right now. It is not its health.
type Status struct {
	Name        string    `json:"name"`
	Kind        string    `json:"kind"` // consume, poll, schedule, listen, serve, loop, or what an author's own worker says
	State       State     `json:"state"`
	Since       time.Time `json:"since,omitzero"`
	InFlight    int64     `json:"in_flight"`
	Done        uint64    `json:"done"`                  // tasks, polls or pieces of work finished, over all lives
	Failed      uint64    `json:"failed"`                // the same, failed; what was snoozed or given back is neither
	Cancelled   uint64    `json:"cancelled,omitempty"`   // tasks that ended because an operator wanted it
	Concurrency int       `json:"concurrency,omitempty"` // the present target, see Scaler
	Paused      bool      `json:"paused,omitempty"`      // by Pauser
	Abandoned   int64     `json:"abandoned,omitempty"`   // calls of an earlier life that have not returned yet
	Restarts    uint64    `json:"restarts"`              // by the supervisor
	NextRestart time.Time `json:"next_restart,omitzero"`
	NextRun     time.Time `json:"next_run,omitzero"` // of a schedule: the instant that is due next
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	LastStack   string    `json:"last_stack,omitempty"` // where the last error was thrown, if it was a panic: its first 8 KiB
}

// Receipt tells what a stop did with the work of one worker.
type Receipt struct {
	Finished  int `json:"finished"`  // work in flight that ended by itself
	Returned  int `json:"returned"`  // tasks given back to their queue, the attempt not counted
	Abandoned int `json:"abandoned"` // calls that ignored their context and still run
}

// Settings is what an operator may say of a worker in platform.workers, without a new build. It overrides the code.
type Settings struct {
	// Concurrency is how many tasks a consumer handles at once, at least 1; nil keeps what the code says. A change at run time (Scaler)
	// overrides it until the process ends.
	Concurrency *int `koanf:"concurrency"`
}

// Validate refuses a concurrency below 1.
func (s *Settings) Validate() error {
	if s.Concurrency != nil && *s.Concurrency < 1 {
		return fmt.Errorf("concurrency must be at least 1, not %d", *s.Concurrency)
	}
	return nil
}

// Env is what the runtime lends to a worker before its first start.
type Env struct {
	Logger   *slog.Logger
	Tracing  *tracing.Service
	Settings Settings
	Observe  func(worker string, t Transition) // may be nil; called in order, must not block, start or stop; may ask for status
	Failed   func(worker string, f Failure)    // may be nil; called for every failed attempt, concurrently, must not block
	Eager    bool                              // in tests: a consumer is saturated when the tasks at hand are parked, though more might come
}

func (e Env) withDefaults() Env {
	if e.Logger == nil {
		e.Logger = slog.New(slog.DiscardHandler)
	}
	if e.Tracing == nil {
		e.Tracing, _ = tracing.NewWith(tracing.NoOpTransport{}, 1, "workers") // these arguments are valid
	}
	return e
}

// Equipped is implemented by every worker of this package: the runtime calls Equip once, at registration. The error holds all
// faults of the worker's own definition (nil handler, concurrency 0, a setting that does not apply), each naming the worker.
type Equipped interface {
	Equip(Env) error
}

// Recorder is implemented by every worker of this package: the last transitions, oldest first, busy/idle kept apart so that a busy
// day does not push out the last failure.
type Recorder interface {
	History() (lifecycle, activity []Transition)
}

package workers

import (
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// Failure is one attempt at a task that failed.
type Failure struct {
	Queue        string    `json:"queue"`
	Task         string    `json:"task"` // its ID
	Kind         string    `json:"kind,omitempty"`
	Attempt      int       `json:"attempt"`
	Undo         bool      `json:"undo,omitempty"`          // it was an attempt to undo the task
	Final        bool      `json:"final"`                   // there is no further attempt
	RetrySeconds float64   `json:"retry_seconds,omitempty"` // how long until the next attempt
	Error        string    `json:"error"`
	At           time.Time `json:"at"`
}

// report tells of a failed attempt whoever observes.
func (c *consumer[T]) report(info *task.Info, done queue.Completion, err error) {
	if c.env.Failed == nil {
		return
	}
	f := Failure{Queue: info.Queue, Task: info.ID, Kind: info.Kind, Attempt: info.Attempt, Undo: info.Undo, Error: err.Error(), At: time.Now()}
	if f.Final = isFinal(info, done); !f.Final {
		f.RetrySeconds = done.After.Seconds()
	}
	defer func() { // it is foreign code, and the task must be answered
		if v := recover(); v != nil {
			c.env.Logger.Error("an observer of failures panicked", "worker", c.name, "error", v, "stack", NewPanicError(v).Stack())
		}
	}()
	c.env.Failed(c.name, f)
}

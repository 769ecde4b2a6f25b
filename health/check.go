package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

const (
	defaultEvery   = 10 * time.Second
	defaultTimeout = 5 * time.Second
)

// Check is a function that finds out how something is.
type Check struct {
	// Name is unique among all components of a registry. Required.
	Name string
	// Func returns nil for ok, an error marked by Degraded for degraded, and any
	// other error for unhealthy. It should return soon after its context ends,
	// which is after Timeout or when the registry stops. Required.
	Func func(context.Context) error
	// Critical makes the whole unhealthy when this is. Default: degraded.
	Critical bool
	// Every is the pause between the end of a round and the start of the next.
	// Default: 10 s.
	Every time.Duration
	// Timeout is how long an answer may take. Default: 5 s.
	Timeout time.Duration
	// Groups are the groups that it belongs to. Default: Readiness if it is
	// critical, else none.
	Groups []Group
}

// complete fills in defaults and says what is wrong.
func (c *Check) complete() error {
	var faults []error
	if c.Func == nil {
		faults = append(faults, errors.New("it has no function"))
	}
	if c.Every < 0 {
		faults = append(faults, fmt.Errorf("its interval %v is negative", c.Every))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("its timeout %v is negative", c.Timeout))
	}
	for _, g := range c.Groups {
		if g != Readiness && g != Startup {
			faults = append(faults, fmt.Errorf("there is no group %q", g))
		}
	}
	if c.Every == 0 {
		c.Every = defaultEvery
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return errors.Join(faults...)
}

func (c *Check) noAnswer() Report {
	return Report{State: StateUnhealthy, Reason: fmt.Sprintf("no answer in %v", c.Timeout)}
}

// call is one run of a check, on a goroutine of its own so that a check that
// hangs holds up nobody but itself.
type call struct {
	done   chan struct{} // closed when the function has returned
	report Report        // what it came to; set before done is closed
	ended  error         // what its context had ended with by then, if it had
}

func begin(ctx context.Context, check *Check, log *slog.Logger) *call {
	c := &call{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		ctx, cancel := context.WithTimeout(ctx, check.Timeout)
		defer cancel()
		c.run(ctx, check, log)
	}()
	return c
}

func (c *call) run(ctx context.Context, check *Check, log *slog.Logger) {
	returned := false
	defer func() {
		c.ended = ctx.Err()
		if returned {
			return
		}
		c.report = Report{State: StateUnhealthy, Reason: "the check ended its goroutine without an answer"}
		if p := recover(); p != nil {
			c.report = panicked(log, check.Name, p)
		}
	}()
	c.report = Of(check.Func(ctx))
	returned = true
}

// panicked is called while the panic's stack is still there to be logged.
func panicked(log *slog.Logger, component string, p any) Report {
	reason := fmt.Sprintf("panic: %v", p)
	log.Error("health check panicked", "component", component, "reason", reason, "stack", string(debug.Stack()))
	return Report{State: StateUnhealthy, Reason: reason}
}

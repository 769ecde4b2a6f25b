package control

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba/workers"
)

// What can be asked.
const (
	askedStart = "start"
	askedStop  = "stop"
)

// Command is something that was asked of the runtime and accepted.
type Command struct {
	Asked          string    `json:"asked"`                     // start or stop
	By             string    `json:"by"`                        // the name of who asked
	Reason         string    `json:"reason,omitempty"`          // as given
	Mode           StopMode  `json:"mode,omitempty"`            // of a stop
	TimeoutSeconds float64   `json:"timeout_seconds,omitempty"` // of a stop with a budget of its own
	Exit           bool      `json:"exit,omitempty"`            // of a stop that ends the process too
	At             time.Time `json:"at"`
	EndedAt        time.Time `json:"ended_at,omitzero"` // zero while it goes on
	Error          string    `json:"error,omitempty"`   // why it did not succeed
}

// why is the reason that logs and receipts show.
func (c *Command) why() string {
	if c.Reason == "" {
		return "asked for by " + c.By
	}
	return c.Reason + " (asked for by " + c.By + ")"
}

// Accepted is the answer to a command: it has begun, and goes on in the background.
type Accepted struct {
	State   workers.State `json:"state"` // of the runtime, now
	Command Command       `json:"command"`
}

// underway is an accepted command.
type underway struct {
	command Command       // guarded by Service.mu
	done    chan struct{} // closed when it has ended
}

// accept books a command, unless the service is closed.
func (s *Service) accept(c Command) (*underway, error) {
	c.At = time.Now().UTC()
	u := &underway{command: c, done: make(chan struct{})}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.last = u
		s.underway[u] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		return nil, &Error{Kind: ErrConflict, Detail: "the control plane is closing"}
	}
	s.app.Logger().Info("control command", "asked", c.Asked, "by", c.By, "mode", string(c.Mode), "exit", c.Exit, "reason", c.Reason)
	return u, nil
}

// ended books the end of a command.
func (s *Service) ended(u *underway, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.command.EndedAt = time.Now().UTC()
	if err != nil {
		u.command.Error = err.Error()
	}
	delete(s.underway, u)
	close(u.done)
}

func (s *Service) accepted(u *underway) Accepted {
	state := s.app.Status().State
	s.mu.Lock()
	defer s.mu.Unlock()
	return Accepted{state, u.command}
}

// Close refuses further commands, gives up those under way, and waits for stops among them or for the end of ctx; the error names what it did not wait for.
// For a start nobody must wait here: one that App.Stop interrupts takes down what it has begun, and so stops the channel that calls Close, itself.
// App.Stop waits for that.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	var stops []*underway
	for u := range s.underway {
		if u.command.Asked == askedStop {
			stops = append(stops, u)
		}
	}
	s.mu.Unlock()
	s.cancel()
	for _, u := range stops {
		select {
		case <-u.done:
		case <-ctx.Done():
			return fmt.Errorf("the stop asked for by %s has not ended: %w", u.command.By, context.Cause(ctx))
		}
	}
	return nil
}

package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/queue"
)

// Settings is what operators say of a memory queue.
type Settings struct {
	// Capacity is how many unfinished tasks fit. Default 1000.
	Capacity int `koanf:"capacity"`
	// DeadLetters is how many dead tasks are kept; beyond it the oldest are forgotten. Default 1000.
	DeadLetters int `koanf:"dead_letters"`
}

// SetDefaults fills in the defaults.
func (s *Settings) SetDefaults() {
	s.Capacity, s.DeadLetters = 1000, 1000
}

// Validate finds what cannot be.
func (s *Settings) Validate() error {
	var faults []error
	if s.Capacity < 1 {
		faults = append(faults, fmt.Errorf("capacity is %d: it must be at least 1", s.Capacity))
	}
	if s.DeadLetters < 0 {
		faults = append(faults, fmt.Errorf("dead_letters is %d: it must not be negative", s.DeadLetters))
	}
	return errors.Join(faults...)
}

// Option changes the driver.
type Option func(*driver)

// Encoded makes the driver ask for encoded payloads, as a durable one does. Tests use it, so that a handler that changes
// the publisher's value, or a type that loses something when it is encoded, shows at once.
func Encoded() Option {
	return func(d *driver) { d.capabilities &^= queue.InProcess }
}

// Driver returns the driver "memory". It is safe for concurrent use.
func Driver(opts ...Option) queue.Driver {
	d := &driver{capabilities: queue.Checkpointed | queue.InProcess}
	for _, o := range opts {
		o(d)
	}
	return d
}

type driver struct{ capabilities queue.Capabilities }

func (d *driver) Name() string                     { return "memory" }
func (d *driver) Capabilities() queue.Capabilities { return d.capabilities }

func (d *driver) Settings() any {
	s := new(Settings)
	s.SetDefaults()
	return s
}

// Open never waits.
func (d *driver) Open(_ context.Context, name string, settings any) (queue.Engine, error) {
	if settings == nil {
		settings = d.Settings()
	}
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("queue %s: settings of a memory queue are a *memory.Settings, not a %T", name, settings)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("queue %s: %w", name, err)
	}
	return newEngine(*s), nil
}

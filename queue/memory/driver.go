package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/queue"
)

// Settings is what operators say of a memory queue: the settings that every engine has. A memory queue is always bounded.
type Settings struct {
	queue.Common `koanf:",squash"`
}

// SetDefaults fills in the defaults: a capacity of 1000, and as many dead letters.
func (s *Settings) SetDefaults() {
	s.Common.SetDefaults()
	s.Capacity, s.DeadLetters = 1000, 1000
}

// Validate finds what cannot be.
func (s *Settings) Validate() error {
	var unbounded error
	if s.Capacity == 0 {
		unbounded = errors.New("capacity is 0: it must be at least 1")
	}
	return errors.Join(s.Common.Validate(), unbounded)
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
	d := &driver{capabilities: queue.Checkpointed | queue.Grouped | queue.InProcess}
	for _, o := range opts {
		o(d)
	}
	return d
}

type driver struct{ capabilities queue.Capabilities }

func (d *driver) Name() string                     { return "memory" }
func (d *driver) Capabilities() queue.Capabilities { return d.capabilities }

func (d *driver) Settings() queue.Settings {
	s := new(Settings)
	s.SetDefaults()
	return s
}

// Open never waits.
func (d *driver) Open(_ context.Context, o queue.Opening) (queue.Engine, error) {
	if o.Settings == nil {
		o.Settings = d.Settings()
	}
	s, ok := o.Settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("queue %s: settings of a memory queue are a *memory.Settings, not a %T", o.Queue, o.Settings)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.Queue, err)
	}
	return newEngine(*s, o.Order), nil
}

package queue

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Settings is what operators say of one queue: the settings that its engine's driver has, decoded from platform.queues.<name>. A driver's struct
// embeds [Common], squashed, which makes it Settings:
//
//	type Settings struct {
//		queue.Common `koanf:",squash"`
//		Path         string `koanf:"path"`
//	}
type Settings interface {
	// Limits are the settings that every engine has; changing them changes the settings.
	Limits() *Common
}

// Common are the settings that every engine has. Its zero value is valid: no limits, and the defaults of the others.
type Common struct {
	// Capacity is how many living tasks fit: scheduled, ready, running, retrying and undoing. 0: no bound. Default 0, memory: 1000.
	Capacity int `koanf:"capacity"`
	// MaxPayload is how many bytes an encoded payload may have. Default and 0: [MaxPayload], 1 MiB.
	MaxPayload int `koanf:"max_payload"`
	// MaxRunning is how many tasks are under a lease at once, over all processes that share the queue. 0, the default: no limit.
	MaxRunning int `koanf:"max_running"`
	// Rate limits how fast tasks are claimed, over all processes that share the queue.
	Rate Rate `koanf:"rate"`
	// GroupRunning is how many tasks of one group key are under a lease at once, over all processes that share the queue. Default and 0: 1. With the
	// order [Strict] it is 1 whatever stands here.
	GroupRunning int `koanf:"group_running"`
	// KeepDone is how long done and dropped tasks are kept, for people to look at. 0, the default: not at all.
	KeepDone time.Duration `koanf:"keep_done"`
	// KeepDead is how long dead and cancelled tasks are kept. 0, the default: until someone discards them, or DeadLetters is exceeded.
	KeepDead time.Duration `koanf:"keep_dead"`
	// DeadLetters is how many dead and cancelled tasks are kept together; beyond it those that ended first are forgotten. 0: no bound. Default 0,
	// memory: 1000.
	DeadLetters int `koanf:"dead_letters"`
}

// Rate is a limit in the form of a token bucket: each claimed task takes a token, tokens come back evenly.
type Rate struct {
	// PerSecond is how many tasks are claimed in a second, in the long run; 0.1 is one in ten seconds. 0, the default: no limit.
	PerSecond float64 `koanf:"per_second"`
	// Burst is how many tasks can be claimed at once after a quiet time. Default and 0: as many as come in a second, at least 1.
	Burst int `koanf:"burst"`
}

// Tokens is how many tokens the bucket holds at most: Burst, or its default.
func (r Rate) Tokens() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return max(1, int(math.Ceil(r.PerSecond)))
}

// Interval is the time between two tokens, 0 without a limit.
func (r Rate) Interval() time.Duration {
	if r.PerSecond <= 0 {
		return 0
	}
	return time.Duration(min(float64(time.Second)/r.PerSecond, math.MaxInt64/8))
}

// Limits returns c: settings that embed Common have it by that.
func (c *Common) Limits() *Common { return c }

// SetDefaults fills in what is not zero by default.
func (c *Common) SetDefaults() {
	c.MaxPayload, c.GroupRunning = MaxPayload, 1
}

// PayloadLimit is MaxPayload with its default.
func (c *Common) PayloadLimit() int {
	if c.MaxPayload == 0 {
		return MaxPayload
	}
	return c.MaxPayload
}

// GroupLimit is how many tasks of a group may be under a lease at once in a queue of that order.
func (c *Common) GroupLimit(o Order) int {
	if o == Strict {
		return 1
	}
	return max(1, c.GroupRunning)
}

// fastest is the highest rate; beyond it a limit has no meaning, and times would round to nothing.
const fastest = 1e6

// Validate finds what cannot be.
func (c *Common) Validate() error {
	var faults []error
	refuse := func(bad bool, key string, value any, rule string) {
		if bad {
			faults = append(faults, fmt.Errorf("%s is %v: it must %s", key, value, rule))
		}
	}
	const natural = "not be negative"
	refuse(c.Capacity < 0, "capacity", c.Capacity, natural)
	refuse(c.MaxPayload < 0 || c.MaxPayload > math.MaxInt32, "max_payload", c.MaxPayload, "be between 1 and 2147483647 bytes")
	refuse(c.MaxRunning < 0, "max_running", c.MaxRunning, natural)
	refuse(!(c.Rate.PerSecond >= 0 && c.Rate.PerSecond <= fastest), "rate.per_second", c.Rate.PerSecond, "be between 0 and a million")
	refuse(c.Rate.Burst < 0, "rate.burst", c.Rate.Burst, natural)
	refuse(c.GroupRunning < 0, "group_running", c.GroupRunning, natural)
	refuse(c.KeepDone < 0, "keep_done", c.KeepDone, natural)
	refuse(c.KeepDead < 0, "keep_dead", c.KeepDead, natural)
	refuse(c.DeadLetters < 0, "dead_letters", c.DeadLetters, natural)
	return errors.Join(faults...)
}

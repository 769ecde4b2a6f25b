package queue

import (
	"sync/atomic"
	"time"
)

// clock tells the present for half the price of time.Now: the monotonic clock is asked each time, the wall clock only when its last answer is older than
// wallAge. So a wall clock that is set shows a little later, and never in between. The zero value is ready; safe for concurrent use.
type clock struct{ asked atomic.Pointer[time.Time] }

const wallAge = 50 * time.Millisecond

// now is the present with its monotonic reading.
func (c *clock) now() time.Time {
	if asked := c.asked.Load(); asked != nil {
		if age := time.Since(*asked); age < wallAge {
			return asked.Add(age)
		}
	}
	now := time.Now()
	c.asked.Store(&now)
	return now
}

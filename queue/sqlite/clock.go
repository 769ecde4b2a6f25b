package sqlite

import (
	"math"
	"sync/atomic"
	"time"
)

// clock is the store's time, in nanoseconds. It never goes back: within a process it follows the monotonic clock, and from one process to the next it
// advances by what the wall clock says has passed, if that is more than nothing. So moving the wall clock moves no lease, no delay and no order of tasks. It
// began with Unix time when the file was made.
type clock struct {
	read  reading
	base  int64        // the store's time when the process opened the file
	ahead atomic.Int64 // of the wall clock, for what people see
}

// reading gives the wall clock, and the monotonic time since some fixed moment.
type reading func() (wall time.Time, elapsed time.Duration)

// systemTime is the reading that is not a test's.
func systemTime() reading {
	began := time.Now()
	return func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Round(0), now.Sub(began)
	}
}

// mark is a moment by both clocks. It is kept in the file with every commit.
type mark struct{ store, wall int64 }

// newClock goes on where the last process stopped; the zero mark is that of a new file.
func newClock(read reading, last mark) *clock {
	wall, elapsed := read()
	c := &clock{read: read, base: wall.UnixNano()}
	if last != (mark{}) {
		c.base = last.store + max(0, wall.UnixNano()-last.wall)
	}
	c.base -= int64(elapsed)
	c.follow(c.mark())
	return c
}

func (c *clock) now() int64 { return c.mark().store }

// mark is the present by both clocks.
func (c *clock) mark() mark {
	wall, elapsed := c.read()
	return mark{store: c.base + int64(elapsed), wall: wall.UnixNano()}
}

const never = int64(math.MaxInt64)

// in is the instant d after now.
func in(now int64, d time.Duration) int64 {
	if d <= 0 {
		return now
	}
	return now + min(int64(d), never-now)
}

// until is how long from now, by the wall clock, t is.
func (c *clock) until(t time.Time) time.Duration {
	wall, _ := c.read()
	return t.Sub(wall)
}

// slack is how far the clocks may drift apart before what people see follows the wall clock; without it the same instant would look different each time, by some
// microseconds.
const slack = int64(100 * time.Millisecond)

// follow keeps in step with the wall clock what people see.
func (c *clock) follow(now mark) int64 {
	ahead := c.ahead.Load()
	if drift := now.store - now.wall - ahead; drift > slack || drift < -slack {
		ahead = int64(time.Duration(now.store - now.wall).Round(time.Duration(slack)))
		c.ahead.Store(ahead)
	}
	return ahead
}

// show is an instant of the store by the wall clock. What was ten minutes ago stays ten minutes ago when the wall clock is put right.
func (c *clock) show(at int64) time.Time { return time.Unix(0, at-c.follow(c.mark())).UTC() }

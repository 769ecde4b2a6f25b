package queue

import (
	"testing"
	"testing/synctest"
	"time"
)

// The clock says what time.Now says, at once and after a while.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		for _, wait := range []time.Duration{0, time.Millisecond, wallAge - time.Millisecond, 1, wallAge, time.Hour, 0} {
			time.Sleep(wait)
			if now, want := c.now(), time.Now(); !now.Equal(want) {
				t.Errorf("%s, want %s", now, want)
			}
		}
	})
}

// It is never behind what was said before, and close to the wall clock.
func TestClockIsMonotonic(t *testing.T) {
	var c clock
	last := time.Now()
	for range 100_000 {
		now := c.now()
		if now.Sub(last) < 0 {
			t.Fatalf("%s after %s", now, last)
		}
		last = now
	}
}

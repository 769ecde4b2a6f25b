package runtime

import (
	"testing"
	"time"

	"github.com/plba/plba/workers"
)

func TestDerive(t *testing.T) {
	all := []workers.State{workers.Stopped, workers.Starting, workers.Idle, workers.Busy, workers.Stopping}
	for own, want := range map[State]workers.State{Stopped: workers.Stopped, Starting: workers.Starting, Stopping: workers.Stopping} {
		for _, s := range all { // its own state wins while it is not running
			if got := derive(own, []workers.Status{{State: s}}); got != want {
				t.Errorf("%s with a worker that is %s is %s, want %s", own, s, got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		of   []workers.State
		want workers.State
	}{
		"no workers":                      {nil, workers.Idle},
		"all idle":                        {[]workers.State{workers.Idle, workers.Idle}, workers.Idle},
		"one busy":                        {[]workers.State{workers.Idle, workers.Busy, workers.Stopped}, workers.Busy},
		"all stopped":                     {[]workers.State{workers.Stopped, workers.Stopped}, workers.Idle},
		"one is restarted":                {[]workers.State{workers.Starting, workers.Idle}, workers.Idle},
		"one is restarted, one busy":      {[]workers.State{workers.Starting, workers.Busy}, workers.Busy},
		"one was stopped for some reason": {[]workers.State{workers.Stopping, workers.Idle}, workers.Idle},
	} {
		var ws []workers.Status
		for _, s := range c.of {
			ws = append(ws, workers.Status{State: s})
		}
		if got := derive(Running, ws); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for streak, base := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 6: time.Minute, 7: time.Minute, 100: time.Minute, 1 << 40: time.Minute,
	} {
		least, most := time.Hour, time.Duration(0)
		for range 1000 {
			d := backoff(streak)
			least, most = min(least, d), max(most, d)
		}
		if least < base*8/10 || most > base*12/10 || most-least < base*3/10 {
			t.Errorf("backoff(%d) is from %s to %s, want %s ± 20 %%", streak, least, most, base)
		}
	}
}

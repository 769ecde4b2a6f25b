package postgres

import (
	"testing"
	"time"

	"github.com/plba/plba/queue"
)

func TestHowLongCountsAreGood(t *testing.T) {
	at := time.Now()
	for _, c := range []struct {
		tasks int64
		good  time.Duration
	}{{0, 0}, {99_999, 0}, {100_000, time.Second}, {1_050_000, 10 * time.Second}, {100_000_000, 30 * time.Second}} {
		counted := census{at, queue.Stats{Ready: c.tasks - c.tasks/2, Done: c.tasks / 2}}
		if counted.good(at.Add(c.good)) || c.good > 0 && !counted.good(at.Add(c.good-1)) {
			t.Errorf("a count of %d tasks is not good for %s", c.tasks, c.good)
		}
	}
}

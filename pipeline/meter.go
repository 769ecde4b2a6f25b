package pipeline

import (
	"sync/atomic"
	"time"

	"github.com/plba/plba/task"
)

// Counters say what happened at a stage since its pipeline was built.
type Counters struct {
	InFlight int64 `json:"in_flight"` // runs that are inside of the stage now
	Done     int64 `json:"done"`      // runs that it gave an output
	Failed   int64 `json:"failed"`    // runs that ended in it with an error: also those it was cancelled in, and snoozed ones
	Dropped  int64 `json:"dropped"`   // runs, or elements, that ended in it without an error
	Retried  int64 `json:"retried"`   // attempts after the first ones
	Timed    int64 `json:"timed"`     // ended runs that were timed; all, unless the stage is quick
	Nanos    int64 `json:"nanos"`     // time those took, in nanoseconds, with retries and the waits between them
}

// Mean is how long a run of the stage takes on average; 0 before the first.
func (c Counters) Mean() time.Duration {
	if c.Timed == 0 {
		return 0
	}
	return time.Duration(c.Nanos / c.Timed)
}

// A stage is quick when its last timed run took less than this. Then one run in quickSample is timed: reading
// the clock twice costs as much as such a stage itself.
const (
	quickRun    = 10 * time.Microsecond
	quickSample = 64
)

// meter counts at one place. It fills a cache line, so that neighbours do not slow each other down.
type meter struct {
	begun, done, failed, dropped, retried, timed, nanos atomic.Int64

	quick atomic.Bool
}

// begin counts a run in. The result goes to end; it is the zero time when the run is not timed.
func (m *meter) begin() (start time.Time) {
	if n := m.begun.Add(1); n%quickSample == 0 || !m.quick.Load() {
		start = time.Now()
	}
	return start
}

// end counts a run out.
func (m *meter) end(start time.Time, err error) {
	if err == nil {
		m.done.Add(1)
	} else if outcome, _ := task.Classify(err); outcome == task.Dropped {
		m.dropped.Add(1)
	} else {
		m.failed.Add(1)
	}
	if !start.IsZero() {
		m.time(time.Since(start))
	}
}

func (m *meter) time(took time.Duration) {
	m.timed.Add(1)
	m.nanos.Add(int64(took))
	if quick := took < quickRun; quick != m.quick.Load() {
		m.quick.Store(quick)
	}
}

// lost counts a run out that never came back: it panicked past the stage or ended its goroutine.
func (m *meter) lost() { m.failed.Add(1) }

// read takes what has ended before what has begun, so that no count is ever negative.
func (m *meter) read() Counters {
	c := Counters{
		Done:    m.done.Load(),
		Failed:  m.failed.Load(),
		Dropped: m.dropped.Load(),
		Retried: m.retried.Load(),
		Timed:   m.timed.Load(),
		Nanos:   m.nanos.Load(),
	}
	c.InFlight = m.begun.Load() - c.Done - c.Failed - c.Dropped
	return c
}

// meters are those of one built pipeline, by the IDs of its graph.
type meters map[string]*meter

func (m meters) at(id string) *meter {
	if m[id] == nil {
		m[id] = new(meter)
	}
	return m[id]
}

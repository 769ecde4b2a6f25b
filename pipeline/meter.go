package pipeline

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plba/plba/task"
)

// Counters say what happened at a stage since its pipeline was built.
type Counters struct {
	InFlight int64 `json:"in_flight"` // runs that are inside of the stage now
	Done     int64 `json:"done"`      // runs that it gave an output
	Failed   int64 `json:"failed"`    // runs that ended in it with an error, be it only that they were snoozed or cancelled
	Dropped  int64 `json:"dropped"`   // runs that ended in it without an error
	Retried  int64 `json:"retried"`   // attempts after the first ones
	Timed    int64 `json:"timed"`     // how many of the runs that ended were timed: all, unless the stage is quick
	Nanos    int64 `json:"nanos"`     // how long these took together, in nanoseconds, with retries and waits
}

// Mean is how long a run of the stage takes on average; 0 before the first.
func (c Counters) Mean() time.Duration {
	if c.Timed == 0 {
		return 0
	}
	return time.Duration(c.Nanos / c.Timed)
}

// String is what there is to say in a line: "2 in flight, 1034 done, 3 failed, 7 retried, 12.4ms each".
func (c Counters) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{c.InFlight, "in flight"}, {c.Done, "done"}, {c.Failed, "failed"}, {c.Dropped, "dropped"}, {c.Retried, "retried"}} {
		if p.n != 0 || p.what == "done" {
			parts = append(parts, strconv.FormatInt(p.n, 10)+" "+p.what)
		}
	}
	if c.Timed > 0 {
		parts = append(parts, rounded(c.Mean()).String()+" each")
	}
	return strings.Join(parts, ", ")
}

// rounded is d with three digits or so.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// A stage is quick when its last timed run took less than this. Then one run in quickSample is timed, because
// reading the clock twice takes as long as such a stage itself.
const (
	quickRun    = 10 * time.Microsecond
	quickSample = 64
)

// meter counts at one place.
//
// An atomic addition is what counting costs, so a run that goes from one stage of a chain straight to the next is
// counted once for leaving the one and entering the other: it came to the next.
type meter struct {
	begun   atomic.Int64 // runs that entered, except those that came from the stage before
	came    atomic.Int64 // runs that came from the stage before
	done    atomic.Int64 // runs that left with an output, except those that came to the next stage
	failed  atomic.Int64
	dropped atomic.Int64
	retried atomic.Int64
	timed   atomic.Int64
	nanos   atomic.Int64

	quick atomic.Bool
	next  *meter // of the next stage of the chain; nil for the last one and outside of chains
}

// begin counts a run in. The result goes to end.
func (m *meter) begin() (start instant) { return m.start(m.begun.Add(1)%quickSample == 0) }

// start reads the clock if the run is to be timed, which sample says for quick stages; otherwise it gives 0.
func (m *meter) start(sample bool) (start instant) {
	if sample || !m.quick.Load() {
		return now()
	}
	return 0
}

// end counts a run out.
func (m *meter) end(start instant, err error) {
	if err == nil {
		m.done.Add(1)
	} else if outcome, _ := task.Classify(err); outcome == task.Dropped {
		m.dropped.Add(1)
	} else {
		m.failed.Add(1)
	}
	if start != 0 {
		m.time(start)
	}
}

// lost counts a run out that never came back: it panicked past the stage or ended its goroutine.
func (m *meter) lost() { m.failed.Add(1) }

func (m *meter) time(start instant) {
	took := int64(now() - start)
	m.timed.Add(1)
	m.nanos.Add(took)
	if quick := took < int64(quickRun); quick != m.quick.Load() {
		m.quick.Store(quick)
	}
}

// read tries for a moment at which nothing begins. If there is none, it takes what has ended before what has begun:
// then a run that did both in between counts as in flight, but nothing is ever less than 0.
func (m *meter) read() (c Counters) {
	for range readTries {
		before := m.entered()
		c = m.ended()
		after := m.entered()
		c.InFlight = after - c.Done - c.Failed - c.Dropped
		if before == after {
			break
		}
	}
	return c
}

const readTries = 5

func (m *meter) entered() int64 { return m.begun.Load() + m.came.Load() }

func (m *meter) ended() Counters {
	c := Counters{
		Done:    m.done.Load(),
		Failed:  m.failed.Load(),
		Dropped: m.dropped.Load(),
		Retried: m.retried.Load(),
		Timed:   m.timed.Load(),
		Nanos:   m.nanos.Load(),
	}
	if m.next != nil {
		c.Done += m.next.came.Load()
	}
	return c
}

// chained gives the meters of stages that follow each other.
func chained(stages []placed) []*meter {
	all := make([]*meter, len(stages))
	for i, s := range stages {
		all[i] = s.count()
		if i > 0 {
			all[i-1].next = all[i]
		}
	}
	return all
}

// instant is a time in nanoseconds since some moment before the first of them: never 0.
type instant int64

var past = time.Now().Add(-1)

func now() instant { return instant(time.Since(past)) }

// meters are those of one built pipeline, by the IDs of its graph.
type meters map[string]*meter

func (m meters) at(id string) *meter {
	if m[id] == nil {
		m[id] = new(meter)
	}
	return m[id]
}

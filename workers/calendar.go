package workers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// calendar gives the instants at which a cron expression is due in a zone.
//
// The library is asked about clock times only, written as if they were UTC, where no clock is ever moved. What a moved clock means is
// decided here, as every period between two moves has one offset:
//
//   - An expression that is due in every hour follows real time: the hour that comes twice counts twice, the one that is left out not at all.
//   - Any other names clock times, and each of them counts once a day: at its first coming when it comes twice, at the end of the gap when
//     it is left out.
type calendar struct {
	clock cron.Schedule // Next of a clock time written as UTC
	zone  *time.Location
	real  bool // follows real time
}

// parser takes minute, hour, day of month, month, day of week, or a descriptor such as @daily.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func parseCalendar(expr string, zone *time.Location) (*calendar, error) {
	switch {
	case strings.Contains(expr, "TZ="):
		return nil, errors.New("a time zone is given with workers.Zone, not in the expression")
	case strings.HasPrefix(strings.TrimSpace(expr), "@every"):
		return nil, errors.New("@every names no instants; use workers.Poll for an interval")
	}
	clock, err := parser.Parse(expr)
	if err != nil {
		return nil, err
	}
	spec, ok := clock.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not a list of instants", clock)
	}
	const everyHour = 1<<24 - 1
	c := &calendar{clock: clock, zone: zone, real: spec.Hour&everyHour == everyHour}
	if clock.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("it is never due: no month has such a day")
	}
	return c, nil
}

// next is the first instant after t, in the zone; the zero time when there is none within five years.
func (c *calendar) next(t time.Time) time.Time {
	t = t.In(c.zone)
	for from := clockOf(t); ; {
		begin, end := t.ZoneBounds()
		if !begin.IsZero() && !c.real {
			if shown := clockOf(begin.Add(-1)); from.Before(shown) {
				from = shown // before the clock was moved back
			}
		}
		due := c.clock.Next(from)
		if due.IsZero() {
			return time.Time{}
		}
		_, offset := t.Zone()
		at := due.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at.In(c.zone)
		}
		t = end.In(c.zone)
		if !c.real && due.Before(clockOf(t)) {
			return t // the clock was moved past it
		}
		from = clockOf(t).Add(-1) // the library looks for what comes after
	}
}

// clockOf is what the clock shows at t, written as UTC.
func clockOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// maxMissed bounds the counting of what passed: a clock may be set by decades.
const maxMissed = 10_000

// passed gives the last instant after from and not after until, or from if there is none, and how many there are, counted up to maxMissed.
func (c *calendar) passed(from, until time.Time) (last time.Time, n int) {
	for last = from; n < maxMissed; n++ {
		next := c.next(last)
		if next.IsZero() || next.After(until) {
			return last, n
		}
		last = next
	}
	back := time.Minute
	for c.next(until.Add(-back)).After(until) { // it ends: there is one, as many have passed
		back *= 2
	}
	for last = until.Add(-back); ; {
		next := c.next(last)
		if next.IsZero() || next.After(until) {
			return last, n
		}
		last = next
	}
}

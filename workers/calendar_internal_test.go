package workers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestCalendar(t *testing.T) {
	for name, c := range map[string]struct {
		expr, zone, after string
		want              []string // UTC
	}{
		"strictly after": {"0 2 * * *", "UTC", "2026-03-01T02:00:00Z", []string{"03-02 02:00", "03-03 02:00"}},
		"a zone":         {"30 9 * * mon-fri", "Asia/Kolkata", "2026-05-01T00:00:00Z", []string{"05-01 04:00", "05-04 04:00"}},
		"day or weekday": {"0 0 13 * fri", "UTC", "2026-02-06T00:00:00Z", []string{"02-13 00:00", "02-20 00:00", "02-27 00:00", "03-06 00:00", "03-13 00:00"}},
		"a leap day":     {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"02-29 00:00"}},
		"descriptor":     {"@hourly", "UTC", "2026-01-01T00:30:00Z", []string{"01-01 01:00", "01-01 02:00"}},

		"gap, clock time left out":     {"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"03-28 01:30", "03-29 01:00", "03-30 00:30"}},
		"gap, several left out":        {"*/20 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"03-29 01:00", "03-29 01:20", "03-29 01:40", "03-30 00:00"}},
		"gap, in every hour":           {"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"03-29 00:30", "03-29 01:30", "03-29 02:30"}},
		"gap at midnight":              {"0 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00:00Z", []string{"11-03 03:00", "11-04 03:00", "11-05 02:00"}},
		"gap, not on that day":         {"30 2 * * mon", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"03-30 00:30", "04-06 00:30"}},
		"overlap, at the first coming": {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"10-25 00:30", "10-26 01:30"}},
		"overlap, between the two":     {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"10-26 01:30"}},
		"overlap, other hours":         {"0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", []string{"10-25 00:00", "10-25 03:00", "10-25 05:00"}},
		"overlap, in every hour":       {"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", []string{"10-25 00:30", "10-25 01:30", "10-25 02:30"}},
		"half an hour moved":           {"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"04-04 14:45", "04-05 15:15"}},
	} {
		t.Run(name, func(t *testing.T) {
			cal, err := parseCalendar(c.expr, zone(t, c.zone))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range c.want {
				at = cal.next(at)
				got = append(got, at.UTC().Format("01-02 15:04"))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if at.Location() != cal.zone {
				t.Errorf("in %s, not in the calendar's zone", at.Location())
			}
		})
	}
}

// The calendar agrees with one that looks at every minute.
func TestCalendarAgainstEveryMinute(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"}
	rapid.Check(t, func(t *rapid.T) {
		field := func(name string, low, high int) string {
			n := rapid.IntRange(low, high).Draw(t, name)
			return rapid.SampledFrom([]string{"*", fmt.Sprint(n), fmt.Sprintf("%d-%d", n, high), fmt.Sprintf("*/%d", max(n, 1))}).Draw(t, name)
		}
		expr := strings.Join([]string{field("minute", 0, 59), field("hour", 0, 23), "*", "*", field("weekday", 0, 6)}, " ")
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		cal, err := parseCalendar(expr, z)
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		after := time.Date(2018, 1, 1, 0, 0, rapid.IntRange(0, 365*86400).Draw(t, "after"), 0, time.UTC)
		if _, end := after.In(z).ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(t, "near a move") {
			after = end.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "minutes")) * time.Minute)
		}
		got, want := cal.next(after), everyMinute(cal, after)
		if !got.Equal(want) {
			t.Fatalf("%q in %s after %s: got %s, want %s", expr, z, after.In(z), got, want.In(z))
		}
	})
}

// everyMinute looks for the first minute after t that is due; within nine days there is one, as the expressions leave days and months open.
func everyMinute(c *calendar, t time.Time) time.Time {
	named := func(clock time.Time) bool { return c.clock.Next(clock.Add(-1)).Equal(clock) }
	for at := t.Truncate(time.Minute).Add(time.Minute); at.Before(t.Add(9 * 24 * time.Hour)); at = at.Add(time.Minute) {
		clock, before := clockOf(at.In(c.zone)), clockOf(at.In(c.zone).Add(-time.Minute)).Add(time.Minute)
		if named(clock) && (c.real || !shownBefore(c, at, clock)) {
			return at
		}
		for left := before; !c.real && left.Before(clock); left = left.Add(time.Minute) { // the clock was moved past these
			if named(left) {
				return at
			}
		}
	}
	return time.Time{}
}

// shownBefore says whether the clock showed the same in the three hours before.
func shownBefore(c *calendar, at, clock time.Time) bool {
	for back := time.Minute; back <= 3*time.Hour; back += time.Minute {
		if clockOf(at.Add(-back).In(c.zone)).Equal(clock) {
			return true
		}
	}
	return false
}

func TestCalendarRefuses(t *testing.T) {
	for expr, want := range map[string]string{
		"":                        "empty",
		"* * * *":                 "expected exactly 5 fields",
		"0 0 2 * * *":             "expected exactly 5 fields",
		"61 * * * *":              "above maximum",
		"0 0 30 2 *":              "never due",
		"@every 5m":               "workers.Poll",
		"TZ=UTC":                  "workers.Zone",
		"CRON_TZ=UTC 0 2 * * *":   "workers.Zone",
		"@sometimes":              "unrecognized descriptor",
		"0 2 * * monday-tomorrow": "failed to parse",
	} {
		if _, err := parseCalendar(expr, time.UTC); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something of %q", expr, err, want)
		}
	}
}

// Whatever stands in the expression, there is an answer, and what is due comes after.
func FuzzCalendar(f *testing.F) {
	for _, expr := range []string{"0 2 * * *", "*/5 1-3,7 ? jan-mar sun", "@weekly", "TZ=", "@every", "0 0 31 4 *", "1-0/0 * * * *"} {
		f.Add(expr)
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, expr string) {
		cal, err := parseCalendar(expr, berlin)
		if err != nil {
			return
		}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if next := cal.next(at); !next.IsZero() && !next.After(at) {
			t.Errorf("%q: %s is not after %s", expr, next, at)
		}
	})
}

func TestCalendarPassed(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		expr        string
		until, last time.Time
		n           int
	}{
		"none":                {"0 * * * *", from.Add(59 * time.Minute), from, 0},
		"at until":            {"0 * * * *", from.Add(3 * time.Hour), from.Add(3 * time.Hour), 3},
		"too many":            {"* * * * *", from.AddDate(10, 0, 0), from.AddDate(10, 0, 0), maxMissed},
		"too many, in bursts": {"* 0 1 * *", from.AddDate(40, 0, 14), from.AddDate(40, 0, 0).Add(59 * time.Minute), maxMissed},
	} {
		cal, err := parseCalendar(c.expr, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if last, n := cal.passed(from, c.until); !last.Equal(c.last) || n != c.n {
			t.Errorf("%s: %s, %d; want %s, %d", name, last, n, c.last, c.n)
		}
	}
}

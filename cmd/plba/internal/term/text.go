package term

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// Clean makes a text harmless and keeps it on one line: control characters, and those that change the direction of writing, are spelled out.
func Clean(text string) string { return clean(text, false) }

// CleanLines is Clean for texts of several lines.
func CleanLines(text string) string { return clean(text, true) }

func clean(text string, lines bool) string {
	if !strings.ContainsFunc(text, harmful) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' && lines:
			b.WriteRune(r)
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case harmful(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func harmful(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// columns is how much room a text takes.
func columns(text string) (n int) {
	for _, r := range text {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// cut shortens a text to n columns, and shows that it did.
func cut(text string, n int) string {
	if columns(text) <= n {
		return text
	}
	used := 0
	for i, r := range text {
		if used += cells(r); used > n-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// Duration is a span of time in two units at most: 350ms, 12s, 3m20s, 5h, 2d4h.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return strings.Replace(d.Round(100*time.Millisecond).String(), ".0s", "s", 1)
	case d < time.Hour:
		return strings.TrimSuffix(strings.Replace(d.Round(time.Second).String(), "m0s", "m", 1), "m0s")
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}}
	if d < 24*time.Hour {
		units = units[1:]
	}
	first, rest := d/units[0].size, d%units[0].size
	text := fmt.Sprintf("%d%s", first, units[0].name)
	if second := rest / units[1].size; second > 0 {
		text += fmt.Sprintf("%d%s", second, units[1].name)
	}
	return text
}

// Seconds is Duration of a number of them.
func Seconds(s float64) string { return Duration(time.Duration(s * float64(time.Second))) }

// Ago is how long ago a time is, or how far ahead; "" for none.
func (t *Terminal) Ago(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if d := t.Now().Sub(at); d >= 0 {
		return Duration(d) + " ago"
	}
	return "in " + Duration(at.Sub(t.Now()))
}

// Clock is the time of day in the zone of Now, with the date unless it is today's; "" for none.
func (t *Terminal) Clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	now := t.Now()
	at = at.In(now.Location())
	if y, m, d := now.Date(); at.Year() != y || at.Month() != m || at.Day() != d {
		return at.Format("2006-01-02 15:04:05")
	}
	return at.Format("15:04:05.000")
}

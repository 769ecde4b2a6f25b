package term_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/cmd/plba/internal/term"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 漢 🙂":          "plain ä 漢 🙂",
		"\x1b[2Jgone":          `\u001b[2Jgone`,
		"a\nb\tc":              "a b c",
		"\u009b31m":            `\u009b31m`,
		"user\u202efdp.exe":    `user\u202efdp.exe`,
		"title\x1b]0;owned\a!": `title\u001b]0;owned\u0007!`,
	} {
		if got := term.Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := term.CleanLines("a\nb\x00"); got != "a\nb\\u0000" {
		t.Errorf("%q", got)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 1500 * time.Microsecond: "2ms", time.Second: "1s", 1540 * time.Millisecond: "1.5s", 9960 * time.Millisecond: "10s", 12345 * time.Millisecond: "12s",
		time.Minute: "1m", 200 * time.Second: "3m20s", 10 * time.Minute: "10m", time.Hour: "1h", 5*time.Hour + 59*time.Second: "5h", 5*time.Hour + 2*time.Minute: "5h2m",
		24 * time.Hour: "1d", 52*time.Hour + 10*time.Minute: "2d4h",
	} {
		if got := term.Duration(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	now := time.Date(2025, 3, 14, 9, 26, 53, 0, time.FixedZone("there", 3600))
	at := &term.Terminal{Now: func() time.Time { return now }}
	for got, want := range map[string]string{
		at.Ago(time.Time{}): "", at.Ago(now.Add(-3 * time.Minute)): "3m ago", at.Ago(now.Add(90 * time.Second)): "in 1m30s",
		at.Clock(time.Date(2025, 3, 14, 8, 0, 0, 5e6, time.UTC)): "09:00:00.005", at.Clock(now.AddDate(0, 0, -1)): "2025-03-13 09:26:53",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	table := term.NewTable("NAME", "EMPTY", ">COUNT", "NOTE")
	table.Row("漢字", "", 7, term.Cell{Text: "first\x1b[31m", Style: term.Bad})
	table.Row("latin", "", 12345)
	for width, want := range map[int]string{
		0:  "  NAME   COUNT  NOTE\n  漢字       7  first\\u001b[31m\n  latin  12345\n",
		28: "  NAME   COUNT  NOTE\n  漢字       7  first\\u001b…\n  latin  12345\n",
	} {
		var out strings.Builder
		(&term.Terminal{Out: &out, Width: width}).Print(table)
		if out.String() != want {
			t.Errorf("width %d:\n%s\nwant:\n%s", width, out.String(), want)
		}
	}
	var out strings.Builder
	(&term.Terminal{Out: &out, Colour: true}).Print(table)
	if !strings.Contains(out.String(), "\x1b[31mfirst\\u001b[31m\x1b[0m\n") {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	(&term.Terminal{Out: &out}).Print(term.NewTable("NAME"))
	if out.Len() != 0 {
		t.Errorf("%q", out.String())
	}
}

// What is no terminal gets no colours, no width and no questions, unless COLUMNS says how wide it is.
func TestOf(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := term.Of(f, f, f, func(name string) string { return map[string]string{"COLUMNS": "72"}[name] })
	if got.Colour || got.Asks || got.Lively || got.Width != 72 || got.Paint(term.Bad, "x") != "x" {
		t.Errorf("%+v", got)
	}
	if got := term.Of(f, f, f, func(string) string { return "" }); got.Width != 0 {
		t.Errorf("%+v", got)
	}
}

package term

import (
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"
)

// Terminal is where a command reads and writes.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	Asks     bool // somebody is there to answer questions
	Lively   bool // Err is a terminal, on which a line can be rewritten
	Width    int  // of Out in columns; 0 when it is no terminal
	Colour   bool
	Now      func() time.Time
}

// Of looks at what the streams of a process are. NO_COLOR and TERM=dumb switch colours off, COLUMNS sets the width.
func Of(in, out, errs *os.File, getenv func(string) string) *Terminal {
	t := &Terminal{In: in, Out: out, Err: errs, Now: time.Now}
	isTerminal := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	t.Lively = isTerminal(errs)
	t.Asks = isTerminal(in) && t.Lively
	if isTerminal(out) {
		t.Colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		if w, _, err := term.GetSize(int(out.Fd())); err == nil {
			t.Width = w
		}
	}
	if w, err := strconv.Atoi(getenv("COLUMNS")); err == nil && w > 0 {
		t.Width = w
	}
	return t
}

// Style is how a text stands out. It says nothing that the text does not say: without colours nothing is lost.
type Style string

// The styles.
const (
	Plain Style = ""
	Good  Style = "32"
	Warn  Style = "33"
	Bad   Style = "31"
	Faint Style = "2"
	Bold  Style = "1"
)

// Paint gives the text its style, where colours can be seen.
func (t *Terminal) Paint(s Style, text string) string {
	if !t.Colour || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

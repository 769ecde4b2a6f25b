package logging

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// escaper escapes the control characters that JSON leaves as they are, U+007F to U+009F: among them one that many
// tools take for the end of a line, and one that begins a terminal's commands. In JSON they can only stand inside of
// strings, so the line stays the same value. (The text format escapes them by itself.)
type escaper struct{ w io.Writer }

// Write writes one record.
func (e escaper) Write(record []byte) (int, error) {
	var escaped []byte
	done := 0 // up to here, record is in escaped
	for i := 0; i < len(record); {
		if record[i] < 0x7F {
			i++
			continue
		}
		r, size := utf8.DecodeRune(record[i:])
		if 0x7F <= r && r <= 0x9F {
			escaped = fmt.Appendf(append(escaped, record[done:i]...), `\u%04x`, r)
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return e.w.Write(record)
	}
	if _, err := e.w.Write(append(escaped, record[done:]...)); err != nil {
		return 0, err
	}
	return len(record), nil
}

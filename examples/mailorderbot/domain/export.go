package domain

import (
	"encoding/csv"
	"io"
	"strings"
)

// SafeCell makes a text fit for a cell that a spreadsheet program may open: what it would take for a formula, because it
// begins with = + - @, a tab or a line break, gets an apostrophe in front and stays text.
func SafeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Export writes rows as CSV, every cell made safe by SafeCell. Its error is the writer's.
func Export(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	for _, r := range rows {
		safe := make([]string, len(r))
		for i, s := range r {
			safe[i] = SafeCell(s)
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
